"""Finds checkpoints, and what was kept of the kernel's variables at each."""
