"""The pack files themselves: one is appended to, all are read; nothing that was synced is ever written over.

A pack has a random name, so that packs of two stores that come to lie in one folder (a copy, a restored backup) are
never taken for each other. Bytes at a pack's end that no row names (of a kernel that died) are skipped: the next kernel
appends behind them.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from statebook.ids import new_session_id
from statebook.store.file.syncing import sync, sync_folder

PACK = 256 * 2**20
"""Bytes from which on a pack gets no more chunks."""

_OPEN = 16
"""Packs that are kept open for reading."""

_NAME = re.compile(r"[0-9a-f]{16}")
_END = ".pack"


class Packs:
    """The packs in one folder. Appending is for one thread at a time; reading and removing for any."""

    def __init__(self, folder: Path, limit: int = PACK) -> None:
        self.folder = folder
        self._limit = limit
        self._handle = -1
        self._name = ""
        self._end = self._synced = 0
        self._dirty = self._unnamed = False
        self._readers: dict[str, BinaryIO] = {}
        self._reading = threading.Lock()

    def path(self, name: str) -> Path:
        """Where a pack lies. ValueError for a name that none can have: a store may come from anywhere."""
        if not _NAME.fullmatch(name):
            raise ValueError(name)
        return self.folder / f"{name}{_END}"

    def sizes(self) -> dict[str, int]:
        """Bytes of each pack that is there. A link is none: it may lead to any file."""
        try:
            with os.scandir(self.folder) as found:
                files = [(each.name.removesuffix(_END), each) for each in found if each.name.endswith(_END)]
                sound = [(name, each) for name, each in files if _NAME.fullmatch(name) and _is_file(each)]
                return {name: each.stat(follow_symlinks=False).st_size for name, each in sound}
        except FileNotFoundError:
            return {}

    # -- appending -------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the next chunk is to go into another pack; `sync` this one first."""
        return self._end >= self._limit

    def begin_with(self, name: str) -> None:
        """Append to this pack at first, unless it is full or gone; too late once anything was appended."""
        self._name = self._name or name

    def append(self, data: bytes) -> tuple[str, int]:
        """Write behind everything else; the pack's name and the place of the first byte. OSError when it can't be."""
        if self.full:
            self.let_go()
            self._name = ""
        if self._handle < 0:
            self._open()
        self._dirty = True
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        self._end = os.lseek(self._handle, 0, os.SEEK_CUR)  # the system knows: it put the bytes at the end
        return self._name, self._end - len(data)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | _CAREFUL
        if self._name:
            with suppress(FileNotFoundError):
                self._handle = os.open(self.path(self._name), flags)
                self._end = self._synced = os.lseek(self._handle, 0, os.SEEK_END)
                if not self.full and _is_ours(self._handle):
                    return
                self.let_go()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name = new_session_id()[:16]
        self._unnamed = True
        self._handle = os.open(self.path(self._name), flags | os.O_CREAT | os.O_EXCL, 0o644)
        self._end = self._synced = 0

    def sync(self) -> None:
        """All that was appended is on disk under its name when this returns. OSError when it is not known to be."""
        if not self._dirty:
            return
        sync(self._handle)
        if not os.path.samestat(os.fstat(self._handle), self.path(self._name).lstat()):
            raise FileNotFoundError(f"{self._name}{_END} was replaced while it was written")
        if self._unnamed:
            for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
                sync_folder(folder)
            self._unnamed = False
        self._dirty, self._synced = False, self._end

    def give_up(self) -> None:
        """After an error: what was appended since the last sync is taken away; on a full disk it is in the way."""
        if self._handle >= 0:
            with suppress(OSError):
                os.ftruncate(self._handle, self._synced)
        self.let_go()

    def let_go(self) -> None:
        """Close the pack that is appended to. What was not synced is not known to be on disk."""
        handle, self._handle, self._end, self._synced, self._dirty = self._handle, -1, 0, 0, False
        if handle >= 0:
            with suppress(OSError):
                os.close(handle)

    # -- reading and removing --------------------------------------------------------------------------------------

    def read(self, name: str, place: int, target: memoryview | bytearray) -> None:
        """Fill ``target`` from a place in a pack. OSError when that can't be read, EOFError when it ends before."""
        with self._reading:
            file = self._readers.get(name)
            if file is None:
                if len(self._readers) >= _OPEN:
                    self._readers.pop(next(iter(self._readers))).close()
                handle = os.open(self.path(name), os.O_RDONLY | _CAREFUL)
                file = self._readers[name] = os.fdopen(handle, "rb", buffering=0)
            file.seek(place)
            rest = memoryview(target)
            while rest:
                got = file.readinto(rest)  # type: ignore[attr-defined]  # an unbuffered file has it
                if not got:
                    raise EOFError(name)
                rest = rest[got:]

    def adopt(self, file: Path) -> None:
        """Copy a pack from another folder, under its name once it is whole and synced. OSError when that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{file.name}.{os.getpid()}.part"
        try:
            shutil.copyfile(file, part)
            with part.open("r+b") as copy:
                sync(copy.fileno())
            part.replace(self.folder / file.name)
        finally:
            part.unlink(missing_ok=True)
        for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
            sync_folder(folder)

    def remove(self, names: Iterable[str]) -> None:
        """Remove packs that no row names any more."""
        self.close_readers()
        for name in names:
            self.path(name).unlink(missing_ok=True)
        if self.folder.is_dir():
            sync_folder(self.folder)

    def close_readers(self) -> None:
        """Close what is open for reading; it is opened again when it is read."""
        with self._reading:
            while self._readers:
                self._readers.popitem()[1].close()


_CAREFUL = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"))
"""A store may come from anywhere: none of its packs is followed to another file, and none waited for."""


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _is_ours(handle: int) -> bool:
    """Whether what is written goes into this file under this name only: a backup of hard links must not change."""
    status = os.fstat(handle)
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
