"""Snapshots of a few named bytes: a small stand-in for variables, whose documents the store can't read either."""

import hashlib
import json
from dataclasses import replace

import xxhash
from statebook.protocol.journal.kept import SnapshotRow
from statebook.store.journal import Place


def digest_of(data):
    return xxhash.xxh3_128_hexdigest(data)


def signed(document, store, parent=None):
    said = json.dumps([store, parent.signature if parent else "", document], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def take(store, state, parent=None, kind="variables"):
    """Put the chunks of ``state`` ({name: bytes}); the row to commit, what differs from ``parent``'s where given."""
    before = held(store, parent.name) if parent else {}
    digests = {name: (digest_of(data), len(data)) for name, data in state.items()}
    for name, data in state.items():
        store.chunks.put(digests[name][0], data)
    document = {
        "put": {name: list(digest) for name, digest in digests.items() if before.get(name) != digest},
        "drop": [name for name in before if name not in state],
    }
    known = {digest for digest, _ in before.values()}
    return SnapshotRow(
        store.snapshots.next_name(kind),
        kind,
        document,
        signed(document, store.session_id, parent),
        parent.name if parent else "",
        frozenset(digest for digest, _ in digests.values()) - known,
        sum(size for digest, size in digests.values() if digest not in known),
    )


def keep(store, state, parent=None, *, kind="variables", label="", reason="person", branch=None, events=(), run=0):
    """Commit a checkpoint with a snapshot of ``state``; its row and the checkpoint's number."""
    row = take(store, state, parent, kind)
    made = store.journal.checkpoint(reason, label=label, branch=branch)
    made = replace(made, snapshot=row.name) if kind == "variables" else replace(made, files=row.name)
    placed = [(Place(run), event) for event in (*events, made)]
    entries = store.commit(placed, branch=branch, snapshots=[row])
    return row, entries[-1].event.checkpoint


def fold(chain):
    """{name: (digest, size)} that a chain of rows adds up to."""
    found = {}
    for row in chain:
        found = {name: digest for name, digest in found.items() if name not in row.document["drop"]}
        found |= {name: tuple(digest) for name, digest in row.document["put"].items()}
    return found


def held(store, name):
    return fold(store.snapshots.chain(name))


def read(store, name):
    """The state that a snapshot holds, every byte read through the packs; its signatures are checked."""
    parent = None
    for row in store.snapshots.chain(name):
        assert row.signature == signed(row.document, store.session_id, parent)
        parent = row
    return {name: got(store, digest, size) for name, (digest, size) in held(store, name).items()}


def got(store, digest, size):
    target = bytearray(size)
    store.chunks.get_into(digest, memoryview(target))
    return bytes(target)


class Rewriter:
    """Knows the documents of this stand-in."""

    def whole(self, chain, store):
        state = fold(chain)
        document = {"put": {name: list(digest) for name, digest in state.items()}, "drop": []}
        digests = frozenset(digest for digest, _ in state.values())
        return replace(chain[-1], document=document, parent="", chunks=digests, signature=signed(document, store))

    def resign(self, row, parent, store):
        return replace(row, signature=signed(row.document, store, parent))
