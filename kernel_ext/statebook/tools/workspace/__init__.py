"""The folder the agent works in: what may be listed, how files are opened and replaced without leaving it."""
