"""Keeps the kernel's variables and the workspace's files with a session's checkpoints, and brings them back."""
