"""Snapshots of the kernel's variables: taken at the cost of what changed, and restored all or none."""

from .manifest import Group, Manifest
from .restoring import Prepared, Restored
from .seams import Chunks
from .taking import Capture, SnapshotBudget
from .variables import Snapshots

__all__ = ["Capture", "Chunks", "Group", "Manifest", "Prepared", "Restored", "SnapshotBudget", "Snapshots"]
