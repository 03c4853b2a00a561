"""Step 2: how satisfied customers are, what goes with it, and the base point of later changes."""
