"""One notebook's agent life: open, run, resume, fork; the only room that wires the others together."""
