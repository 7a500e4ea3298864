"""What a run needs from whoever started it: a sink that draws, an asker that puts questions, a check of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from statebook.protocol.approvals import Answer, Question
from statebook.protocol.journal.runs import Run


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
