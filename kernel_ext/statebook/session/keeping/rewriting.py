"""Writes rows of snapshots anew for a vacuum or an export: whole, or signed for another parent or store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from statebook.protocol.journal.kept import SnapshotRow
from statebook.state.files import FilesManifest
from statebook.state.snapshots import Manifest

from .seal import Seal


class SignedRewriter:
    """See `statebook.store.upkeep.rewriting.Rewriter`. What this user did not sign stays unsigned."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def whole(self, chain: Sequence[SnapshotRow], store: str) -> SnapshotRow:
        """The last row of a chain, without a parent. Raises StoreDamaged for documents that can't be read."""
        last = chain[-1]
        kind: type[Manifest | FilesManifest] = Manifest if last.kind == "variables" else FilesManifest
        manifest = kind.of(row.document for row in chain)
        document = manifest.document()
        signature = self._seal.sign(last.name, document, "", store) if self._seal.owns(chain) else ""
        return replace(last, document=document, signature=signature, parent="", chunks=frozenset(manifest.digests()))

    def resign(self, row: SnapshotRow, parent: SnapshotRow, store: str) -> SnapshotRow:
        """The row as what differs from ``parent``, where this user had signed it and has signed that."""
        own = self._seal.is_own(row)
        signature = self._seal.sign(row.name, row.document, parent.signature, store) if own and parent.signature else ""
        return replace(row, parent=parent.name, signature=signature)
