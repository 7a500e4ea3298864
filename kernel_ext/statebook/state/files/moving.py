"""Puts planned contents into the workspace: staged beside their targets first, then renamed into place.

Up to the commit that decides on the move nothing but staged files is there, and `Mover.sweep` removes them. After it
the move only goes forward: `Mover.roll_forward` may be cut off and called again at any point. Each file is looked at
right before it is changed, and left alone where it is no longer what the plan saw.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from statebook.errors import StoreDamaged, WorkspaceError
from statebook.protocol.journal.lines import FileChange
from statebook.state.snapshots.seams import Chunks, digest_of

from .manifest import FilesManifest, FileState, is_mark, mark_of
from .places import BINARY, NOFOLLOW, NONBLOCK, Handle, Place, why_refused
from .planning import FilesPlan
from .reading import digest_at, fetch

_PART = ".statebook.part"
_TAG = 8
"""Hexadecimal digits of the owner in the name of a staged file."""
_PATH = 32
"""The same of the path: all of its digest, as two files that shared a name would take each other's content."""


@dataclass(frozen=True, slots=True)
class FilesMoved:
    """What a move did: paths that are as they shall be, and (path, why) of those left as they were."""

    done: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Order:
    """One change, and the state it leads to (None: no file)."""

    change: FileChange
    state: FileState | None

    @property
    def path(self) -> str:
        return self.change.path

    @property
    def writes(self) -> bool:
        """Whether there is a content to write, not only permissions to set."""
        return self.state is not None and self.change.before != self.change.after


