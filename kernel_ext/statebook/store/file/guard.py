"""A fold that a crash may tear: what it writes over is copied beside the file first, and put back when it must be.

DuckDB folds its log into new blocks, syncs, and then makes them live with one header. But it also adds to *metadata*
blocks that the live header refers to (`MetadataManager::Flush`), and one checksum covers such a block: torn, it makes
the whole file unreadable, although the log is still there. So before a fold the header pages and the metadata blocks
are copied into ``NAME.fold`` (a double-write), which is gone when the fold is done.

A file whose live header is the copied one has not been folded: its blocks are put back, and opening it plays the log
again. A file with a newer sound header has been folded, and is left as it is. Both hold at any moment of both, so that
mending may itself be cut off and begun again.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .pages import HEAD, PAGE, Head, sound
from .syncing import sync

_MAGIC = b"statebook fold 1"
_COUNT = struct.Struct("<Q")
_PART = struct.Struct("<QQ")  # place in the file, bytes


def beside(path: Path) -> Path:
    """Where the copies lie while a file is folded."""
    return path.with_name(f"{path.name}.fold")


@dataclass(frozen=True, slots=True)
class Copies:
    """Parts of a file as they were before its fold: the head, and (place, bytes) of blocks."""

    head: Head
    blocks: tuple[tuple[int, bytes], ...]

    def packed(self) -> bytes:
        """As bytes that end with their digest."""
        parts = [(0, self.head.main + self.head.slots[0] + self.head.slots[1]), *self.blocks]
        body = b"".join(
            [_MAGIC, _COUNT.pack(len(parts)), *(_PART.pack(place, len(data)) + data for place, data in parts)]
        )
        return body + hashlib.sha256(body).digest()

    @classmethod
    def unpacked(cls, raw: bytes) -> Copies | None:
        """None when the bytes are torn."""
        body, digest = raw[:-32], raw[-32:]
        if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
            return None
        try:
            (_, head), *blocks = _parts(body)
        except (struct.error, ValueError):
            return None  # whole, but not written by us
        return cls(Head(head[:PAGE], (head[PAGE : 2 * PAGE], head[2 * PAGE :])), tuple(blocks))

    @classmethod
    def of(cls, file: BinaryIO, blocks: Iterable[int]) -> Copies | None:
        """Of an open file; None when it is not of the form that `pages` knows, so that nothing can be promised."""
        head = Head.of(file)
        if head is None or not head.sound:
            return None
        size, kept = head.block_size, []
        for block in sorted(set(blocks)):
            if 0 <= block < head.blocks:
                file.seek(HEAD + block * size)
                kept.append((HEAD + block * size, file.read(size)))
        return cls(head, tuple(kept))


def _parts(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_MAGIC) + _COUNT.size
    for _ in range(*_COUNT.unpack_from(body, len(_MAGIC))):
        place, length = _PART.unpack_from(body, at)
        at += _PART.size
        yield place, body[at : at + length]
        at += length


class Guard:
    """Copies for one open file. Not for threads: the caller holds the lock of the connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def raise_over(self, blocks: Iterable[int]) -> None:
        """Copy the head and these blocks, and sync the copies. OSError when they can't be written."""
        file = self.handle()
        copies = Copies.of(file, blocks) if file else None
        if copies is None:
            return
        try:
            with beside(self._path).open("wb") as target:
                target.write(copies.packed())
                target.flush()
                sync(target.fileno())
        except OSError:
            self.lower()
            raise

    def follow(self, path: Path) -> None:
        """The file was moved while it was open: its copies lie beside it there."""
        self._path = path

    def lower(self) -> None:
        """The fold is done and synced, or was not begun: the copies are superfluous, and ignored where they stay."""
        with suppress(OSError):
            beside(self._path).unlink(missing_ok=True)

    def handle(self) -> BinaryIO | None:
        """The file, for reading; None on systems where nobody may read what another holds (Windows).

        It stays open as long as DuckDB has it: a process that closes a file loses its POSIX locks on it (fcntl(2)), and
        with them DuckDB's protection against a second writer.
        """
        if self._file is None and sys.platform != "win32":
            with suppress(FileNotFoundError):  # removed under us: what is folded will be gone too
                self._file = self._path.open("rb", buffering=0)
        return self._file

    def close(self) -> None:
        """Let go of the file, after DuckDB did."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def cut_off(path: Path) -> bool:
    """Whether a crash left work for `mend`."""
    return beside(path).exists()


def mend(path: Path) -> None:
    """Before DuckDB opens a file: bring it to a state that DuckDB can read. Only for those who may write it.

    Nothing happens while another process holds the file. Raises OSError.
    """
    copied = beside(path)
    if copied.exists():
        copies = Copies.unpacked(copied.read_bytes())
        if copies is None or not path.exists():
            copied.unlink()  # torn: its fold never began
        elif _put_back(path, copies):
            copied.unlink()


def _put_back(path: Path, copies: Copies) -> bool:
    """Undo a fold that did not end; False when another process holds the file, which may be in the middle of one."""
    with path.open("r+b") as file:
        if not locked(file):
            return False
        found = Head.of(file)
        if found is None:
            return True  # not the file that was copied
        live, other = copies.head.live, 1 - copies.head.live
        same = found.main == copies.head.main and found.slots[live] == copies.head.slots[live]
        torn = not sound(found.slots[other])
        if same and (torn or found.slots[other] == copies.head.slots[other]):
            for place, data in copies.blocks:
                file.seek(place)
                file.write(data)
            file.seek(PAGE * (1 + other))
            file.write(copies.head.slots[other])
        file.flush()
        # Also where the new header is live: it may have been read from memory and not be on the disk, and opening the
        # file removes the log.
        sync(file.fileno())
        return True


def locked(file: BinaryIO) -> bool:
    """Take the lock that DuckDB takes, until the file is closed; False when another process has it."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
