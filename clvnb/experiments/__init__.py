"""How a change is judged: designs, verdicts, and how many customers they take."""
