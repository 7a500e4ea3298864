"""How long a session of 100,000 events takes to open."""

from __future__ import annotations

import statistics
from pathlib import Path

from figures import Figure, interleaved
from history import EVENTS_PER_RUN, long_session
from sizes import Sizes
from statebook.store.store import Store

PROMISE = "open"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    import duckdb

    path = long_session(folder, sizes.long_runs)
    opened, bare = interleaved(
        [lambda _: Store(path).close(), lambda _: duckdb.connect(str(path)).close()], sizes.opens
    )
    events = sizes.long_runs * EVENTS_PER_RUN
    beside = f"bare duckdb.connect: {statistics.median(bare):.0f} ms"
    value = statistics.median(opened)
    return [Figure(PROMISE, f"a session of {events:,} events", value, "ms", beside, 300)]
