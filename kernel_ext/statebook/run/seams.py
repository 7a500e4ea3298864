"""What a run needs from whoever started it: who draws, is asked, checks answers, keeps variables and files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from statebook.protocol.approvals import Answer, Question
from statebook.protocol.journal.events import Event
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import Reason
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import ToolCall


class Sink(Protocol):
    """Draws a run. What it is shown is on disk already; a sink that raises never harms the run."""

    def update(self, run: Run) -> None:
        """Something was added to the run (a step, more of ``run.draft``): draw it, now or soon."""
        ...

    def progress(self, run: Run, text: str) -> None:
        """A tool that takes long says how far it is; not part of the journal."""
        ...

    def close(self, run: Run) -> None:
        """The run ended, paused or was replayed: leave the final, static output."""
        ...


class Asker(Protocol):
    """Puts a question to a person while the run waits."""

    async def ask(self, question: Question, run: Run) -> Answer | None:
        """The person's answer, or None where nobody can answer: the run then pauses on disk."""
        ...


Check = Callable[[str], str]
"""Says what is wrong with the text of an answer, for the model to mend; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a checkpoint keeps besides the journal: names of snapshots ("" for none), and what goes into its commit."""

    variables: str = ""
    files: str = ""
    rows: tuple[SnapshotRow, ...] = ()
    events: tuple[Event, ...] = ()
    note: str = ""
    """What could not be kept, in one line for the person; "" when there is nothing to say, or it was said before."""


class Keeper(Protocol):
    """Keeps the kernel's variables and the workspace's files at the points of a run."""

    def keep(self, reason: Reason, calls: Sequence[ToolCall] = (), ahead: Sequence[ToolCall] = ()) -> Kept:
        """What is there now. ``calls`` are those that may have changed something and ended since the last time.

        ``ahead`` are those that are about to be made: what they will write over is kept, also where it would be left
        out else. It never raises: a checkpoint may go without a snapshot, and says so in ``note``.
        """
        ...

    def failed(self, error: Exception) -> str:
        """What it gave last could not be put on disk: it begins anew. What to tell; "" where it was told before."""
        ...


class NothingKept:
    """A keeper of nothing."""

    def keep(self, reason: Reason, calls: Sequence[ToolCall] = (), ahead: Sequence[ToolCall] = ()) -> Kept:
        """Nothing."""
        return Kept()

    def failed(self, error: Exception) -> str:
        """Nothing."""
        return ""


class Silent:
    """A sink that draws nothing and an asker whom nobody answers."""

    def update(self, run: Run) -> None:
        """Nothing."""

    def progress(self, run: Run, text: str) -> None:
        """Nothing."""

    def close(self, run: Run) -> None:
        """Nothing."""

    async def ask(self, question: Question, run: Run) -> Answer | None:
        """None: nobody is there."""
        return None
