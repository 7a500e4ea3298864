"""The points, branches and parts that the lines of rewinding take, as Tab offers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .options import Option, Spot

if TYPE_CHECKING:
    from statebook.session.session import Session

_MOST = 30
"""Checkpoints that are offered, newest first."""


class Points:
    """What an open session knows; without one nothing is offered."""

    def __init__(self, session: Callable[[], Session | None]) -> None:
        self._session = session

    def points(self, _spot: Spot) -> list[Option]:
        """Labels, branches, ``head``, runs and checkpoints, in this order."""
        session = self._session()
        if session is None:
            return []
        from statebook.store.reading.checkpoints import Checkpoints

        marks = Checkpoints(session.store)
        labels = [Option(f'"{label}"' if " " in label else label, "checkpoint's label") for label in marks.labels()]
        runs = [Option(f"r{run}", " ".join(prompt.split())) for run, _, prompt in session.store.newest(_MOST)]
        found = marks.newest(_MOST, without=("before_step", "left"))
        numbers = [Option(f"#{mark.number}", _about(mark.reason, mark.run, mark.label)) for mark in found]
        return [*labels, *self.branches(_spot), Option("head", "where you are"), *runs, *numbers]

    def branches(self, _spot: Spot) -> list[Option]:
        """The branches by name."""
        session = self._session()
        return [Option(each.name, "branch") for each in session.store.journal.branches.values()] if session else []

    def memories(self, spot: Spot) -> list[Option]:
        """What another point remembers that is not remembered here, and ``all``."""
        session = self._session()
        if session is None or not spot.before:
            return []
        from statebook.session.rewinding.points import point

        source = point(session.store, spot.before[0].strip("\"'"))
        here = session.store.as_of_head.held().memories
        there = session.store.as_of_head.at(*source.line).memories
        found = [Option(memory.mark, memory.text) for number, memory in there.items() if number not in here]
        return [*found, Option("all", "memories")]

    def variables(self, spot: Spot) -> list[Option]:
        """The variables that were kept at another point."""
        session = self._session()
        if session is None or not spot.before or session.keeper.variables is None:
            return []
        from statebook.session.rewinding.points import point

        source = point(session.store, spot.before[0].strip("\"'"))
        names = session.keeper.variables.manifest(source.variables).names() if source.variables else set()
        return [Option(name, "variable there") for name in sorted(names)]

    def scopes(self, _spot: Spot) -> Iterable[Option]:
        """The scopes that can be named by one word."""
        from statebook.session.rewinding.scope import SCOPES

        return [Option(scope, "what moves") for scope in SCOPES]


def _about(reason: str, run: int, label: str) -> str:
    return " ".join(filter(None, [reason.replace("_", " "), f"of r{run}" if run else "", label]))
