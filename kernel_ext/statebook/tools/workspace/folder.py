"""Opening and replacing files inside one folder, so that neither ``..``, nor links, nor a swap in between leaves it."""

from __future__ import annotations

import difflib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from statebook.errors import ToolError
from statebook.protected import why_protected

from .text import shown

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for its writer
_BINARY = getattr(os, "O_BINARY", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_RELATIVE = os.open in os.supports_dir_fd


class Folder:
    """A root folder and the only ways to a file in it.

    A path is resolved first (links inside the folder are welcome); the result must lie inside, and is then opened
    one component at a time, each relative to the one before and none of them a link. What is swapped for a link
    after the check is refused by the operating system (openat with O_NOFOLLOW); where that is missing, the folder is
    checked again at the time of opening.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def locate(self, path: str) -> PurePath:
        """A path as typed -> relative to the root with links resolved. Raises ToolError where it may not be opened."""
        if not path.strip() or "\0" in path:
            raise ToolError(
                f"{shown(path)!r} is not a path.", "Give a path inside the workspace; list_files shows them."
            )
        try:
            target = (self.root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise ToolError(f"{shown(path)!r} can't be followed: {_reason(error)}.") from None
        if not target.is_relative_to(self.root):
            raise ToolError(f"{shown(path)!r} is outside the workspace.", "Only files inside it can be used.")
        typed = PurePath(os.path.normpath(path))
        relative = target.relative_to(self.root)
        why = why_protected(relative) or (not typed.is_absolute() and why_protected(typed))
        if why:
            raise ToolError(f"{shown(path)!r} {why}.", "It is not opened by tools.")
        return relative

    def read(self, path: str, limit: int) -> tuple[bytes, int]:
        """The first ``limit`` bytes of a file and its whole size in bytes."""
        relative = self.locate(path)
        with self._errors(path), self._parent(relative) as (prefix, folder):
            if relative == PurePath():
                raise IsADirectoryError
            descriptor = os.open(prefix + relative.name, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _BINARY, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if stat.S_ISDIR(status.st_mode):
                    raise IsADirectoryError
                if not stat.S_ISREG(status.st_mode):
                    raise ToolError(f"{shown(path)!r} is not a regular file.")
                return file.read(limit), status.st_size

    def replace(self, path: str, data: bytes) -> bool:
        """Write a whole file at once, with the folders it needs; True where it was there before.

        A reader sees the old bytes or the new ones, never a part: they go to a new file that takes the name. They
        are on disk under that name when this returns.
        """
        relative = self.locate(path)
        with self._errors(path), self._parent(relative, create=True) as (prefix, folder):
            if relative == PurePath():
                raise IsADirectoryError
            name = prefix + relative.name
            mode = _mode_of(name, folder)
            draft = f"{prefix}.{relative.name[:100]}.{secrets.token_hex(4)}.part"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
            descriptor = os.open(draft, flags, 0o666, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    if mode is not None and hasattr(os, "fchmod"):
                        os.fchmod(descriptor, stat.S_IMODE(mode))
                    os.fsync(descriptor)
                os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
                if folder is not None:
                    os.fsync(folder)  # until then a power cut may bring the old file back
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=folder)
                raise
            return mode is not None

    @contextmanager
    def _parent(self, relative: PurePath, *, create: bool = False) -> Iterator[tuple[str, int | None]]:
        """Where the file's folder is: a descriptor of it, or, without openat, the beginning of the path."""
        if not _RELATIVE:
            folder = self.root.joinpath(*relative.parts[:-1])
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            if folder.resolve() != folder:
                raise ToolError(f"{shown(str(relative))!r} is outside the workspace.")
            yield f"{folder}{os.sep}", None
            return
        descriptor = os.open(self.root, os.O_RDONLY | _DIRECTORY)
        try:
            for part in relative.parts[:-1]:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                        os.fsync(descriptor)
                inner = os.open(part, os.O_RDONLY | _DIRECTORY | _NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield "", descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """The operating system's refusals as one clear line."""
        try:
            yield
        except FileNotFoundError:
            raise ToolError(f"There is no file {shown(path)!r} in the workspace.", self._nearest(path)) from None
        except IsADirectoryError:
            raise ToolError(f"{shown(path)!r} is a folder.", "list_files shows what is in it.") from None
        except OSError as error:
            raise ToolError(f"{shown(path)!r} can't be opened: {_reason(error)}.") from None

    def _nearest(self, path: str) -> str:
        folder = (self.root / path).parent
        try:
            names = (
                sorted(entry.name for entry in folder.iterdir())[:1000]
                if folder.resolve().is_relative_to(self.root)
                else []
            )
        except OSError:
            names = []
        near = difflib.get_close_matches(PurePath(path).name, names, n=1)
        near = [name for name in near if not why_protected(PurePath(name))]
        if not near:
            return "list_files shows what is there."
        return f"Did you mean {shown((PurePath(path).parent / near[0]).as_posix())!r}?"


def _mode_of(name: str, folder: int | None) -> int | None:
    """The mode of the file that is about to be replaced; None where there is none. Folders raise."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    return status.st_mode


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", "") or str(error)).lower()
