"""The seam to those who know what a snapshot's document means, and hold the key: the store knows neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from statebook.protocol.journal.kept import SnapshotRow


class Rewriter(Protocol):
    """Writes rows of snapshots anew. A signature covers the store's id and the parent's signature.

    A row that this user has not signed must stay unsigned (``signature`` ""): else a foreign store's snapshots would be
    trusted after a vacuum. Both methods raise StoreError for documents that they can't read; the rows then stay.
    """

    def whole(self, chain: Sequence[SnapshotRow], store: str) -> SnapshotRow:
        """The last row of a chain (a whole one first, then what differs), without a parent.

        Its document is whole, its ``chunks`` are all that it needs, and it is signed for the store of that id.
        """
        ...

    def resign(self, row: SnapshotRow, parent: SnapshotRow, store: str) -> SnapshotRow:
        """The row with its document as it is, signed for the store of that id as what differs from ``parent``."""
        ...
