"""The workspace's files over time: captures what changed since the last look."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from statebook.state.snapshots.seams import Chunks

from .manifest import FilesManifest, FileState
from .places import Place, why_refused
from .reading import Unsteady, put, read_steadily, same_status
from .walking import FilesBudget, Walked, kind_of, sort_in, unkept, walk

_TICK = 100_000_000
"""Nanoseconds within which two changes of a file may bear the same time."""
_COARSE_TICK = 2_000_000_000
"""The same, where times are whole seconds (FAT has every other one)."""
_SECOND = 1_000_000_000
_DEFAULT = FilesBudget()


class _Known(NamedTuple):
    status: os.stat_result
    state: FileState
    settled: bool
    """Whether a change after this look is sure to show in the status (git calls the others racily clean)."""


class WorkspaceFiles:
    """Captures the files below ``root``. May be called from any thread; calls wait for each other.

    Changes through a memory map (``numpy.memmap``) show only once the system has updated the file's time, as with
    git. What a person or another program changes while a tool runs can't be told from what the tool changes.
    """

    def __init__(
        self, root: Path, chunks: Chunks, *, budget: FilesBudget = _DEFAULT, last: FilesManifest | None = None
    ) -> None:
        """``last`` is the newest manifest that was kept: what it names is looked at though ignored, as with git."""
        self._place = Place(root)
        self._chunks = chunks
        self._budget = budget
        self._known: dict[str, _Known] = {}
        self._last = last or FilesManifest()
        self._looked = False
        self._lock = threading.Lock()
        self.new_bytes = 0
        """Bytes put into chunks so far."""

    def capture(
        self, only: Iterable[str] | None = None, *, also: Iterable[str] = (), budget: FilesBudget | None = None
    ) -> FilesManifest:
        """Capture the files as they are now.

        ``only`` are the paths that may have changed: the others are taken as they were at the last look, the first of
        which is at all of them. ``also`` are looked at though an ignore rule leaves them out. Without a ``budget``,
        that of all looks holds.
        """
        with self._lock:
            return self._capture(only, also, budget or self._budget)

    def _capture(self, only: Iterable[str] | None, also: Iterable[str], budget: FilesBudget) -> FilesManifest:
        deadline = budget.deadline
        if only is not None and self._looked:
            found = self._some([*only, *also])
        else:
            found = walk(self._place, budget)
            named = {*self._last.files, *self._last.absent, *self._inside(set(also) - found.regular.keys())}
            for path in named - found.regular.keys() - found.unkept.keys():
                self._look(found, path)
        self._looked = True
        files = dict(found.unkept)
        due = []
        for path, status in found.regular.items():
            known = self._known.get(path)
            if known and known.settled and same_status(known.status, status) and self._is_kept(known.state):
                files[path] = known.state
            else:
                due.append((status.st_size, path))
        self._take(sorted(due), found, files, budget, deadline)
        self._known = {path: known for path, known in self._known.items() if path in files}
        seen = FilesManifest(
            dict(sorted(files.items())), frozenset(found.folders), found.left_out, frozenset(found.ignored)
        )
        self._last = replace(seen, absent=frozenset(filter(seen.is_ignored, found.absent)))
        return self._last

    def _some(self, only: Iterable[str]) -> Walked:
        """The last look, with these paths looked at again."""
        last = self._last
        found = Walked(folders=set(last.folders), left_out=dict(last.left_out), ignored=set(last.ignored))
        again = self._inside(only) | last.absent
        for path, state in last.files.items():
            if path not in again and self._is_kept(state):
                found.unkept[path] = state
            else:
                again.add(path)
        for path in again:
            self._look(found, path)
        return found

    def _inside(self, paths: Iterable[str]) -> set[str]:
        """Paths as tools name them -> relative ones; without those that lie outside."""
        return {relative for path in paths if (relative := self._place.relative(path)) is not None}

    def _look(self, found: Walked, path: str) -> None:
        """Look at one path, though an ignore rule or the budget left it out."""
        if why_refused(path):
            return
        status = self._place.status(path)
        if status is None or stat.S_ISDIR(status.st_mode):
            found.absent.add(path)
            return
        sort_in(found, path, kind_of(path.rpartition("/")[2]), status)
        parts = path.split("/")[:-1]
        found.folders |= {"/".join(parts[: count + 1]) for count in range(len(parts))}

    def _is_kept(self, state: FileState) -> bool:
        """A chunk may have been dropped since, where no checkpoint came to name it."""
        for digest, _ in state.pieces:  # noqa: SIM110 - a generator for each of thousands of files costs more than the look
            if not self._chunks.has(digest):
                return False
        return True

    def _take(
        self,
        due: list[tuple[int, str]],
        found: Walked,
        files: dict[str, FileState],
        budget: FilesBudget,
        deadline: float,
    ) -> None:
        """Read what is new or changed, smaller files first, as far as the budget goes."""
        total, before = sum(state.size for state in files.values() if not state.why), self.new_bytes
        for size, path in due:
            status = found.regular[path]
            if size > budget.file_bytes:
                files[path] = unkept(status, f"has more than {budget.file_bytes:,} bytes, so it is not kept")
            elif total + size > budget.bytes:
                files[path] = unkept(status, f"is not kept: the files together have more than {budget.bytes:,} bytes")
            elif budget.new_bytes is not None and self.new_bytes - before + size > budget.new_bytes:
                files[path] = unkept(status, f"is not kept: there is room for {budget.new_bytes:,} new bytes")
            elif time.monotonic() > deadline:
                files[path] = unkept(status, f"was not read: {budget.seconds:g} seconds had passed")
            else:
                self._read(path, status, files)
                total += size

    def _read(self, path: str, status: os.stat_result, files: dict[str, FileState]) -> None:
        now = time.time_ns()
        try:
            data, status = read_steadily(self._place, path, self._budget.file_bytes)
        except FileNotFoundError:
            return
        except Unsteady as error:
            files[path] = unkept(status, str(error))
            return
        before = self._last.files.get(path)
        known = self._known.get(path)
        pieces = known.state.pieces if known else before.pieces if before else ()
        digest, pieces, new = put(data, pieces, self._chunks)
        self.new_bytes += new
        state = FileState(status.st_mode & 0o777, status.st_size, status.st_mtime_ns, digest, pieces)
        files[path] = known.state if known and known.state == state else state
        self._known[path] = _Known(status, files[path], _is_settled(status, now))


def _is_settled(status: os.stat_result, now: int) -> bool:
    """Whether all changes up to ``now`` (ns, before it was read) bear another time than later ones will."""
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    coarse = status.st_mtime_ns % _SECOND == 0 and status.st_ctime_ns % _SECOND == 0
    return newest + (_COARSE_TICK if coarse else _TICK) < now
