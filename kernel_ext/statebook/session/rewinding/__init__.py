"""Going back and forth between the points of a session: named, planned, moved to, compared, taken over."""
