"""Writes a store whose file is gone into a new one, from what its open connection still holds."""

from __future__ import annotations

from pathlib import Path

from statebook.errors import StoreDamaged

from .file.database import Database
from .schema import prepare
from .store import Store

_ROWS = 200
"""Rows of one INSERT."""


def rescue(store: Store, target: Path) -> None:
    """Write every row of an open store into a new file; whole and synced on return.

    Rows are read through the connection, so that it does not matter what became of the file's name. Raises StoreDamaged
    where not every row can be read any more, and StoreError where ``target`` can't be written; nothing is left then.
    """
    _remove(target)
    new = Database(target)
    try:
        prepare(new)
        with new.transaction():
            new.write("DELETE FROM meta")
            for (table,) in new.rows("SELECT table_name FROM duckdb_tables() ORDER BY table_name"):
                _copy(store.database, new, table)
        new.fold()
    except BaseException as error:
        new.close()
        _remove(target)
        if isinstance(error, StoreDamaged):
            raise StoreDamaged(
                f"{store.path.name} was written over, and this kernel does not hold all of it any more.",
                "Restore a copy of the file and restart the kernel.",
            ) from error
        raise
    new.close()


def _copy(old: Database, new: Database, table: str) -> None:
    for rows in old.chunks(f"SELECT * FROM {table}", _ROWS):
        row = "(" + ", ".join("?" * len(rows[0])) + ")"
        values = [value for each in rows for value in each]
        new.write(f"INSERT INTO {table} VALUES " + ", ".join([row] * len(rows)), values)


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}.wal", f"{path.name}.fold"):
        path.with_name(name).unlink(missing_ok=True)
