"""What models are shown after a move: runs as the line sees them, and one line that says that the person went back."""
