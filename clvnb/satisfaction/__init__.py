"""Step 2: how satisfied customers are, its key drivers, and the baseline of later changes."""
