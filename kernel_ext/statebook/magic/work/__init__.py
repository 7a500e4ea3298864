"""Subcommands that are work: a cell waits for them, sees their progress, and can stop them."""
