"""One connection to the DuckDB file: locks, transactions, and DuckDB's errors told in our words.

DuckDB allows one process at a time to hold a file it may write; inside the process one connection is shared, with a
cursor per call and one lock around every write, because comm callbacks and tools arrive on other threads.

The connection is closed to everything but its own file: no other files, no network, no extensions, no Python
variables. A hostile store can therefore define views, but they can reach nothing.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statebook.errors import (
    SessionLocked,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
)

if TYPE_CHECKING:
    import duckdb

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",  # commits of a few rows: thread hand-over costs more than it gives
    "default_block_size": "16384",  # of a new file: one of a few kilobytes stays small, and a fold writes little
    "storage_compatibility_version": "v1.5.0",  # every DuckDB we stand on reads what any of them wrote
}

PATIENCE = 0.6
"""Seconds to wait for a reader that holds the file for one query."""


class Database:
    """The open file. All methods may be called from any thread; errors are StoreError subclasses."""

    def __init__(self, path: Path, *, read_only: bool = False, patience: float = PATIENCE) -> None:
        self.path = path
        self.read_only = read_only
        self._patience = patience
        self.lock = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._connect()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        deadline = time.monotonic() + self._patience
        while True:
            try:
                connection = duckdb.connect(str(self.path), read_only=self.read_only, config=_CONFIG)
                connection.execute("SET lock_configuration = true")
            except duckdb.Error as error:
                told = explain(error, self.path)
                if not isinstance(told, SessionLocked) or time.monotonic() > deadline:
                    raise told from error
                time.sleep(0.05)
            else:
                self._connection = connection
                return connection

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The shared connection; opened again when a fatal error had closed it."""
        return self._connection or self._connect()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._told():
            return self.connection.cursor().execute(query, list(values)).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The one row of a query that always has one."""
        return self.rows(query, values)[0]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own, for callers that want relations or data frames."""
        return self.connection.cursor()

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """One statement; on disk when this returns (outside `transaction`)."""
        with self.lock, self._told():
            self.connection.execute(statement, list(values))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside become one commit, or none of them happens."""
        with self.lock, self._told():
            connection = self.connection
            connection.execute("BEGIN")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        import duckdb

        # A commit that failed has rolled back by itself, and a fatal error has closed the door: both are fine here.
        try:
            connection.execute("ROLLBACK")
        except duckdb.Error:
            return

    def fold(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of the file is a whole one."""
        self.write("CHECKPOINT")

    def close(self) -> None:
        """Fold and close; DuckDB folds the log by itself on a clean close."""
        with self.lock:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            told = explain(error, self.path)
            if isinstance(error, duckdb.FatalException | duckdb.InternalException):
                self._drop()
            raise told from error

    def _drop(self) -> None:
        """After a fatal error DuckDB refuses everything: let go, so that the next use opens the file anew."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def utc_now() -> datetime:
    """The time as the file keeps it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def explain(error: Exception, path: Path) -> StoreError:
    """DuckDB's error as ours: what happened to the file, and what to do next."""
    text = str(error)
    low = text.lower()
    if "conflicting lock" in low or "could not set lock" in low or "being used by another process" in low:
        return _locked(text, path)
    if any(sign in low for sign in ("no space left", "file too large", "disk quota", "disk full", "out of disk")):
        return StoreFull(
            f"The disk is full: {path.name} could not be written.",
            "Free some space and run the cell again; what was acknowledged is safe.",
        )
    if any(sign in low for sign in ("permission denied", "read-only", "operation not permitted", "readonly")):
        return StoreReadOnly(
            f"{path.name} can't be written in {path.parent}.",
            "Make the folder writable, or choose another place: `%agent open PATH`.",
        )
    if "newer version" in low or "serialization version" in low or "storage version" in low:
        return StoreTooNew(
            f"{path.name} was written by a newer DuckDB.", "Upgrade it: pip install --upgrade duckdb statebook."
        )
    if _damage(error, low):
        return StoreDamaged(
            f"{path.name} can't be read: {_first_line(text)}",
            "Move it away and restore a copy, or start anew with `%agent new`; the file is left untouched.",
        )
    return StoreError(f"{path.name}: {_first_line(text)}", "Run the cell again; what was acknowledged is on disk.")


def _damage(error: Exception, low: str) -> bool:
    signs = ("not a valid duckdb", "corrupt", "checksum", "deserializ", "could not read", "magic bytes", "truncated")
    return any(sign in low for sign in signs) or type(error).__name__ in ("SerializationException", "InternalException")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "unknown error"


def _locked(text: str, path: Path) -> SessionLocked:
    match = re.search(r"PID (\d+)", text)
    pid = int(match[1]) if match else None
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
