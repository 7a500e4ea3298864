"""What the workspace's files were at one point, as plain JSON-able values, and how two such points differ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebook.errors import StoreDamaged
from statebook.protocol.journal.lines import FileChange
from statebook.state.snapshots.seams import Pieces

from .places import why_refused

VERSION = 1
_UNKEPT = "unkept:"
_IGNORED = "is left out by an ignore file, so it was not kept"
_HINT = "Take another checkpoint, or restore a whole copy of the store."


@dataclass(frozen=True, slots=True)
class FileState:
    """One file. ``mode`` is its permission bits; ``digest`` the XXH3-128 of its content, made of ``pieces`` in order.

    Where the content is not kept, ``why`` says so as the end of a sentence, and the digest is a mark by which a
    change can be told (`mark_of`).
    """

    mode: int
    size: int
    mtime_ns: int
    digest: str
    pieces: Pieces = ()
    why: str = ""

    def is_like(self, digest: str) -> bool:
        """Whether this is what ``digest`` stands for, be it a content or a mark."""
        return digest in {self.digest, mark_of(self.size, self.mtime_ns)}

    def same(self, other: FileState | None) -> bool:
        """Whether both are the same content with the same permissions, as far as can be told."""
        if other is None or not (self.is_like(other.digest) or other.is_like(self.digest)):
            return False
        return self.mode == other.mode or os.name == "nt"


def mark_of(size: int, mtime_ns: int) -> str:
    """What stands for a content that is not kept, in place of its digest."""
    return f"{_UNKEPT}{size}:{mtime_ns}"


def is_mark(digest: str) -> bool:
    """Whether this stands for a content that is not kept."""
    return digest.startswith(_UNKEPT)


@dataclass(frozen=True, slots=True)
class FilesManifest:
    """The files by their relative paths (with slashes), and the folders.

    ``left_out`` tells why what lies below a folder ("" for the root) was not looked at, ``ignored`` which files and
    folders an ignore rule leaves out: nothing is known of them, but for those in ``files``, and of those in ``absent``
    that there was no file.
    """

    files: Mapping[str, FileState] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    def unknown(self, path: str) -> str:
        """Why nothing is known of a path that is not in `files`; "" where it is known that there was no file."""
        if self.is_ignored(path):
            return "" if path in self.absent else _IGNORED
        folder = path if path in self.left_out else path.rpartition("/")[0]
        while folder and folder not in self.left_out:
            folder = folder.rpartition("/")[0]
        return self.left_out.get(folder, "")

    def is_ignored(self, path: str) -> bool:
        """Whether an ignore rule leaves out what is at a path, or a folder that it lies in."""
        while path and path not in self.ignored:
            path = path.rpartition("/")[0]
        return bool(path)

    def unkept(self) -> dict[str, str]:
        """All that can't be brought back, each with why: files, and folders that end with a slash."""
        files = {path: state.why for path, state in self.files.items() if state.why}
        return files | {f"{folder}/": why for folder, why in self.left_out.items()}

    def digests(self) -> set[str]:
        """All chunks that restoring this needs."""
        return {digest for state in self.files.values() for digest, _ in state.pieces}

    def size(self) -> int:
        """Bytes of all contents that are kept."""
        return sum(state.size for state in self.files.values() if not state.why)

    def document(self, parent: FilesManifest | None = None) -> dict[str, Any]:
        """The manifest as JSON-able values; with a parent, only what differs from it."""
        before: Mapping[str, FileState] = parent.files if parent else {}
        ignored = parent.ignored if parent else frozenset()
        return {
            "version": VERSION,
            "delta": parent is not None,
            "put": {path: _document(state) for path, state in self.files.items() if before.get(path) != state},
            "drop": sorted(before.keys() - self.files.keys()),
            "folders": None if parent and parent.folders == self.folders else sorted(self.folders),
            "left_out": dict(self.left_out),
            "ignored": sorted(self.ignored - ignored),
            "noticed": sorted(ignored - self.ignored),
            "absent": sorted(self.absent),
        }

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> FilesManifest:
        """The manifest that a whole document and the deltas after it, oldest first, add up to.

        Raises StoreDamaged when a document is not of this form, or names a path outside the workspace.
        """
        files: dict[str, FileState] = {}
        folders: frozenset[str] = frozenset()
        left_out: dict[str, str] = {}
        ignored: frozenset[str] = frozenset()
        absent: frozenset[str] = frozenset()
        begun = False
        try:
            for document in documents:
                if document["version"] != VERSION or bool(document["delta"]) is not begun:
                    raise StoreDamaged("The list of a checkpoint's files has another form.", _HINT)
                for path in document["drop"]:
                    del files[path]
                files |= {_path(path): _state(value) for path, value in document["put"].items()}
                if document["folders"] is not None:
                    folders = frozenset(map(_path, document["folders"]))
                left_out, absent = dict(document["left_out"]), frozenset(document["absent"])
                ignored = (ignored - set(document["noticed"])) | set(document["ignored"])
                begun = True
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            raise StoreDamaged("The list of a checkpoint's files can't be read.", _HINT) from error
        return cls(files, folders, left_out, ignored, absent)


def changes(before: FilesManifest, after: FilesManifest) -> tuple[FileChange, ...]:
    """The files that differ, sorted by path; equal digests mean that only the permissions do.

    What one of the two did not look at is not a change: it can't be told.
    """
    found = []
    for path in before.files.keys() | after.files.keys():
        old, new = before.files.get(path), after.files.get(path)
        if old is new or (old is not None and old.same(new)):
            continue
        if (old is None and before.unknown(path)) or (new is None and after.unknown(path)):
            continue
        found.append(FileChange(path, old.digest if old else "", new.digest if new else ""))
    return tuple(sorted(found, key=lambda change: change.path))


def _document(state: FileState) -> list[Any]:
    """One piece that is the whole content needs no second mention."""
    whole = state.pieces == ((state.digest, state.size),)
    pieces = None if whole else [list(piece) for piece in state.pieces]
    return [state.mode, state.size, state.mtime_ns, state.digest, pieces, state.why]


def _state(value: list[Any]) -> FileState:
    mode, size, mtime_ns, digest, pieces, why = value
    found = tuple((str(each), int(length)) for each, length in ([(digest, size)] if pieces is None else pieces))
    state = FileState(int(mode) & 0o777, int(size), int(mtime_ns), str(digest), found, str(why))
    if not state.why and (sum(length for _, length in found) != size or any(length < 0 for _, length in found)):
        raise ValueError(digest)
    return state


def _path(path: str) -> str:
    if why := why_refused(path):
        raise StoreDamaged(f"A checkpoint names {path!r}, which {why}.", "Nothing of it is put back.")
    return path