class Mover:
    """Moves files of one workspace. ``owner`` (the session's id) keeps its staged files apart from other sessions'."""

    def __init__(self, root: Path, chunks: Chunks, owner: str) -> None:
        self._place = Place(root)
        self._chunks = chunks
        self._mine = f".{digest_of(owner.encode())[:_TAG]}"
        self._staged: dict[str, tuple[str, str]] = {}
        """Path -> the folder and the name of its staged content."""

    def stage(self, plan: FilesPlan) -> None:
        """Write and sync all new contents, and sync the old ones: a power cut leaves what the plan saw, or the new.

        Raises WorkspaceError, StoreDamaged; then nothing was changed.
        """
        orders = [_Order(step.change, step.target) for step in plan.doing()]
        try:
            for order in orders:
                self._check(order)
                self._stage(order)
            self._settle(orders)
        except OSError as error:
            self.unstage()
            raise _refusal(order.path, error) from error
        except BaseException:
            self.unstage()
            raise

    def unstage(self) -> None:
        """Remove what is staged: the move was called off."""
        for folder, name in self._staged.values():
            with suppress(OSError), self._place.folder(folder) as handle:
                os.unlink(handle.at(name), dir_fd=handle.fd)
        self._staged.clear()

    def apply(self, plan: FilesPlan) -> FilesMoved:
        """Put what was staged into place. To be called after the commit that decides on the move."""
        return self._move([_Order(step.change, step.target) for step in plan.doing()], plan.folders)

    def roll_forward(self, changes: Iterable[FileChange], target: FilesManifest) -> FilesMoved:
        """Finish a move that was decided on, whatever part of it was done, and remove what it left over.

        ``changes`` are those of its `HeadMoved`, ``target`` the manifest it leads to. A foreign store must not come
        here unasked: check the manifest's signature first.
        """
        orders = []
        refused = []
        for change in changes:
            state = target.files.get(change.path)
            if why_refused(change.path) or (state.digest if state else "") != change.after or is_mark(change.after):
                refused.append((change.path, "is not in the checkpoint"))
            else:
                orders.append(_Order(change, state))
        moved = self._move(orders, target.folders)
        self._sweep(_ancestors(orders))
        return FilesMoved(moved.done, (*moved.kept, *refused))

    def sweep(self, *manifests: FilesManifest) -> int:
        """Remove staged files of a move that was never decided on; how many there were.

        They lie in folders that the manifests know: that of the checkpoint made before the move among them.
        """
        folders = {""}
        for manifest in manifests:
            folders |= manifest.folders | {path.rpartition("/")[0] for path in manifest.files}
        return self._sweep(folders)

    def _sweep(self, folders: Iterable[str]) -> int:
        pattern = re.compile(rf"{re.escape(self._mine)}[0-9a-f]{{{_PATH}}}{re.escape(_PART)}")
        count = 0
        for folder in folders:
            with suppress(OSError), self._place.folder(folder) as handle:
                for name in filter(pattern.fullmatch, handle.names()):
                    os.unlink(handle.at(name), dir_fd=handle.fd)
                    count += 1
        self._staged.clear()
        return count

    def _check(self, order: _Order) -> None:
        """Find before the commit what would fail after it."""
        if why := why_refused(order.path):
            raise WorkspaceError(f"{order.path!r} {why}.", "Nothing was changed.")
        with self._place.folder(self._place.nearest(order.path)) as handle:
            if handle.fd is not None and not os.access(".", os.W_OK | os.X_OK, dir_fd=handle.fd):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _stage(self, order: _Order) -> None:
        """Write the new content beside its target, or in the innermost folder that is there."""
        if order.state is None or not order.writes:
            return
        data = bytes(fetch(order.state.pieces, self._chunks))
        if digest_of(data) != order.state.digest:
            raise StoreDamaged(f"The kept content of {order.path!r} has changed.", "Restore a whole copy of the store.")
        folder = self._place.nearest(order.path)
        name = f"{self._mine}{digest_of(order.path.encode())}{_PART}"
        with self._place.folder(folder) as handle:
            with suppress(FileNotFoundError):
                os.unlink(handle.at(name), dir_fd=handle.fd)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | BINARY
            self._staged[order.path] = folder, name  # before it is there: the stop button may be pressed in between
            descriptor = os.open(handle.at(name), flags, 0o600, dir_fd=handle.fd)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, order.state.mode)
                os.fsync(descriptor)

    def _settle(self, orders: list[_Order]) -> None:
        """Sync what is there now, which whoever wrote it need not have done: torn, it would be taken for an edit."""
        for order in orders:
            with suppress(OSError), self._place.parent(order.path) as (handle, name):
                descriptor = os.open(handle.at(name), os.O_RDONLY | NOFOLLOW | NONBLOCK, dir_fd=handle.fd)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        self._sync_folders(orders)

    def _sync_folders(self, orders: Iterable[_Order]) -> None:
        for folder in _ancestors(orders):
            with suppress(OSError), self._place.folder(folder) as handle:
                handle.sync()

    def _move(self, orders: list[_Order], stay: frozenset[str]) -> FilesMoved:
        """Deletions first: they make room where a file takes a folder's place, or the other way round."""
        done, kept = [], []
        for order in sorted(orders, key=lambda each: (each.state is not None, each.path)):
            try:
                why = self._put(order, stay)
            except OSError as error:
                why = f"can't be written: {(error.strerror or 'unknown').lower()}"
            except StoreDamaged as error:
                why = f"can't be written: {error.message}"
            if why:
                kept.append((order.path, why))
                self._drop(order.path)
            else:
                done.append(order.path)
        self._sync_folders(orders)
        return FilesMoved(tuple(done), tuple(kept))

    def _put(self, order: _Order, stay: frozenset[str]) -> str:
        """Make one file what it shall be; why it was left alone, or ""."""
        if self._is(order.path, order.change.after):
            self._finish(order, stay)
            return ""
        if not self._is(order.path, order.change.before):
            return "was changed meanwhile"
        if order.state is None:
            with self._place.parent(order.path) as (handle, name):
                _unlink(handle, name)
            self._finish(order, stay)
            return ""
        if not self._make_room(order.path):
            return "is a folder now, with other files"
        if order.path not in self._staged:
            self._stage(order)
        folder, staged = self._staged[order.path]
        with self._place.parent(order.path, create=True) as (target, name), self._place.folder(folder) as source:
            if not self._is(order.path, order.change.before):  # staging may have taken a while
                return "was changed meanwhile"
            _replace(source, staged, target, name)
        del self._staged[order.path]
        return ""

    def _finish(self, order: _Order, stay: frozenset[str]) -> None:
        """What is left to do where the content is right: permissions, folders that became empty, staged leftovers."""
        self._drop(order.path)
        if order.state is None:
            self._clear_folders(order.path, stay)
            return
        status = self._place.status(order.path)
        if hasattr(os, "fchmod") and status and status.st_mode & 0o777 != order.state.mode:
            with self._place.parent(order.path) as (handle, name):
                descriptor = os.open(handle.at(name), os.O_RDONLY | NOFOLLOW | NONBLOCK, dir_fd=handle.fd)
            try:
                os.fchmod(descriptor, order.state.mode)
            finally:
                os.close(descriptor)

    def _is(self, path: str, digest: str) -> bool:
        """Whether the file is what ``digest`` stands for now; a folder is no file."""
        status = self._place.status(path)
        if status is None or stat.S_ISDIR(status.st_mode):
            return not digest
        if not digest or is_mark(digest):
            return digest == mark_of(status.st_size, status.st_mtime_ns)
        return stat.S_ISREG(status.st_mode) and digest_at(self._place, path) == digest

    def _make_room(self, path: str) -> bool:
        """Remove folders that stand where a file shall be and hold nothing but folders; False where there is more."""
        status = self._place.status(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return True
        folders = [path]
        for folder in folders:  # grows meanwhile
            with self._place.folder(folder) as handle:
                for name in handle.names():
                    inner = handle.status(name)
                    if inner is not None and not stat.S_ISDIR(inner.st_mode):
                        return False
                    folders.append(f"{folder}/{name}")
        for folder in reversed(folders):
            with self._place.parent(folder) as (handle, name):
                os.rmdir(handle.at(name), dir_fd=handle.fd)
        return True

    def _clear_folders(self, path: str, stay: frozenset[str]) -> None:
        """Remove the folders that the last file left, except those that the target has."""
        folder = path.rpartition("/")[0]
        while folder and folder not in stay:
            try:
                with self._place.parent(folder) as (handle, name):
                    os.rmdir(handle.at(name), dir_fd=handle.fd)
            except FileNotFoundError:
                pass
            except OSError:
                return  # it holds something
            folder = folder.rpartition("/")[0]

    def _drop(self, path: str) -> None:
        if found := self._staged.pop(path, None):
            with suppress(OSError), self._place.folder(found[0]) as handle:
                os.unlink(handle.at(found[1]), dir_fd=handle.fd)


def _ancestors(orders: Iterable[_Order]) -> set[str]:
    """All folders on the way to the files, "" for the root."""
    found = {""}
    for order in orders:
        folder = order.path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _unlink(handle: Handle, name: str) -> None:
    try:
        os.unlink(handle.at(name), dir_fd=handle.fd)
    except PermissionError:
        if os.name != "nt":
            raise
        os.chmod(handle.at(name), stat.S_IWRITE)  # noqa: PTH101 - Windows deletes no read-only file
        os.unlink(handle.at(name))  # noqa: PTH108 - the same door as above


def _replace(source: Handle, staged: str, target: Handle, name: str) -> None:
    try:
        os.replace(source.at(staged), target.at(name), src_dir_fd=source.fd, dst_dir_fd=target.fd)
    except PermissionError:
        if os.name != "nt":
            raise
        os.chmod(target.at(name), stat.S_IWRITE)  # noqa: PTH101 - Windows replaces no read-only file
        os.replace(source.at(staged), target.at(name))  # noqa: PTH105 - the same door as above


def _refusal(path: str, error: OSError) -> WorkspaceError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return WorkspaceError(f"The disk is full: {path!r} can't be put back.", "Nothing was changed. Make room first.")
    reason = (error.strerror or type(error).__name__).lower()
    return WorkspaceError(f"{path!r} can't be put back: {reason}.", "Nothing was changed.")
