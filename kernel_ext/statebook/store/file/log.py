"""The end of the log that a power cut left in pieces is cut off, so that DuckDB reads what was acknowledged.

DuckDB ignores a last commit that is too short. But pages go to the disk in any order, and where the length of a file
was written before its bytes, or a later page before an earlier one, there are zeros instead: DuckDB takes those for
damage and refuses the file. Only one commit can be affected, the last one, as each is synced before the next begins;
where anything whole follows the damage, it is damage and stays.

Source: DuckDB's ``wal_replay.cpp`` (log version 2): an entry is its size and its checksum (8 bytes each) and its bytes.
"""

from __future__ import annotations

import re
from pathlib import Path

from .guard import locked
from .syncing import sync

COMMIT = bytes.fromhex("0500000000000000e7fe7d722fed3d5e640064ffff")
"""The entry that ends each commit."""

_PAGE, _HEAD, _ENOUGH = 4096, 16, 16
_PLACE = re.compile(r"Corrupt WAL file: entry at byte position (\d+)")


def torn_end(path: Path, error: Exception) -> int:
    """Where the log of a file that DuckDB refused with this error is torn; -1 when it is not, or can't be told."""
    found = _PLACE.search(str(error))
    log = path.with_name(f"{path.name}.wal")
    place = int(found[1]) - _HEAD if found else -1
    return place if found and log.exists() and torn(log.read_bytes(), place) else -1


def cut_torn_end(path: Path, error: Exception) -> bool:
    """Cut the log where it is torn; False when nothing was done."""
    place = torn_end(path, error)
    if place < 0:
        return False
    with path.open("r+b") as file, path.with_name(f"{path.name}.wal").open("r+b") as log:
        if not locked(file):
            return False
        log.truncate(place)
        sync(log.fileno())
    return True


def torn(log: bytes, place: int) -> bool:
    """Whether the unreadable entry at this place belongs to the last commit, of which a page never arrived."""
    later = log.find(COMMIT, place)
    if later >= 0 and later + len(COMMIT) < len(log):
        return False
    first = log.rfind(COMMIT, 0, place) + len(COMMIT) if COMMIT in log[:place] else 0
    pages = (log[max(first, start) : start + _PAGE] for start in range(first - first % _PAGE, len(log), _PAGE))
    return any(not page[-_ENOUGH:].strip(b"\0") for page in pages)
