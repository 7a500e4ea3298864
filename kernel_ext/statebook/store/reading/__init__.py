"""What a session asks of its journal beside runs and what holds: checkpoints, and what lies between two lines."""
