"""Finds where an undo of ordinary cells leads: the checkpoint with the variables as they were before them."""

from __future__ import annotations

from dataclasses import dataclass

from statebook.config import Settings
from statebook.errors import UsageError
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo takes back. ``to`` is the checkpoint to go to, ``snapshot`` what it has of the variables."""

    to: int
    snapshot: str
    cells: tuple[str, ...]
    """The cells that are taken back, newest first: ``In [5]: df = df.dropna()``."""


def undo(store: Store, settings: Settings, cells: int = 1) -> Undo:
    """Where to go to take back what the last so many ordinary cells did to variables.

    Cells that changed nothing do not count. UsageError where there are fewer, with how to have them kept, and where the
    variables before them were not kept.
    """
    at = SnapshotsAt(store)
    found = at.cells()
    if len(found) < cells:
        raise UsageError(_too_few(len(found), cells), _hint(settings))
    to = at.before(found[cells - 1])
    snapshot = at.checkpoint(to) if to else ""
    if not snapshot:
        first = found[cells - 1].label
        raise UsageError(f"The variables before {first} were not kept.", "`%agent checkpoints` shows what was.")
    return Undo(to, snapshot, tuple(mark.label for mark in found[:cells]))


def _too_few(found: int, wanted: int) -> str:
    if not found:
        return "There is no ordinary cell to undo, since the agent's last step or this kernel's start."
    return f"Only {found} cell{'s' * (found > 1)} can be undone, not {wanted}."


def _hint(settings: Settings) -> str:
    if settings.snapshots == "cells":
        return "`%agent rewind` goes further back."
    return "Cells are kept from `%config Statebook.snapshots = 'cells'` on."
