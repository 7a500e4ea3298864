"""Files of the workspace: captured at the cost of what changed, and put back without touching what is the person's."""

from .manifest import FilesManifest, FileState, changes
from .moving import FilesMoved, Mover
from .planning import FilesPlan, FileStep, edited, expected, plan
from .preview import FileDiff, compare, preview
from .walking import FilesBudget
from .workspace import WorkspaceFiles

__all__ = [
    "FileDiff",
    "FileState",
    "FileStep",
    "FilesBudget",
    "FilesManifest",
    "FilesMoved",
    "FilesPlan",
    "Mover",
    "WorkspaceFiles",
    "changes",
    "compare",
    "edited",
    "expected",
    "plan",
    "preview",
]
