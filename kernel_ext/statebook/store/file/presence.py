"""Whether the file that a connection has open is still what its name leads to, so that no commit goes into nowhere.

An open file lives on after it was removed, replaced (a sync client, ``git checkout``) or its folder renamed, and takes
every write without an error; a kill would then lose what was acknowledged. So each commit is held against a look at
the name: device, inode, size and time of change, a few microseconds. Where these differ it is found out why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from statebook.errors import StoreGone

from .pages import HEAD

_KEPT = "This kernel still holds the whole session: `%agent rescue` writes it back."


class Presence:
    """Watches one file and its log for the connection that has them open. Not for threads: the caller holds its lock.

    On Windows nothing is watched: there an open file can't be removed or replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name, self._log = str(path), f"{path}.wal"
        self._file: BinaryIO | None = None
        self._known: tuple[int, ...] = ()
        self._head = b""
        self._log_inode = self._log_size = 0

    def note(self, file: BinaryIO | None) -> None:
        """Take the file as it is now for the right one: it was just opened, or folded into by us."""
        self._file = file
        if file is not None:
            self._known = _look(os.fstat(file.fileno()))
            self._head = os.pread(file.fileno(), HEAD, 0)
            self._log_inode = self._log_size = 0

    def check(self) -> None:
        """Raise StoreGone where a commit would not be found again under the file's name. OSError: it can't be told."""
        if self._file is None:
            return
        try:
            found = os.stat(self._name)  # noqa: PTH116 - asked around each commit: a Path costs more than the call
        except (FileNotFoundError, NotADirectoryError):
            raise self._gone() from None
        if _look(found) != self._known:
            self._compare(self._file, found)

    def log_lost(self, size: int, inode: int) -> bool:
        """Whether the log, of which this was seen after a commit, is another or shorter than after the one before.

        What was in it is then in DuckDB's memory only.
        """
        if self._file is None:
            return False
        lost = size < max(self._log_size, 1) or (self._log_inode not in (0, inode))
        self._log_size, self._log_inode = size, inode
        return lost

    def log_is_ours(self, inode: int) -> bool:
        """Whether the log of this inode is the one that our last commit went to."""
        return inode != 0 and inode == self._log_inode

    def _compare(self, file: BinaryIO, found: os.stat_result) -> None:
        held = os.fstat(file.fileno())
        if (held.st_dev, held.st_ino) != (found.st_dev, found.st_ino):
            raise StoreGone(f"{self._path.name} was replaced by another file while this kernel had it open.", _REPLACED)
        if os.pread(file.fileno(), HEAD, 0) != self._head or found.st_size < self._known[2]:
            raise StoreGone(f"{self._path.name} was written over while this kernel had it open.", _WRITTEN_OVER)
        self._known = _look(held)  # touched, or grown by a big commit: the same file

    def _gone(self) -> StoreGone:
        now = self.whereabouts()
        if now is not None:
            return StoreGone(
                f"{self._path.name} was moved to {now} while this kernel had it open.",
                f'Go on with it there: `%agent open "{now}"`, or move it back.',
            )
        if not self._path.parent.is_dir():
            return StoreGone(
                f"The folder of {self._path.name} was removed while this kernel had it open.",
                "This kernel still holds the whole session: `%agent rescue PATH` writes it to another place.",
            )
        return StoreGone(f"{self._path.name} was removed while this kernel had it open.", _KEPT)

    def whereabouts(self) -> Path | None:
        """Where the open file is now, when it was moved; None when it is in no folder any more, or can't be told."""
        if self._file is None or os.fstat(self._file.fileno()).st_nlink == 0:
            return None
        if sys.platform == "darwin":
            import fcntl

            found = fcntl.fcntl(self._file, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0").decode(errors="surrogateescape")
        else:
            try:
                found = os.readlink(f"/proc/self/fd/{self._file.fileno()}")  # noqa: PTH115 - a Path would resolve it
            except OSError:
                return None
        place = Path(found)
        return place if place.exists() and os.path.samestat(place.stat(), os.fstat(self._file.fileno())) else None


_BESIDE = "keeps the other file under another name; to go on with the other file instead, restart the kernel."
_REPLACED = f"{_KEPT[:-1]} and {_BESIDE}"
_WRITTEN_OVER = f"`%agent rescue` writes back what this kernel still holds and {_BESIDE}"


def _look(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
