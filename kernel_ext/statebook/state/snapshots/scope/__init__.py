"""Which variables a snapshot counts, and which of them a cell may have changed."""
