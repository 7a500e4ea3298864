"""Signs what this user's kernels keep, and tells whether a snapshot may be loaded whole or as plain data only.

A snapshot can hold code: unpickling it runs what its writer wanted. So rows are signed with a key that lies outside of
the store (`statebook.state.snapshots.trust`). Rows that another key signed come from elsewhere; a person may trust
those that are in a store now. What is remembered of that lies beside the key: for each store, this user's signatures
of the rows that were there, so that rows added later by somebody else are not trusted with them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from statebook.errors import StoreReadOnly
from statebook.protocol.journal.kept import SnapshotRow
from statebook.state.snapshots.trust import key_of_user, key_path, sign
from statebook.store.store import Store

_MARK = "snapshots"
"""The store's own value that signatures are bound to: the first session's id, which a copy of the store keeps."""
_LARGEST = 50_000_000
"""Bytes of the list of what is trusted that are read."""


def trusted_path() -> Path:
    """Where it is remembered what is trusted: beside the user's key."""
    return key_path().with_name("trusted.json")


class Seal:
    """The signatures of this user in one store."""

    def __init__(self, store: Store, key: Callable[[], bytes] = key_of_user) -> None:
        self._store = store
        self._source = key
        self._key = b""
        self.fault = ""
        """Why the key can't be had; then one of this kernel's own is used: its rows are foreign later."""

    def sign(self, name: str, document: Mapping[str, Any], parent: str, store: str = "") -> str:
        """The signature of a row's document, under the row's name; ``parent`` is that of the row it differs from.

        "" is for none. ``store`` is the id of another store that the row is for.
        """
        mark = store if store not in ("", self._store.session_id) else self._mark()
        return sign(document, self._secret(), f"{mark}:{name}:{parent}")

    def owns(self, chain: Sequence[SnapshotRow]) -> bool:
        """Whether this user's kernels wrote all of these rows (a whole one first)."""
        return all(secrets.compare_digest(own, row.signature) for own, row in zip(self._own(chain), chain, strict=True))

    def is_own(self, row: SnapshotRow) -> bool:
        """Whether this user's kernels wrote a row, as it is in the store."""
        parent = self._store.snapshots.row(row.parent).signature if row.parent else ""
        return secrets.compare_digest(self.sign(row.name, row.document, parent), row.signature)

    def trusts(self, chain: Sequence[SnapshotRow]) -> bool:
        """Whether these rows may be loaded with the code they hold."""
        return self.owns(chain) or set(self._own(chain)) <= self._remembered()

    def trust(self) -> int:
        """Trust the snapshots that are in this store now; how many. StoreReadOnly where that can't be kept."""
        known = _read()
        rows = {row.name: row for row in self._store.snapshots.all("variables")}
        signed = {name: row.signature for name, row in rows.items()} | {"": ""}
        found = [row for row in rows.values() if row.parent in signed]
        own = {self.sign(row.name, row.document, signed[row.parent]) for row in found}
        _write(known | {self._mark(): sorted(own)})
        return len(rows)

    def revoke(self) -> bool:
        """Trust only what this user's key signed; whether there was something to take back. As `trust` raises."""
        known = _read()
        if known.pop(self._mark(), None) is None:
            return False
        _write(known)
        return True

    def _own(self, chain: Sequence[SnapshotRow]) -> list[str]:
        """As this user would sign the rows. A row's parent is the one before it in the chain, as it was signed."""
        parents = ["", *(row.signature for row in chain)]
        return [self.sign(row.name, row.document, parent) for row, parent in zip(chain, parents, strict=False)]

    def _remembered(self) -> set[str]:
        with suppress(StoreReadOnly):  # then nothing is trusted
            return set(_read().get(self._mark(), ()))
        return set()

    def _mark(self) -> str:
        mark = self._store.get_meta(_MARK)
        if not mark:
            mark = self._store.session_id
            self._store.set_meta(**{_MARK: mark})
        return mark

    def _secret(self) -> bytes:
        if not self._key:
            try:
                self._key = self._source()
            except StoreReadOnly as error:
                self._key, self.fault = secrets.token_bytes(32), f"{error}"
        return self._key


def _read() -> dict[str, list[str]]:
    """What is trusted, by store. StoreReadOnly for a list that is there and can't be read: it must not be lost."""
    path, why = trusted_path(), f"it is larger than {_LARGEST // 10**6} MB"
    try:
        if path.stat().st_size <= _LARGEST:
            found = json.loads(path.read_text("utf-8"))
            return {str(mark): [str(each) for each in rows] for mark, rows in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:  # no JSON, or of another form
        why = " ".join(f"{error}".split())[:200]
    hint = "Move it away, and `%agent trust` begins a new one."
    raise StoreReadOnly(f"{path}, the list of what you trust, can't be read: {why}.", hint)


def _write(known: Mapping[str, Sequence[str]]) -> None:
    path = trusted_path()
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known), "utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreReadOnly(f"{path} can't be written: {error.strerror}.", "Make its folder writable.") from error
