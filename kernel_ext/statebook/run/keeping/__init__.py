"""Which moments of a run are whole enough to be kept."""
