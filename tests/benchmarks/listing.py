"""How long it takes to list 10,000 checkpoints, and what `%agent list` shows of as many runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

from figures import Figure, median
from history import long_session
from sizes import Sizes
from statebook.magic.commands.table import Commands
from statebook.store.store import Store

PROMISE = "list"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = Store(long_session(folder, sizes.long_runs))
    session = SimpleNamespace(store=store)
    commands = Commands(SimpleNamespace(session=lambda: session))
    count = len(store.sql("SELECT * FROM checkpoints"))
    assert count == sizes.long_runs
    assert len(commands.do(Namespace(command="list", n=20))) == 20
    times = sizes.opens
    listed = median(lambda: store.sql("SELECT * FROM checkpoints"), times)
    newest = median(lambda: store.sql("SELECT * FROM checkpoints ORDER BY checkpoint DESC LIMIT 50"), times)
    runs = median(lambda: commands.do(Namespace(command="list", n=20)), times)
    bare = median(lambda: store.sql("SELECT count(*) FROM (SELECT kind, body FROM journal)"), times)
    store.close()
    return [
        Figure(PROMISE, f"all {count:,} checkpoints", listed, "ms", f"counting the journal: {bare:.1f} ms", 100),
        Figure(PROMISE, f"the newest 50 of {count:,} checkpoints", newest, "ms", "", 100),
        Figure(PROMISE, f"`%agent list` over {sizes.long_runs:,} runs", runs, "ms", "", 100),
    ]
