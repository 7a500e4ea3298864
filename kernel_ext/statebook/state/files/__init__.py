"""Files of the workspace: found, kept by content, and put back."""
