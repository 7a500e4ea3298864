"""One connection to the DuckDB file: locks, transactions, and DuckDB's errors told in our words.

DuckDB allows one process at a time to hold a file it may write; inside the process one connection is shared, with a
cursor per call and one lock around every write, because comm callbacks and tools arrive on other threads.

The connection is closed to everything but its own file: no other files, no network, no extensions, no Python
variables. A hostile store can therefore define views, but they can reach nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statebook.errors import SessionLocked, StoreDamaged, StoreError

from .birth import begin, unborn
from .faults import explain, foreign
from .guard import Guard, cut_off, mend
from .log import cut_torn_end, torn_end
from .presence import Presence

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
    "checkpoint_threshold": "1TB",  # never by itself: folds happen in `fold`, under a guard
}

LONGEST_LOG = 16 * 2**20
"""Bytes after which the log is folded without being asked; DuckDB's own default."""

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
        self._guard = Guard(path)
        self._presence = Presence(path)
        self._log = f"{path}.wal"
        self._busy = False
        self._process = os.getpid()
        self._connect()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        deadline = time.monotonic() + self._patience
        while True:
            try:
                if not self.read_only:
                    self._make_ready()
                connection = duckdb.connect(str(self.path), read_only=self.read_only, config=_CONFIG)
                connection.execute("PRAGMA disable_checkpoint_on_shutdown")
                connection.execute("SET lock_configuration = true")
            except (duckdb.Error, OSError) as error:
                if not self.read_only and cut_torn_end(self.path, error):
                    continue
                told = self._unmended(error)
                if not isinstance(told, SessionLocked) or time.monotonic() > deadline:
                    raise told from error
                time.sleep(0.05)
            else:
                self._connection = connection
                self._presence.note(None if self.read_only else self._guard.handle())
                return connection

    def _make_ready(self) -> None:
        mend(self.path)
        if self.path.exists():
            unborn(self.path).unlink(missing_ok=True)  # its second name, of a process that died between the two
        else:
            begin(self.path, _CONFIG)

    def _unmended(self, error: Exception) -> StoreError:
        told = explain(error, self.path)
        other = foreign(self.path) if type(told) in (StoreError, StoreDamaged) else None
        if other is not None:
            return other
        mendable = self.read_only and (cut_off(self.path) or torn_end(self.path, error) >= 0)
        if isinstance(told, StoreDamaged) and mendable:
            return StoreError(
                f"{self.path.name} was cut off while it was saved, and can't be mended by a reader.",
                "Open it once in a notebook (`%agent open PATH`): nothing acknowledged is lost.",
            )
        return told

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The shared connection; opened again when a fatal error had closed it."""
        self.check_process()
        return self._connection or self._connect()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._told():
            return self.connection.cursor().execute(query, list(values)).fetchall()

    def chunks(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, so many at a time."""
        with self._told():
            cursor = self.connection.cursor()
            cursor.execute(query)
            while found := cursor.fetchmany(size):
                yield found

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The one row of a query that always has one."""
        return self.rows(query, values)[0]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own, for callers that want relations or data frames."""
        return self.connection.cursor()

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """One statement; on disk when this returns (outside `transaction`)."""
        self.check_process()
        with self.lock:
            with self._told():
                connection = self.connection
                self._check_presence()
                connection.execute(statement, list(values))
            self._confirm()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside become one commit, or none of them happens."""
        self.check_process()
        with self.lock:
            with self._told():
                connection = self.connection
                self._check_presence()
                connection.execute("BEGIN")
                self._busy = True
                try:
                    yield
                    connection.execute("COMMIT")
                except BaseException:
                    self._roll_back(connection)
                    raise
                finally:
                    self._busy = False
            self._confirm()

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        import duckdb

        # A commit that failed has rolled back by itself, and a fatal error has closed the door: both are fine here.
        try:
            connection.execute("ROLLBACK")
        except duckdb.Error:
            return

    def fold(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of the file is a whole one.

        Under a guard: torn by a crash, it is undone on the next opening, which plays the log again.
        """
        if not self.read_only and self._log_found()[0]:
            self._check_presence()
            self._fold()

    def _fold(self) -> None:
        self.check_process()
        with self.lock, self._told():
            connection = self.connection
            blocks = connection.execute("SELECT block_id FROM pragma_metadata_info()").fetchall()
            try:
                self._guard.raise_over(block for (block,) in blocks)
            except OSError as error:
                raise explain(error, self.path) from error
            connection.execute("CHECKPOINT")
            self._guard.lower()
            self._presence.note(self._guard.handle())

    def _log_found(self) -> tuple[int, int]:
        """Bytes and inode of the log; zeros where there is none."""
        try:
            found = os.stat(self._log)  # noqa: PTH116 - asked after each commit: a Path costs more than the call
        except OSError:
            return 0, 0
        return found.st_size, found.st_ino

    def _confirm(self) -> None:
        """After a commit, before it is acknowledged: it is found under the file's name, in a log that is not too long.

        Raises StoreGone. A log that was removed or cut is made good by folding what DuckDB has in memory.
        """
        if self._busy or self.read_only:
            return
        self._check_presence()
        size, inode = self._log_found()
        if self._presence.log_lost(size, inode):
            self._fold()
        elif size > LONGEST_LOG:
            with suppress(StoreError):  # it is committed all the same
                self._fold()

    def _check_presence(self) -> None:
        if not self._busy:
            try:
                self._presence.check()
            except OSError as error:
                raise explain(error, self.path) from error

    def check_process(self) -> None:
        """Raise StoreError in a process that was forked off: it has our connection, but not our locks and threads.

        What it did would tear the file.
        """
        if os.getpid() != self._process:
            raise StoreError(
                f"{self.path.name} belongs to process {self._process}, from which this one was forked.",
                "Use the agent in the kernel's own process.",
            )

    def check(self) -> None:
        """Raise StoreGone where the open file is not what its name leads to any more."""
        with self.lock:
            self._check_presence()

    def moved_to(self) -> Path | None:
        """Where the open file is now, when it was moved."""
        return None if self.path.exists() else self._presence.whereabouts()

    def close(self) -> None:
        """Fold and close; a file that was moved is folded where it is now."""
        if os.getpid() != self._process:
            return
        with self.lock:
            if self._connection is not None:
                with suppress(StoreError, OSError):  # the log keeps what could not be folded
                    moved = self.moved_to()
                    if moved is None:
                        self.fold()
                    else:
                        self._guard.follow(moved)
                        self._fold()
            self._drop()

    def abandon(self) -> None:
        """Close without a fold, and remove the log that the name's file does not belong to."""
        with self.lock:
            ours = self._presence.log_is_ours(self._log_found()[1])
            self._drop()
            if ours:
                os.unlink(self._log)  # noqa: PTH108 - as above, it is kept as text

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
        """Let go. After a fatal error DuckDB refuses everything, and the next use opens the file anew."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            self._guard.close()


def utc_now() -> datetime:
    """The time as the file keeps it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
