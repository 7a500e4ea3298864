"""The workspace's files as one session keeps them: looked at around what may change them, and kept as rows.

A look costs time that grows with the folder, so there is none where nothing may have changed files: a run that only
talks, reads or remembers needs none. The first look of a run is at all files, as nobody knows what happened before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import FileChange, Reason
from statebook.protocol.messages import ToolCall
from statebook.state.files import FilesBudget, FilesManifest, Mover, WorkspaceFiles, changes
from statebook.state.snapshots import SnapshotBudget
from statebook.store.reading.files import FilesAt
from statebook.store.store import Store

from .rows import Rows
from .seal import Seal

ASKED: tuple[Reason, ...] = ("person", "left", "moved")
"""Reasons for which a look may take as long as it takes: a person waits for it, and wants all of it."""
_WRITERS = frozenset({"write_file", "edit_file"})
"""Tools that change the one file that they name, and no other."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a checkpoint keeps of files: the name of their snapshot ("" for none), and its row where that is new.

    ``changed`` are the files that calls changed; ``manifest`` is what was found, None where nobody looked.
    """

    name: str = ""
    row: SnapshotRow | None = None
    changed: tuple[FileChange, ...] = ()
    manifest: FilesManifest | None = None


class Files:
    """The files below the notebook's folder and the snapshots of them in one store."""

    def __init__(self, store: Store, seal: Seal, root: Path, room: Callable[[], SnapshotBudget]) -> None:
        """``room`` is what a look may cost that a person waits for."""
        self._store = store
        self._root = root
        self._room = room
        self._rows: Rows[FilesManifest] = Rows(store, "files", seal, FilesManifest.__eq__)
        self._workspace: WorkspaceFiles | None = None
        self._due: list[ToolCall] = []
        """Calls that ended since the last look."""
        self._at: FilesManifest | None = None
        """The last look of this run; None before the first."""
        self._next: FilesManifest | None = None
        self.chunks = store.chunks
        self.mover = Mover(root, store.chunks, store.session_id)

    # -- around a run --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A run begins, or has ended: what happens to the files now is nobody's business here."""
        self._due, self._at, self._next = [], None, None

    def go_on(self, run: int, branch: int, doubtful: Sequence[ToolCall]) -> None:
        """A run goes on whose calls a dead kernel left in doubt: what differs since the last look is taken for theirs.

        Raises StoreError subclasses.
        """
        self.begin()
        name = FilesAt(self._store).before_doubt(run, branch) if doubtful else ""
        if name:
            self._at, self._due = self.manifest(name), list(doubtful)

    def ended(self, calls: Iterable[ToolCall]) -> None:
        """These calls may have changed files."""
        self._due += calls

    @property
    def due(self) -> bool:
        """Whether calls may have changed files since the last look."""
        return bool(self._due)

    def look(self, reason: Reason, ahead: Sequence[ToolCall], budget: SnapshotBudget) -> Look:
        """What a checkpoint keeps of the files; `accept` it once it is whole. ``ahead`` are calls about to be made.

        Raises StoreError subclasses.
        """
        self._next = None
        whole = reason in ASKED or self._at is None
        if self._at is not None and self._due:
            only = None if whole or reason == "before_step" else _written(self._due)
        elif whole and reason not in (*ASKED, "before_step"):
            return Look()
        elif reason in (*ASKED, "before_step"):
            only = None if whole else _written(ahead)
        else:
            return Look(self.newest())
        costs = FilesBudget(new_bytes=budget.size, seconds=budget.seconds)
        workspace = self._looking()
        before = workspace.new_bytes
        self._next = workspace.capture(only, also=_named([*self._due, *ahead]), budget=costs)
        changed = changes(self._at, self._next) if self._at is not None and self._due else ()
        name, row = self._rows.row(self._next, workspace.new_bytes - before)
        return Look(name, row, changed, self._next)

    def accept(self) -> None:
        """The last look is the one that the next is compared with."""
        if self._next is not None:
            self._due, self._at, self._next = [], self._next, None

    # -- what is kept --------------------------------------------------------------------------------------------

    def newest(self) -> str:
        """The name of the row that was kept last by this kernel; "" for none."""
        base = self._rows.base()
        return base.name if base else ""

    def forget(self) -> None:
        """Look at all files anew the next time."""
        self._workspace = None
        self._rows.go_on_from(None)

    def manifest(self, name: str) -> FilesManifest:
        """What a snapshot holds. Raises StoreDamaged, and StoreError when a vacuum let go of it."""
        return FilesManifest.of(row.document for row in self._store.snapshots.chain(name))

    def now(self, also: Iterable[str] = ()) -> FilesManifest:
        """What there is now, ``also`` at paths that are ignored; all of it that can be kept is in `chunks`."""
        room = self._room()
        budget = FilesBudget(new_bytes=room.size, seconds=room.seconds)
        return self._looking().capture(also=also, budget=budget)

    def _looking(self) -> WorkspaceFiles:
        if self._workspace is None:
            name = FilesAt(self._store).newest()
            last = self.manifest(name) if name and self._store.snapshots.kept(name) else None
            self._workspace = WorkspaceFiles(self._root, self._store.chunks, last=last)
        return self._workspace


def _written(calls: Iterable[ToolCall]) -> list[str] | None:
    """The files that these calls may change; None: any."""
    calls = list(calls)
    return _named(calls) if all(call.name in _WRITERS for call in calls) else None


def _named(calls: Iterable[ToolCall]) -> list[str]:
    """The files that these calls name to be written."""
    paths = []
    for call in calls:
        try:
            path = json.loads(call.arguments)["path"] if call.name in _WRITERS else None
        except (ValueError, KeyError, TypeError):
            continue  # it can't write anything
        if isinstance(path, str):
            paths.append(path)
    return paths
