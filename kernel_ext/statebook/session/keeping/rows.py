"""Makes the rows of snapshots: what differs from the row before, and a whole one every so often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from statebook.protocol.journal.kept import SnapshotKind, SnapshotRow
from statebook.store.store import Store

from .seal import Seal

LONGEST = 32
"""Rows of a chain: reading a snapshot reads no more of them."""


class _Document(Protocol):
    def document(self, parent: Any = None) -> dict[str, Any]: ...

    def digests(self) -> set[str]: ...


M = TypeVar("M", bound=_Document)


@dataclass(frozen=True, slots=True)
class Base(Generic[M]):
    """The row that the next one differs from; ``length`` is that of its chain."""

    name: str
    manifest: M
    signature: str
    length: int


class Rows(Generic[M]):
    """The rows of one kind in one store. A row that was made is taken for kept only once the store has it."""

    def __init__(self, store: Store, kind: SnapshotKind, seal: Seal, same: Callable[[M, M], bool]) -> None:
        """``same`` says whether two manifests hold the same."""
        self._store = store
        self._kind = kind
        self._seal = seal
        self._same = same
        self._base: Base[M] | None = None

    def row(self, manifest: M, new_bytes: int) -> tuple[str, SnapshotRow | None]:
        """The name of a manifest's row, and the row to commit with it; None where that is on disk already."""
        base = self.base()
        if base is not None and self._same(base.manifest, manifest):
            return base.name, None
        if base is not None and base.length >= LONGEST:
            base = None
        name = self._store.snapshots.next_name(self._kind)
        document = manifest.document(base.manifest if base else None)
        chunks = manifest.digests() - (base.manifest.digests() if base else set())
        signature = self._seal.sign(name, document, base.signature if base else "")
        row = SnapshotRow(
            name, self._kind, document, signature, base.name if base else "", frozenset(chunks), new_bytes
        )
        self._base = Base(name, manifest, signature, base.length + 1 if base else 1)
        return name, row

    def base(self) -> Base[M] | None:
        """The newest row, where the store has it: a commit may have failed, a vacuum may have let go of it."""
        if self._base is not None and not self._store.snapshots.kept(self._base.name):
            self._base = None
        return self._base

    def go_on_from(self, base: Base[M] | None) -> None:
        """The next row differs from this one; None: it is a whole one."""
        self._base = base
