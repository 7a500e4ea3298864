"""Drops what no checkpoint can reach, and what the user's choice of retention lets go of, after a preview.

In this order, so that whatever is kept can be read however far it came: chunks that stay are copied into new packs and
synced; one transaction lets the rows say so; what nothing names any more is removed. A vacuum that was cut off leaves
superfluous files, which the next one removes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statebook.errors import StoreReadOnly
from statebook.store.file.faults import explain
from statebook.store.packs.index import Placed
from statebook.store.packs.snapshots import values_of

from .letting_go import Rows, sorted_out
from .litter import Litter, litter
from .packing import Packing, copied, move_rows, packing
from .reach import Reach, Retention
from .rewriting import Rewriter

if TYPE_CHECKING:
    from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class LetGo:
    """A snapshot that goes, and the checkpoints that name it; they stay, without it. ``new_bytes``: what it added."""

    name: str
    kind: str
    checkpoints: tuple[int, ...]
    new_bytes: int


@dataclass(frozen=True, slots=True)
class VacuumPlan:
    """What a vacuum would do. Counts, and bytes on disk.

    ``let_go`` are snapshots that checkpoints name, by the retention; ``lost`` ones that none names; ``rewritten`` ones
    that stay and differ from one that goes. ``pack_bytes`` is what becomes free, after ``copied_bytes`` are written
    anew. The DuckDB file itself does not shrink: it uses again what becomes free in it.
    """

    retention: Retention
    let_go: tuple[LetGo, ...]
    lost: tuple[str, ...]
    rewritten: tuple[str, ...]
    chunks: int
    packs: int
    pack_bytes: int
    copied_bytes: int
    artifacts: int
    artifact_bytes: int

    @property
    def bytes(self) -> int:
        """All that becomes free."""
        return self.pack_bytes + self.artifact_bytes

    @property
    def empty(self) -> bool:
        """There is nothing to do."""
        return not (self.let_go or self.lost or self.chunks or self.packs or self.artifacts or self.artifact_bytes)


def plan(
    store: Store,
    *,
    keep_days: float | None = None,
    keep: int | None = None,
    rewriter: Rewriter | None = None,
) -> VacuumPlan:
    """Look what there is to drop; changes nothing.

    ``keep_days`` and ``keep`` (newest of each branch) let go of the snapshots of older checkpoints; those that one of
    the two keeps stay, and those of branch heads, of labelled checkpoints and of the ends of moves in any case. Without
    a rewriter what a kept snapshot differs from stays, too. Raises StoreError subclasses.
    """
    retention = Retention(keep_days, keep)
    reach = Reach(store)
    rows = sorted_out(store.database, store.session_id, reach.wanted(retention), rewriter)
    packs = packing(store.database, store.chunks, rows.chunks)
    rest = litter(store.database, store.artifacts)
    by_name = {
        name: LetGo(name, kind, tuple(each.checkpoint for each in reach.checkpoints if name in each.names), new_bytes)
        for name, kind, new_bytes in store.database.rows("SELECT name, kind, new_bytes FROM snapshot ORDER BY rowid")
        if name in rows.gone
    }
    return VacuumPlan(
        retention,
        tuple(each for each in by_name.values() if each.checkpoints),
        tuple(name for name, each in by_name.items() if not each.checkpoints),
        tuple(rows.rewritten),
        len(packs.dead),
        len(packs.old),
        packs.freed,
        packs.copied,
        len(rest.artifacts),
        rest.bytes,
    )


def perform(store: Store, planned: VacuumPlan, *, rewriter: Rewriter | None = None) -> None:
    """Do it. What the preview did not show is not let go of; what was named since then stays.

    Holds up commits and writes of chunks until it is done. Raises StoreError subclasses; then all that was there can be
    read as before.
    """
    if store.database.read_only:
        raise StoreReadOnly(f"{store.path.name} is open for reading only.", "Open it in a notebook (`%agent open`).")
    store.chunks.sync()
    with store.database.lock, store.chunks.still():
        reach = Reach(store)
        shown = {each.name for each in planned.let_go} | set(planned.lost)
        stay = {name for (name,) in store.database.rows("SELECT name FROM snapshot") if name not in shown}
        rows = sorted_out(store.database, store.session_id, reach.wanted(planned.retention) | stay, rewriter)
        packs = packing(store.database, store.chunks, rows.chunks)
        rest = litter(store.database, store.artifacts)
        try:
            gone, places = copied(store.chunks, packs)
        except OSError as error:
            raise explain(error, store.chunks.packs.folder) from error
        _commit(store, reach, rows, packs, rest, gone, places)
        with suppress(OSError):  # what could not be removed now is superfluous, and removed the next time
            store.chunks.packs.remove(gone)
            for file in rest.files:
                file.unlink(missing_ok=True)
    store.fold()


def _commit(
    store: Store, reach: Reach, rows: Rows, packs: Packing, rest: Litter, gone: set[str], places: dict[str, Placed]
) -> None:
    store.snapshots.distrust()
    try:
        with store.database.transaction():
            _rewrite(store, reach, rows)
            move_rows(store.database, gone, packs.dead, places)
            store.artifacts.remove(rest.artifacts)
    except BaseException:
        store.chunks.distrust()
        raise
    store.chunks.reload()


def _rewrite(store: Store, reach: Reach, rows: Rows) -> None:
    write = store.database.write
    for name in sorted(rows.gone):
        if name in reach.named:
            write(
                "UPDATE snapshot SET parent = '', document = NULL, signature = '', chunks = [] WHERE name = ?", [name]
            )
        else:
            write("DELETE FROM snapshot WHERE name = ?", [name])
    for name, row in rows.rewritten.items():
        _, _, parent, document, signature, chunks, _ = values_of(row)
        write(
            "UPDATE snapshot SET parent = ?, document = ?, signature = ?, chunks = ? WHERE name = ?",
            [parent, document, signature, chunks, name],
        )
