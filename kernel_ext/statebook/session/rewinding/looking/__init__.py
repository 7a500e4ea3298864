"""Looking at lines without moving: the tree of checkpoints, how two points differ, cells that no longer match."""
