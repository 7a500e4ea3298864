"""Lines of checkpoints as people see them: the tree of all, what a move would do, how two points differ."""
