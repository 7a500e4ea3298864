"""A new file appears whole, or not at all: it is made under another name and then given its own.

DuckDB makes a file by writing three header pages. A crash in between would leave a file that can't be opened, and that
nobody could tell from a store that was cut short on its way from another disk, which must not be taken for a new one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .syncing import sync_folder


def unborn(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f"{path.name}.new")


def begin(path: Path, config: Mapping[str, Any]) -> None:
    """Make an empty DuckDB file where there is none; one that another process makes meanwhile stays as it is.

    A log without a file is removed, as DuckDB does. Raises OSError and duckdb.Error.
    """
    import duckdb

    new = unborn(path)
    new.unlink(missing_ok=True)
    duckdb.connect(str(new), config=dict(config)).close()  # synced by DuckDB before it returns
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    with suppress(FileExistsError, FileNotFoundError):  # another process was faster
        _name(new, path)
    new.unlink(missing_ok=True)
    sync_folder(path.parent)  # else the log, which is synced by itself, might outlive the name of its file


def _name(new: Path, path: Path) -> None:
    if sys.platform != "win32":
        try:
            path.hardlink_to(new)  # unlike a renaming, it never replaces a file
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            new.rename(path)
    else:
        new.rename(path)  # never replaces a file here
