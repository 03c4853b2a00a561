"""Step 3: what to do, what it is worth, for whom; and one customer's card."""
