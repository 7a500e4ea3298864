"""The tree of checkpoints: the newest of them with what happened up to each, and the branches that hang on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from statebook.errors import StatebookError, UnknownName
from statebook.protocol.journal.lines import Reason
from statebook.session.session import Session
from statebook.store.reading.checkpoints import Checkpoints, Mark
from statebook.store.reading.runs import Told, told_of
from statebook.store.store import Store

_INSIDE: tuple[Reason, ...] = ("step", "before_step", "left", "moved", "cell")
"""Reasons that are left out of the short list."""
_SOME = 400
"""Checkpoints whose snapshots are looked into, newest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint. ``told`` is of its run, where it is one's; ``changed`` are what it kept anew."""

    number: int
    parent: int
    branch: int
    reason: Reason
    label: str
    run: int
    step: int
    time: datetime
    on_head: bool
    told: Told | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A branch: its name, and the checkpoint that it hangs on (0: none)."""

    number: int
    name: str
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Rows newest first; ``more`` older ones are not in it. ``head`` is the newest checkpoint of branch ``current``."""

    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    current: int
    head: int
    more: int = 0


def tree(session: Session, limit: int, *, branch: str = "", inside: bool = False) -> Tree:
    """The newest checkpoints: of all branches, or of one's past; with ``inside`` also those within runs.

    UnknownName where there is no such branch.
    """
    store = session.store
    line = store.journal.find_branch(branch) if branch else None
    if branch and line is None:
        raise UnknownName("branch", branch, [each.name for each in store.journal.branches.values()])
    marks = Checkpoints(store)
    without = () if inside else _INSIDE
    found = marks.newest(limit, branch=line.number if line else None, without=without)
    told = told_of(store, {mark.run for mark in found if mark.run})
    past = store.journal.lineage()
    changed = _changed(store, found[:_SOME])
    rows = tuple(
        Row(
            mark.number,
            mark.parent,
            mark.branch,
            mark.reason,
            mark.label,
            mark.run,
            mark.step,
            mark.time,
            any(mark.branch == number and mark.seq <= upto for number, upto in past),
            told.get(mark.run),
            changed.get(mark.number, ()),
        )
        for mark in found
    )
    lines = tuple(Line(each.number, each.name, each.checkpoint) for each in store.journal.branches.values())
    more = max(marks.count(without, line.number if line else None) - len(rows), 0)
    return Tree(rows, lines, store.journal.current, store.journal.head_checkpoint(), more)


def _changed(store: Store, marks: Sequence[Mark]) -> dict[int, tuple[str, ...]]:
    """What the snapshots of these checkpoints keep that those they differ from do not."""
    known: dict[str, tuple[str, ...]] = {}
    found: dict[int, tuple[str, ...]] = {}
    for mark in reversed(marks):  # the oldest one that names a snapshot is the one that made it
        names: list[str] = []
        for name in (mark.variables, mark.files):
            if name and name not in known:
                known[name] = _new_in(store, name)
                names += known[name]
        found[mark.number] = tuple(names)
    return found


def _new_in(store: Store, name: str) -> tuple[str, ...]:
    with suppress(StatebookError):  # one that was let go of
        row = store.snapshots.row(name)
        if not row.parent:
            return ()
        if row.kind == "variables":
            return tuple(each for group in row.document.get("put", ()) for each in group["names"])
        put = row.document.get("put", {})
        return tuple(put)
    return ()
