"""Step 4: what changed since, and whether what was done caused it."""
