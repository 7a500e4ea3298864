"""What one journal commit costs, beside a bare append + fsync and a bare DuckDB INSERT of the same bytes."""

from __future__ import annotations

import os
from pathlib import Path

from figures import Figure, Words, interleaved, percentile
from sizes import Sizes
from statebook.protocol.journal.codec import encode_event
from statebook.protocol.journal.events import ModelAnswered
from statebook.protocol.messages import assistant
from statebook.protocol.models import Usage
from statebook.store.journal import Place
from statebook.store.store import Store

PROMISE = "commit"
_QUIET = 0.1
"""Which quantile counts. On a busy machine all three wait for the disk alike, and medians near 1 say nothing."""
_SLOW_FSYNC = 5.0
"""Milliseconds: what an fsync takes on many a laptop's disk and on most network disks."""


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    import duckdb

    event = ModelAnswered(assistant(Words().text(1000)), Usage(1000, 0, 250), "end", 1.0)
    body = encode_event(event)
    store = Store(folder / "commit.statebook.duckdb")
    bare = duckdb.connect(str(folder / "bare.duckdb"), config={"threads": "1"})
    bare.execute("CREATE TABLE bare (body VARCHAR)")
    with (folder / "bare.log").open("ab", buffering=0) as log:

        def append(_: int) -> None:
            log.write(body.encode())
            os.fsync(log.fileno())

        samples = interleaved(
            [
                lambda index: store.commit([(Place(1, index), event)]),
                append,
                lambda _: bare.execute("INSERT INTO bare VALUES (?)", [body]),
            ],
            sizes.commits,
        )
    bare.close()
    store.close()
    ours, disk, duck = (percentile(sample, _QUIET) for sample in samples)
    slow = (_SLOW_FSYNC + ours - disk) / _SLOW_FSYNC
    beside = f"{ours:.2f} ms beside {disk:.2f} ms"
    return [
        Figure(PROMISE, "journal commit / bare append + fsync", ours / disk, "x", beside, 1.5),
        Figure(
            PROMISE, "journal commit / bare DuckDB INSERT", ours / duck, "x", f"{ours:.2f} ms beside {duck:.2f} ms", 1.5
        ),
        Figure(PROMISE, "bare DuckDB INSERT / bare append + fsync", duck / disk, "x", "DuckDB's own floor"),
        Figure(PROMISE, "computed: the first ratio where an fsync takes 5 ms", slow, "x", "not measured here"),
    ]
