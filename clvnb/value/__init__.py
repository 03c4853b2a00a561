"""Step 1: what customers are worth, and how far to trust it."""
