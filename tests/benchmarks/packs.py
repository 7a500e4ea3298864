"""What keeping a snapshot's bytes costs: its checkpoint's commit, and megabytes in and out beside a plain file."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

from figures import Figure, interleaved, once, percentile
from sizes import Sizes
from statebook.protocol.journal.kept import SnapshotRow
from statebook.state.snapshots.seams import digest_of
from statebook.store.journal import Place
from statebook.store.store import Store

PROMISE = "snapshot"
_QUIET = 0.1
"""Which quantile of the commits counts; see commit.py."""
_CHUNK = 2**20
_ROW = 200
"""Bytes of a row of the frames that are measured; so many bytes are kept here."""


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = Store(folder / "packs.statebook.duckdb")
    figures = [_commit(store, sizes.commits), *_bytes(store, folder, sizes.frame_rows * _ROW)]
    store.close()
    return figures


def _commit(store: Store, times: int) -> Figure:
    """A checkpoint with one small new chunk and a row that differs from its parent, beside a checkpoint alone."""
    parents = [""]

    def snapshot(_: int) -> None:
        data = os.urandom(400)
        store.chunks.put(digest_of(data), data)
        document = {"put": [digest_of(data)]}
        name = store.snapshots.next_name("variables")
        row = SnapshotRow(name, "variables", document, "0" * 64, parents[-1], frozenset([digest_of(data)]), 400)
        made = replace(store.journal.checkpoint("cell"), snapshot=name)
        store.commit([(Place(), made)], snapshots=[row])
        parents.append(name)

    both, alone = interleaved(
        [snapshot, lambda _: store.commit([(Place(), store.journal.checkpoint("cell"))])],
        times,
    )
    ours, bare = percentile(both, _QUIET), percentile(alone, _QUIET)
    beside = f"{ours:.2f} ms beside {bare:.2f} ms"
    return Figure(PROMISE, "a checkpoint with a small snapshot / one without", ours / bare, "x", beside)


def _bytes(store: Store, folder: Path, size: int) -> list[Figure]:
    """Noise, which is stored as it is; put and synced, then read in another opening of the store, from a warm cache."""
    dice = random.Random(1)
    chunks = [dice.randbytes(min(_CHUNK, size - place)) for place in range(0, size, _CHUNK)]
    digests = [digest_of(chunk) for chunk in chunks]
    plain = folder / "plain"

    def append() -> None:
        with plain.open("wb", buffering=0) as file:
            for chunk in chunks:
                file.write(chunk)
            os.fsync(file.fileno())

    def put() -> None:
        for digest, chunk in zip(digests, chunks, strict=True):
            store.chunks.put(digest, chunk)
        store.chunks.sync()

    target = memoryview(bytearray(_CHUNK))

    def get() -> None:
        for digest, chunk in zip(digests, chunks, strict=True):
            store.chunks.get_into(digest, target[: len(chunk)])

    written, ours = once(append), once(put)
    name = store.snapshots.next_name("variables")
    store.commit([], snapshots=[SnapshotRow(name, "variables", {}, "0" * 64, chunks=frozenset(digests))])
    read = min(once(get) for _ in range(3))
    much, rate = f"{size / 1e6:.0f} MB", f"{size / read / 1e6:.2f} GB/s"
    return [
        Figure(PROMISE, f"{much} put and on disk / a plain append + fsync", ours / written, "x", f"{ours:.0f} ms"),
        Figure(PROMISE, f"{much} read back and checked, per GB", read / 1e3 / (size / 1e9), "s", rate, 2.5),
    ]
