"""How long a rewind and a redo take at 100,000 events: the move itself, what is shown before it, and the tree."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from figures import Figure
from history import EVENTS_PER_RUN, long_session
from sizes import Sizes
from statebook.session.rewinding.looking.tree import tree
from statebook.session.rewinding.move import move, redo
from statebook.session.rewinding.parts import Parts
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import point
from statebook.session.rewinding.scope import parse_scope
from statebook.store.file.database import utc_now
from statebook.testing import TemporarySession
from statebook.ui.sheets.lines.tree import TreeSheet

PROMISE = "rewind"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = long_session(folder, sizes.long_runs)
    name = store.name.removesuffix(".statebook.duckdb")
    middle, scope = f"r{sizes.long_runs // 2}", parse_scope("+memory")
    moves, previews, redos, trees = [], [], [], []
    with TemporarySession(folder=folder, notebook=f"{name}.ipynb", sources=(), snapshots="off") as session:
        for _ in range(sizes.opens):
            began = time.perf_counter()
            preview = foresee(session.session, Parts(), point(session.store, middle), scope)
            shown = time.perf_counter()
            move(session.session, Parts(), preview)
            moved = time.perf_counter()
            assert max(session.store.run_numbers()) < sizes.long_runs // 2
            back = redo(session.session, Parts())
            foreseen = time.perf_counter()
            move(session.session, Parts(), back)
            redos.append(time.perf_counter() - foreseen)
            assert max(session.store.run_numbers()) == sizes.long_runs
            previews.append(shown - began)
            moves.append(moved - shown)
            began = time.perf_counter()
            TreeSheet(tree(session.session, 30), utc_now())._repr_html_()
            trees.append(time.perf_counter() - began)
        began = time.perf_counter()
        repr(TreeSheet(tree(session.session, sizes.long_runs), utc_now()))
        whole = time.perf_counter() - began
    events = sizes.long_runs * EVENTS_PER_RUN
    return [
        Figure(PROMISE, f"back to the middle of {events:,} events", 1000 * median(moves), "ms", "", 100),
        Figure(PROMISE, f"and its redo, over {events:,} events", 1000 * median(redos), "ms", "", 100),
        Figure(PROMISE, f"the preview of {sizes.long_runs // 2:,} runs that leave", 1000 * median(previews), "ms", ""),
        Figure(PROMISE, f"`%agent checkpoints` over {sizes.long_runs:,}", 1000 * median(trees), "ms", "", 100),
        Figure(PROMISE, f"the tree of all {sizes.long_runs:,} as text", 1000 * whole, "ms", ""),
    ]
