"""The moments at which a run is killed: before, in and after each of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from statebook.protocol.tools import Effect

Where = Literal["request", "stream", "answer", "asked", "intent", "before", "after", "result"]

WORDS: dict[Where, str] = {
    "request": "before its request is on disk",
    "stream": "while its answer streams in",
    "answer": "with its answer on disk",
    "asked": "while its approval waits",
    "intent": "before its intent is on disk",
    "before": "with its intent on disk, not done yet",
    "after": "done, its result not on disk yet",
    "result": "with its result on disk",
}
"""Each moment in a step as a person reads it, in the order in which they come."""

_MODEL: tuple[Where, ...] = ("request", "stream", "answer")
_BEGUN: tuple[Where, ...] = ("intent", "before", "after", "result")


@dataclass(frozen=True, slots=True)
class Moment:
    """One kill: in which step of the run, and where in it."""

    step: int
    where: Where

    def __str__(self) -> str:
        return f"step {self.step}, {WORDS[self.where]}"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the run that is killed. ``tool`` is "" for a model step, whose answer is number ``index``.

    ``calls`` are the tools that the answer asked for, ``place`` is a call's among them. ``effect``, ``begun`` (it was
    not refused), ``asked`` (a person approved it), ``verified`` (the tool can tell whether it happened) and ``origin``
    are a tool step's.
    """

    step: int
    tool: str = ""
    index: int = 0
    place: int = 0
    calls: tuple[str, ...] = ()
    effect: Effect = "write"
    begun: bool = False
    asked: bool = False
    verified: bool = False
    origin: str = "user"

    @property
    def call(self) -> str:
        """How the ledger names a tool step's call."""
        return f"{self.index}.{self.place}"

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Where it can be killed."""
        if not self.tool:
            return tuple(Moment(self.step, where) for where in _MODEL)
        places: tuple[Where, ...] = (*(("asked",) if self.asked else ()), *(_BEGUN if self.begun else ("result",)))
        return tuple(Moment(self.step, where) for where in places)


def plan(steps: Iterable[Step], only: tuple[int, int] | None = None) -> list[Moment]:
    """All moments in order; ``only`` are the first and last step to kill."""
    first, last = only or (0, 2**31)
    return [moment for step in steps if first <= step.step <= last for moment in step.moments]
