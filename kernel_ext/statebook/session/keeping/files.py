"""The workspace's files as one session keeps them: looked at around what may change them, and kept as rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import FileChange
from statebook.protocol.messages import ToolCall
from statebook.state.files import FilesBudget, FilesManifest, Mover, WorkspaceFiles, changes
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store

from .rows import Rows
from .seal import Seal

_WRITERS = frozenset({"write_file", "edit_file"})
"""Tools that change the one file that they name, and no other."""


class Files:
    """The files below the notebook's folder and the snapshots of them in one store."""

    def __init__(self, store: Store, seal: Seal, root: Path, seconds: Callable[[], float | None]) -> None:
        """``seconds`` gives how long one look may take; None: as long as it is wont to."""
        self._store = store
        self._root = root
        self._seconds = seconds
        self._rows: Rows[FilesManifest] = Rows(store, "files", seal, FilesManifest.__eq__)
        self._workspace: WorkspaceFiles | None = None
        self._at = FilesManifest()
        self.chunks = store.chunks
        self.mover = Mover(root, store.chunks, store.session_id)

    @property
    def new_bytes(self) -> int:
        """Bytes put into chunks so far."""
        return self._workspace.new_bytes if self._workspace else 0

    def begin(self) -> FilesManifest:
        """Look at all files: what differs from now on has been changed by what comes then."""
        self._at = self._looking().capture()
        return self._at

    def after(self, calls: Sequence[ToolCall]) -> tuple[FilesManifest, tuple[FileChange, ...]]:
        """Look at the files after some calls: what there is, and what changed since the last look."""
        before = self._at
        self._at, _ = self._looking().after(_written(calls))
        return self._at, changes(before, self._at)

    def row(self, manifest: FilesManifest, new_bytes: int) -> tuple[str, SnapshotRow | None]:
        """The name of a manifest's row, and the row itself where it is not on disk yet."""
        return self._rows.row(manifest, new_bytes)

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

    def now(self) -> FilesManifest:
        """What there is now; all of it that can be kept is in `chunks`."""
        return self._looking().capture()

    def _looking(self) -> WorkspaceFiles:
        if self._workspace is None:
            name = SnapshotsAt(self._store).head(part="files")
            last = self.manifest(name) if name else None
            budget = FilesBudget()
            budget = replace(budget, seconds=self._seconds() or budget.seconds)
            self._workspace = WorkspaceFiles(self._root, self._store.chunks, budget=budget, last=last)
        return self._workspace


def _written(calls: Iterable[ToolCall]) -> list[str] | None:
    """The files that these calls may have changed; None: any."""
    paths = []
    for call in calls:
        if call.name not in _WRITERS:
            return None
        try:
            path = json.loads(call.arguments)["path"]
        except (ValueError, KeyError, TypeError):
            continue  # it can't have written anything
        paths.append(str(path))
    return paths
