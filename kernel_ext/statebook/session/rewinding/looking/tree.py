"""The tree of checkpoints: the newest of them with what happened up to each, and the branches that hang on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from statebook.errors import StatebookError, UnknownName
from statebook.protocol.journal.lines import Reason
from statebook.session.session import Session
from statebook.state.files import FilesManifest, changes
from statebook.state.snapshots import Manifest
from statebook.store.reading.checkpoints import Checkpoints, Mark
from statebook.store.reading.files import FilesAt
from statebook.store.reading.runs import Told, told_of
from statebook.store.store import Store

from .compare import changed_names

_INSIDE: tuple[Reason, ...] = ("step", "before_step", "left", "moved", "cell")
"""Reasons that are left out of the short list."""
_SOME = 60
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
    paged: bool = False
    """Whether newer ones are left out."""


def tree(session: Session, limit: int, *, branch: str = "", inside: bool = False, before: int = 0) -> Tree:
    """The newest checkpoints: of all branches, or of one's past; with ``inside`` also those within runs.

    ``before`` is a number that all are below (0: none). UnknownName where there is no such branch.
    """
    store = session.store
    line = store.journal.find_branch(branch) if branch else None
    if branch and line is None:
        raise UnknownName("branch", branch, [each.name for each in store.journal.branches.values()])
    marks = Checkpoints(store)
    without = () if inside else _INSIDE
    found = marks.newest(limit, branch=line.number if line else None, without=without, before=before)
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
    more = marks.count(found[-1].number, without, line.number if line else None) if found else 0
    return Tree(rows, lines, store.journal.current, store.journal.head_checkpoint(), more, before > 0)


def _changed(store: Store, marks: Sequence[Mark]) -> dict[int, tuple[str, ...]]:
    """What each of these checkpoints keeps of variables and files otherwise than the one listed before it."""
    kept = _Kept(store)
    before = _before(store, marks)
    found = {}
    for mark in marks:
        if one := before.get(mark.number):
            names = kept.variables(one.variables, mark.variables)
            found[mark.number] = (*sorted(names), *kept.files(one, mark))
    return found


def _before(store: Store, marks: Sequence[Mark]) -> dict[int, Mark]:
    """For each the next older one of its branch that is listed; else the one that its branch hangs on."""
    starts = {mark.branch: store.journal.branches[mark.branch].checkpoint for mark in marks}
    known = {mark.number: mark for mark in marks}
    known |= Checkpoints(store).these({number for number in starts.values() if number and number not in known})
    below: dict[int, Mark] = {}
    found: dict[int, Mark] = {}
    for mark in reversed(marks):
        one = below.get(mark.branch) or known.get(starts[mark.branch])
        if one is not None:
            found[mark.number] = one
        below[mark.branch] = mark
    return found


class _Kept:
    """Snapshots of one store, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Any] = {}
        self._at = FilesAt(store)

    def variables(self, one: str, other: str) -> set[str]:
        """The names that differ between two snapshots."""
        if one == other or not (one and other):
            return set()
        before, after = self._read(one, Manifest), self._read(other, Manifest)
        return changed_names(before, after) if before and after else set()

    def files(self, one: Mark, other: Mark) -> list[str]:
        """The paths that differ between two checkpoints; none where nobody looked at the later one."""
        then = (one.files or self._at.checkpoint(one.number)) if other.files else ""
        if then in ("", other.files):
            return []
        before, after = self._read(then, FilesManifest), self._read(other.files, FilesManifest)
        return [change.path for change in changes(before, after)] if before and after else []

    def _read(self, name: str, kind: type[Manifest | FilesManifest]) -> Any:
        if name not in self._known:
            self._known[name] = None
            with suppress(StatebookError):  # one that was let go of
                self._known[name] = kind.of(row.document for row in self._store.snapshots.chain(name))
        return self._known[name]
