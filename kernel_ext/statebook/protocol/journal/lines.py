"""The part of the journal's vocabulary that makes lines: branches, checkpoints, and moves from one to another.

Order of one move (a rewind, an undo, a redo, a switch), each line one commit::

    CheckpointMade(reason="left")                           on the branch that is left: all of now, to return to
    (BranchStarted | BranchSwitched)? ... HeadMoved         the new state counts from here on
    MoveFinished                                            its files are in place, its variables loaded beside

The variables are swapped last, in the kernel: cut off there, the next kernel can bring those of the head back.
A `HeadMoved` without its `MoveFinished` was cut off: its files are put in place by the next kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Reason = Literal["step", "before_step", "run_end", "pause", "person", "cell", "left", "moved", "forked"]
"""Why a checkpoint was made: after and before a step, at a run's end or pause, by the person (``%agent checkpoint``),
after an ordinary cell, before a move, after a move of some parts only, where a branch begins that nobody went to."""

Part = Literal["conversation", "memory", "variables", "files"]
"""What of a session can be moved to a checkpoint by itself. ``memory`` is facts, tool state, grants and rules."""

Move = Literal["rewind", "undo", "redo", "switch"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of the workspace: its relative path with slashes, and digests of its whole content, "" for no file."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A variable that could not be brought back: why, and the cell that makes it again, where that is known."""

    name: str
    why: str
    cell: str = ""


@dataclass(frozen=True, slots=True)
class BranchStarted:
    """A branch left its parent after entry ``at`` (its first event; 0 for the first branch) at a checkpoint.

    It is the current one from here on, unless it was started ``aside`` (``%agent fork``).
    """

    kind: ClassVar[str] = "branch_started"
    name: str
    parent: int
    at: int
    checkpoint: int
    why: str
    aside: bool = False


@dataclass(frozen=True, slots=True)
class BranchNamed:
    """The branch that holds this event is called so from here on."""

    kind: ClassVar[str] = "branch_named"
    name: str


@dataclass(frozen=True, slots=True)
class BranchSwitched:
    """The branch that holds this event became the current one again."""

    kind: ClassVar[str] = "branch_switched"


@dataclass(frozen=True, slots=True)
class CheckpointMade:
    """A point that can be returned to: everything on the branch up to and including this entry.

    ``snapshot`` (kernel variables) and ``files`` name the rows of what was captured besides the journal; "" is nothing.
    """

    kind: ClassVar[str] = "checkpoint_made"
    checkpoint: int
    parent: int
    reason: Reason
    label: str = ""
    snapshot: str = ""
    files: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointLabelled:
    """A checkpoint was given a label ("" takes it away); the newest one counts, on whatever branch it was given."""

    kind: ClassVar[str] = "checkpoint_labelled"
    checkpoint: int
    label: str


@dataclass(frozen=True, slots=True)
class FilesTouched:
    """Files of the workspace that the step changed, in one commit with its result."""

    kind: ClassVar[str] = "files_touched"
    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class HeadMoved:
    """The person went to checkpoint ``to``; ``parts`` are what moved. ``left`` is the checkpoint to return to.

    ``files`` is what is about to be written into the workspace: each from what was there to what shall be.
    """

    kind: ClassVar[str] = "head_moved"
    how: Move
    to: int
    left: int
    parts: tuple[Part, ...]
    files: tuple[FileChange, ...] = ()


@dataclass(frozen=True, slots=True)
class MoveFinished:
    """The files of the move before this are in place, and its variables are loaded, to be swapped in now.

    ``lost`` are variables that could not be loaded, ``kept`` files that were left as they are, as the person had
    changed them meanwhile.
    """

    kind: ClassVar[str] = "move_finished"
    lost: tuple[Lost, ...] = ()
    kept: tuple[str, ...] = ()
