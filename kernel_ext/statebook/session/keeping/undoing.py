"""Finds where an undo of ordinary cells leads: the checkpoint with the variables as they were before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from statebook.config import Settings
from statebook.errors import UsageError
from statebook.protocol.journal.lines import CheckpointMade
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store

from .variables import Variables


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo takes back. ``to`` is the checkpoint to go to, ``snapshot`` what it has of the variables."""

    to: int
    snapshot: str
    cells: tuple[str, ...]
    """The steps that are taken back, newest first: ``In [5]: df = df.dropna()``, or what was not kept by itself."""
    told: tuple[str, ...]
    """The same for people, code marked as such."""


def undo(store: Store, settings: Settings, variables: Variables | None, cells: int = 1) -> Undo:
    """Where to go to take back what the last so many ordinary cells did to variables. For the main thread.

    Cells that changed nothing do not count. Cells after one that was kept, and that were not kept themselves (the
    setting was another one, the disk was full), are one step: the least that can be taken back of them. UsageError
    where there are fewer, with how to have them kept, and where the variables before them were not kept.
    """
    at, found = SnapshotsAt(store), []
    for step in _steps(at, variables):
        found.append(step)
        if len(found) == cells:
            break
    if len(found) < cells:
        raise UsageError(_too_few(len(found), cells), _hint(settings))
    to = found[-1].to
    snapshot = at.checkpoint(to) if to else ""
    if not snapshot:
        raise UsageError(
            f"The variables before {found[-1].name} were not kept.", "`%agent checkpoints` shows what was."
        )
    return Undo(to, snapshot, tuple(step.name for step in found), tuple(step.told for step in found))


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    to: int
    kept: bool
    """Whether it is a cell that was kept, whose name is its code."""

    @property
    def told(self) -> str:
        return f"`{self.name}`" if self.kept else self.name


def _steps(at: SnapshotsAt, variables: Variables | None) -> Iterator[_Step]:
    """What changed variables, newest first, to the first cell that was kept; and the checkpoint before each."""
    back = at.back()
    ordinary = [event.reason == "cell" and bool(event.label) for event in back]
    if variables is None or True not in ordinary:
        return
    if variables.differs(back[0].snapshot):
        yield _Step(_unkept(back), back[0].checkpoint, kept=False)
    for number in range(len(back) - ordinary[::-1].index(True)):
        newer, older = back[number], back[number + 1] if number + 1 < len(back) else None
        if ordinary[number]:
            yield _Step(newer.label, older.checkpoint if older is not None else 0, kept=True)
        elif older is not None and _differ(variables, newer.snapshot, older.snapshot):
            yield _Step(_unkept(back[number + 1 :]), older.checkpoint, kept=False)


def _unkept(before: Sequence[CheckpointMade]) -> str:
    last = next(event.label for event in before if event.reason == "cell" and event.label)
    return f"what ran after {last.partition(':')[0]} and was not kept by itself"


def _differ(variables: Variables, newer: str, older: str) -> bool:
    """Whether variables differ for certain: what one of the two had no room or time for may be as it was."""
    if newer == older:
        return False
    one, other = variables.manifest(newer), variables.manifest(older)
    known = {name: group for group in one.groups.values() for name in group.names}
    return one.names() != other.names() or any(
        not group.same(known[name]) for group in other.groups.values() for name in group.names if name in known
    )


def _too_few(found: int, wanted: int) -> str:
    if not found:
        return "There is no ordinary cell to undo, since the agent's last step or this kernel's start."
    return f"Only {found} cell{'s' * (found > 1)} can be undone, not {wanted}."


def _hint(settings: Settings) -> str:
    if settings.snapshots == "cells":
        return "`%agent rewind` goes further back."
    return "Cells are kept from `%config Statebook.snapshots = 'cells'` on."
