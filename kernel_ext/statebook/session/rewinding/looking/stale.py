"""Cells whose outputs no longer match the head: the run that they show is not part of its conversation."""

from __future__ import annotations

from dataclasses import dataclass

from statebook.session.session import Session
from statebook.store.reading.between import Line, cut_runs, started
from statebook.store.reading.shown import shown

_TOLD = 40
"""Cells whose prompts are looked up: those of the newest runs."""


@dataclass(frozen=True, slots=True)
class Stale:
    """One cell: Jupyter's id of it, the run that its output shows, the beginning of that run's prompt.

    Of very many, only the newest have their prompts.
    """

    cell: str
    run: int
    prompt: str = ""


def stale_now(session: Session) -> tuple[Stale, ...]:
    """The cells whose outputs do not match the head."""
    journal = session.store.journal
    return stale_at(session, (journal.current, journal.last_seq))


def stale_at(session: Session, line: Line) -> tuple[Stale, ...]:
    """The cells whose outputs would not match if this line were the head's, by their runs.

    A cell shows what it last answered in this kernel; else what it showed in those before it. Cells without an id
    (a terminal's) are not told apart, and left out.
    """
    store = session.store
    cells = shown(store) | dict(session.shown)
    here = {each.run for each in store.runs.begun(*line)} - cut_runs(store, line)
    found = sorted((run, cell) for cell, run in cells.items() if run not in here)
    prompts = started(store, [run for run, _ in found[-_TOLD:]])
    return tuple(Stale(cell, run, prompts[run].prompt if run in prompts else "") for run, cell in found)
