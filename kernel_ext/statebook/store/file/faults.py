"""DuckDB's errors told in our words: what happened to the file, and what to do next."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from statebook.errors import (
    SessionLocked,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
)

_ANEW = "Move it away and restore a copy, or start anew with `%agent new`; the file is left untouched."

_KINDS = (
    (b"version https://git-lfs", "a Git LFS pointer to the file"),
    (b"<<<<<<<", "what a merge conflict left"),
    (b"<", "a web page"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"sqlite format 3", "an SQLite file"),
    (b"\0" * 12, "filled with zeros"),
)
"""How other files begin that are found under a store's name, in small letters."""


def explain(error: Exception, path: Path) -> StoreError:
    """DuckDB's error as ours: what happened to the file, and what to do next."""
    text = str(error)
    low = text.lower()
    for signs, told in _SIGNS:
        if any(sign in low for sign in signs):
            return told(text, path)
    if _damage(error, low):
        return StoreDamaged(
            f"{path.name} can't be read: {_first_line(text)}",
            _ANEW,
        )
    return StoreError(
        f"{path.name}: {_first_line(text).rstrip('.')}.", "Run the cell again; what was acknowledged is on disk."
    )


def foreign(path: Path) -> StoreDamaged | None:
    """What lies there instead of a DuckDB file, by its first bytes; None where it is one, or can't be read.

    Only for a file that could not be opened: reading one that DuckDB holds would give its lock away.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return None
    if head[8:12] == b"DUCK":
        return None
    kind = next((kind for start, kind in _KINDS if head.lower().startswith(start)), "something else")
    kind = kind if head else "empty"
    hint = "Fetch the file itself: `git lfs pull`." if "LFS" in kind else _ANEW
    return StoreDamaged(f"{path.name} is no DuckDB file: it is {kind}.", hint)


def _full(_: str, path: Path) -> StoreError:
    return StoreFull(
        f"The disk is full: {path.name} could not be written.",
        "Free some space and run the cell again; what was acknowledged is safe.",
    )


def _read_only(_: str, path: Path) -> StoreError:
    return StoreReadOnly(
        f"{path.name} can't be written in {path.parent}.",
        "Make the folder writable, or choose another place: `%agent open PATH`.",
    )


def _no_memory(_: str, path: Path) -> StoreError:
    return StoreError(
        f"There is not enough memory to work on {path.name}.",
        "Free some and run the cell again; what was acknowledged is on disk.",
    )


def _other_log(_: str, path: Path) -> StoreError:
    return StoreDamaged(
        f"{path.name}.wal beside it belongs to another state of {path.name}: one of the two was replaced.",
        f"Restore the file it belongs to, or move {path.name}.wal away to go on without what is in it.",
    )


def _newer(_: str, path: Path) -> StoreError:
    return StoreTooNew(
        f"{path.name} was written by a newer DuckDB.", "Upgrade it: pip install --upgrade duckdb statebook."
    )


def _damage(error: Exception, low: str) -> bool:
    signs = ("not a valid duckdb", "corrupt", "checksum", "deserializ", "could not read", "magic bytes", "truncated")
    return any(sign in low for sign in signs) or type(error).__name__ in ("SerializationException", "InternalException")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "unknown error"


def _locked(text: str, path: Path) -> SessionLocked:
    match = re.search(r"PID (\d+)", text)
    pid = int(match[1]) if match else None
    if pid == 0:  # what DuckDB says where asking for the lock failed, too
        return SessionLocked(
            f"{path.name} is held by a kernel on another machine, or its file system gives no locks.",
            "Shut that kernel down, or keep the session on a local disk: `%agent open PATH`.",
        )
    return SessionLocked(
        f"{path.name} is held by {_who(pid)}.",
        "Shut that kernel down, or open another session here: `%agent new NAME`.",
        pid=pid,
    )


def _who(pid: int | None) -> str:
    if pid is None:
        return "another process"
    import psutil

    try:
        process = psutil.Process(pid)
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(process.create_time()))
        return f"{process.name()} (process {pid}, running since {started})"
    except psutil.Error:
        return f"process {pid}"


_SIGNS: tuple[tuple[tuple[str, ...], Callable[[str, Path], StoreError]], ...] = (
    (("conflicting lock", "could not set lock", "being used by another process"), _locked),
    (("no space left", "file too large", "disk quota", "quota exceeded", "disk full", "out of disk"), _full),
    (("out of memory", "cannot allocate memory"), _no_memory),
    (("permission denied", "read-only", "operation not permitted", "readonly"), _read_only),
    (("this wal was created for", "wal does not match database file"), _other_log),
    (("newer version", "serialization version", "storage version"), _newer),
)
"""Words of DuckDB's and the system's errors, and what they mean; the first that is found counts."""
