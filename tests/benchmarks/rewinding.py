"""How long a conversation rewind takes at 100,000 events: a branch started in the middle of the past."""

from __future__ import annotations

import itertools
from pathlib import Path

from figures import Figure, median
from history import EVENTS_PER_RUN, long_session
from sizes import Sizes
from statebook.store.store import Store

PROMISE = "rewind"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = Store(long_session(folder, sizes.long_runs))
    journal = store.journal
    main = journal.branch
    middle = journal.last_seq // 2
    count = itertools.count(len(journal.branches) + 1)

    def rewind() -> None:
        journal.switch(main)
        journal.start_branch(f"b{next(count)}", middle, checkpoint=journal.checkpoint_at(middle), why="a benchmark")
        store.run_numbers()

    value = median(rewind, sizes.opens)
    assert max(store.run_numbers()) <= sizes.long_runs // 2 + 1
    journal.switch(main)
    store.close()
    events = sizes.long_runs * EVENTS_PER_RUN
    return [Figure(PROMISE, f"back to the middle of {events:,} events, its runs listed", value, "ms", "", 100)]
