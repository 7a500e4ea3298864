"""The journal as values: its events, their JSON, and the runs they tell."""
