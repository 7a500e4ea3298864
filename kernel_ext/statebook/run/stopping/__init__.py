"""What a stop does to a run: its work is ended or left behind, and what is left can record nothing."""
