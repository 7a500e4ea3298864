"""What a cell asks for: its prompt, what goes with it, and the form of its answer."""
