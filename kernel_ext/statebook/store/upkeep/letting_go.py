"""Which rows of snapshots go, and how those that differ from them are written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from statebook.errors import StoreError
from statebook.protocol.journal.kept import SnapshotRow
from statebook.store.file.database import Database
from statebook.store.packs.snapshots import COLUMNS, chain_of

from .rewriting import Rewriter


@dataclass(slots=True)
class Rows:
    """The rows of snapshots as they shall be: ``gone`` by name, ``rewritten`` ones, and the chunks that stay."""

    gone: set[str] = field(default_factory=set)
    rewritten: dict[str, SnapshotRow] = field(default_factory=dict)
    chunks: set[str] = field(default_factory=set)


def sorted_out(database: Database, store: str, wanted: Iterable[str], rewriter: Rewriter | None) -> Rows:
    """What becomes of the rows if only ``wanted`` ones must be readable afterwards.

    A wanted row whose parent goes is written whole, and those that differ from it are signed again. Without a
    rewriter, or where it can't read a row, the parents stay instead.
    """
    found = {row[0]: row for row in database.rows(f"SELECT {COLUMNS} FROM snapshot WHERE document IS NOT NULL")}
    stay = {name for name in wanted if name in found}
    if rewriter is None:
        stay = _with_parents(found, stay)
    while True:
        rows, unreadable = _attempt(found, store, stay, rewriter)
        if not unreadable:
            return rows
        stay = _with_parents(found, stay, unreadable)


def _attempt(
    found: dict[str, tuple[Any, ...]], store: str, stay: set[str], rewriter: Rewriter | None
) -> tuple[Rows, set[str]]:
    """The rows, and those whose parents must stay after all."""
    rows = Rows(gone=found.keys() - stay)
    unreadable: set[str] = set()
    for name in sorted(stay, key=lambda name: len(_line(found, name))):  # parents before those that differ from them
        parent = found[name][2]
        try:
            if rewriter is not None and parent and parent in rows.gone:
                rows.rewritten[name] = rewriter.whole(chain_of(found, name), store)
            elif rewriter is not None and parent in rows.rewritten:
                rows.rewritten[name] = rewriter.resign(chain_of(found, name)[-1], rows.rewritten[parent], store)
        except StoreError:
            unreadable.add(name)
        row = rows.rewritten.get(name)
        rows.chunks |= row.chunks if row else set(found[name][5])
    return rows, {name for name in unreadable if _with_parents(found, {name}) - stay}


def _with_parents(found: dict[str, tuple[Any, ...]], stay: set[str], of: Iterable[str] | None = None) -> set[str]:
    """``stay``, and all that the rows ``of`` (all of them, by default) are differences from."""
    return stay.union(*(_line(found, name) for name in (stay if of is None else of)))


def _line(found: dict[str, tuple[Any, ...]], name: str) -> list[str]:
    """A row and its parents, as far as they are there; a row that differs from itself is damaged, and ends there."""
    line: list[str] = []
    while name in found and name not in line:
        line.append(name)
        name = found[name][2]
    return line
