"""The kernel's variables, in and out: running code in the user's namespace."""
