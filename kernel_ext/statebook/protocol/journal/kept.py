"""What a checkpoint keeps besides the journal: rows of the store that hold snapshots of variables and of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SnapshotKind = Literal["variables", "files"]


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One snapshot as the store keeps it; its bytes are chunks, which are on disk before it is.

    ``name`` is what a checkpoint calls it (``v12``, ``f3``). ``document`` is JSON-able: the whole, or, with a
    ``parent`` (the name of another row), what differs from it. ``signature`` is by a key outside the store. ``chunks``
    are the digests that the document names and its parent's does not: what reachability is counted by.
    """

    name: str
    kind: SnapshotKind
    document: dict[str, Any]
    signature: str
    parent: str = ""
    chunks: frozenset[str] = field(default_factory=frozenset)
    new_bytes: int = 0
