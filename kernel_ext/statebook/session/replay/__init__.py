"""What the journal already answers: which run a cell means, which answers are repeated, how a cell differs."""
