"""How long it takes to read one run, the runs before it, and what is remembered, out of 100,000 events."""

from __future__ import annotations

from pathlib import Path

from figures import Figure, median, once
from history import EVENTS_PER_RUN, long_session
from sizes import Sizes
from statebook.store.store import Store

PROMISE = "load"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = Store(long_session(folder, sizes.long_runs))
    middle = sizes.long_runs // 2
    one = median(lambda: store.run(middle), sizes.opens)
    numbers = median(store.run_numbers, sizes.opens)
    memories = once(store.as_of_head.memories)
    again = once(store.as_of_head.memories)
    events = f"out of {sizes.long_runs * EVENTS_PER_RUN:,} events"
    store.close()
    return [
        Figure(PROMISE, f"one run {events}", one, "ms"),
        Figure(PROMISE, f"the numbers of {sizes.long_runs:,} runs", numbers, "ms"),
        Figure(PROMISE, f"{sizes.long_runs:,} memories, for the first time", memories, "ms", f"again: {again:.1f} ms"),
    ]
