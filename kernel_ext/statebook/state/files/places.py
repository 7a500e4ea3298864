"""Opens what lies below the workspace's root without leaving it: no ``..``, no links, no swap in between."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from statebook.protected import SECRET_FILES, SECRET_FOLDERS

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for its writer
BINARY = getattr(os, "O_BINARY", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_RELATIVE = os.open in os.supports_dir_fd

NEVER = re.compile(
    r"\.git|\.ipynb_checkpoints|__pycache__|node_modules|.*\.ipynb|.*\.statebook\..*", re.DOTALL | re.IGNORECASE
)
"""Names that are never looked at: generated ones, our own, and notebooks, which the browser holds: putting one back
under it would lose edits."""
SECRET = re.compile("|".join(map(translate, SECRET_FILES)), re.IGNORECASE)
"""Names of files whose content is never kept."""
_FOREIGN = re.compile(r"[\\:\0]" if os.name == "nt" else r"\0")


@dataclass(frozen=True, slots=True)
class Handle:
    """An open folder: give ``at(name)`` and ``dir_fd=fd`` to the functions of `os`."""

    prefix: str
    fd: int | None

    def at(self, name: str) -> str:
        """What names an entry of the folder."""
        return self.prefix + name

    def status(self, name: str) -> os.stat_result | None:
        """What lies there, a link as itself; None where nothing does."""
        try:
            return os.stat(self.at(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """All entries, as they are spelled."""
        return os.listdir(self.prefix if self.fd is None else self.fd)  # noqa: PTH208 - of a descriptor, where there is one

    def sync(self) -> None:
        """Bring the folder's entries to disk, where the system can."""
        if self.fd is not None:
            with suppress(OSError):  # not every file system can
                os.fsync(self.fd)


class Place:
    """The root folder of a workspace. Paths are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.ignores_case = _ignores_case(self.root)

    @contextmanager
    def folder(self, path: str, *, create: bool = False) -> Iterator[Handle]:
        """The folder ``path`` ("" for the root), opened one component at a time, none of them a link.

        Raises FileNotFoundError, or NotADirectoryError where a component is a link or no folder.
        """
        parts = path.split("/") if path else []
        if not _RELATIVE:
            yield self._checked(parts, create=create)
            return
        descriptor = os.open(self.root, os.O_RDONLY | _DIRECTORY)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                inner = _inner(part, descriptor)
                os.close(descriptor)
                descriptor = inner
            yield Handle("", descriptor)
        finally:
            os.close(descriptor)

    def _checked(self, parts: list[str], *, create: bool) -> Handle:
        """Where folders can't be opened relative to one another: each is looked at instead."""
        folder = self.root
        for part in parts:
            folder /= part
            if create:
                folder.mkdir(exist_ok=True)
            if folder.is_symlink() or folder.resolve() != folder or not folder.is_dir():
                missing = not os.path.lexists(folder)
                raise (FileNotFoundError if missing else NotADirectoryError)(errno.ENOTDIR, "no folder", str(folder))
        return Handle(f"{folder}{os.sep}", None)

    @contextmanager
    def parent(self, path: str, *, create: bool = False) -> Iterator[tuple[Handle, str]]:
        """The folder that holds ``path``, and its name there."""
        folder, _, name = path.rpartition("/")
        with self.folder(folder, create=create) as handle:
            yield handle, name

    def status(self, path: str) -> os.stat_result | None:
        """What lies at ``path``, in this spelling; None where nothing does, or where a folder on the way is none."""
        try:
            with self.parent(path) as (handle, name):
                found = handle.status(name)
                return None if found and self.ignores_case and name not in handle.names() else found
        except (FileNotFoundError, NotADirectoryError):
            return None

    def nearest(self, path: str) -> str:
        """The innermost folder on the way to ``path`` that is there."""
        folder = path.rpartition("/")[0]
        while folder:
            found = self.status(folder)
            if found is not None and stat.S_ISDIR(found.st_mode):
                return folder
            folder = folder.rpartition("/")[0]
        return ""

    def relative(self, path: str | Path) -> str | None:
        """A path as a tool names it -> relative to the root, links resolved; None where it is outside."""
        try:
            inside = (self.root / path).resolve().relative_to(self.root).as_posix()
        except (OSError, ValueError, RuntimeError):
            return None
        return None if why_refused(inside) else inside


def why_refused(path: str) -> str:
    """Why a relative path is never kept and never written, as the end of a sentence; "" where it is not."""
    parts = path.split("/")
    if "" in parts or "." in parts or ".." in parts or _FOREIGN.search(path):
        return "is no path inside the workspace"
    if any(part.casefold() in SECRET_FOLDERS for part in parts):
        return "lies where secrets may be"
    if any(NEVER.fullmatch(part) for part in parts):
        return "is not for checkpoints"
    return ""


def _inner(part: str, descriptor: int) -> int:
    try:
        return os.open(part, os.O_RDONLY | _DIRECTORY | NOFOLLOW, dir_fd=descriptor)
    except OSError as error:
        if error.errno == errno.ELOOP:  # some systems say so of a link, others that it is no folder
            raise NotADirectoryError(errno.ENOTDIR, "a link", part) from None
        raise


def _ignores_case(root: Path) -> bool:
    other = root.with_name(root.name.swapcase()) if root.name else root
    if other == root or other.name == root.name:
        return os.name == "nt"
    with suppress(OSError):
        return other.samefile(root)
    return False
