"""Cells whose outputs no longer match the head: the run that they show is not part of its conversation."""

from __future__ import annotations

from dataclasses import dataclass

from statebook.session.session import Session
from statebook.store.reading.between import Line, cut_runs, runs_of_cells, runs_on


@dataclass(frozen=True, slots=True)
class Stale:
    """One cell: Jupyter's id of it, the run that its output shows, the beginning of that run's prompt."""

    cell: str
    run: int
    prompt: str


def stale_now(session: Session) -> tuple[Stale, ...]:
    """The cells whose outputs do not match the head."""
    journal = session.store.journal
    return stale_at(session, (journal.current, journal.last_seq))


def stale_at(session: Session, line: Line) -> tuple[Stale, ...]:
    """The cells whose outputs would not match if this line were the head's, by their runs.

    A cell shows what it last answered in this kernel; else the newest run that is recorded of it. Cells without an id
    (a terminal's) are not told apart, and left out.
    """
    shown = {cell: (each.run, each.prompt) for cell, each in runs_of_cells(session.store).items()}
    for cell, run in session.shown.items():
        shown[cell] = run, session.run(run).started.prompt
    here = runs_on(session.store, line) - cut_runs(session.store, line)
    found = [Stale(cell, run, prompt) for cell, (run, prompt) in shown.items() if run not in here]
    return tuple(sorted(found, key=lambda each: each.run))
