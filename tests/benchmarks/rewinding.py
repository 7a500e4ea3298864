"""How long going back and returning takes at 100,000 events: the whole command, the move in it, and the tree.

A command is what ``%agent rewind r5000 --yes`` does: the point is found, the preview made and drawn, the session moved,
and what came of it drawn; without the question, and in a kernel in which a run was made before.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from figures import Figure
from history import EVENTS_PER_RUN, long_session
from sizes import Sizes
from statebook.session.rewinding.looking.tree import tree
from statebook.session.rewinding.move import move, redo
from statebook.session.rewinding.parts import Parts
from statebook.session.rewinding.plan import Preview, foresee
from statebook.session.rewinding.points import point
from statebook.session.rewinding.scope import parse_scope
from statebook.session.session import Session
from statebook.store.file.database import utc_now
from statebook.testing import TemporarySession
from statebook.ui.sheets.lines.preview import PreviewSheet
from statebook.ui.sheets.lines.tree import TreeSheet

PROMISE = "rewind"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    store = long_session(folder, sizes.long_runs)
    name, last = store.name.removesuffix(".statebook.duckdb"), sizes.long_runs
    spent: dict[str, list[float]] = defaultdict(list)
    with TemporarySession(folder=folder, notebook=f"{name}.ipynb", sources=(), snapshots="off") as session:
        for where, run in (("few", last - 4), ("half", last // 2)):
            _back_and_forth(session.session, run)  # once, so that all is read that a kernel reads once
            for _ in range(sizes.opens):
                for what, seconds in _back_and_forth(session.session, run).items():
                    spent[f"{what} {where}"].append(seconds)
                began = time.perf_counter()
                TreeSheet(tree(session.session, 30), utc_now())._repr_html_()
                spent["tree"].append(time.perf_counter() - began)
        began = time.perf_counter()
        repr(TreeSheet(tree(session.session, last), utc_now()))
        whole = time.perf_counter() - began
    took = {what: 1000 * median(seconds) for what, seconds in spent.items()}
    events, half = f"{last * EVENTS_PER_RUN:,} events", f"{last - last // 2 + 1:,} runs leave"
    return [
        Figure(PROMISE, f"a rewind among {events}, 5 runs leave, the whole command", took["back few"], "ms", "", 100),
        Figure(PROMISE, "the move in it", took["move few"], "ms", "", 100),
        Figure(PROMISE, "its redo, the whole command", took["redo few"], "ms", "", 100),
        Figure(PROMISE, f"a rewind among {events}, {half}, the whole command", took["back half"], "ms", ""),
        Figure(PROMISE, "the move in it, to the middle", took["move half"], "ms", "", 100),
        Figure(PROMISE, "its redo, the whole command, from the middle", took["redo half"], "ms", ""),
        Figure(PROMISE, f"`%agent checkpoints` over {last:,}", took["tree"], "ms", "", 100),
        Figure(PROMISE, f"the tree of all {last:,} as text", 1000 * whole, "ms", ""),
    ]


def _back_and_forth(session: Session, run: int) -> dict[str, float]:
    """Seconds of a rewind, of the move in it, and of the redo that returns."""
    numbers = session.store.run_numbers
    last = max(numbers())
    back, moved = _command(
        session, lambda: foresee(session, Parts(), point(session.store, f"r{run}"), parse_scope("+memory"))
    )
    assert max(numbers()) == run - 1
    returned, _ = _command(session, lambda: redo(session, Parts()))
    assert max(numbers()) == last
    return {"back": back, "move": moved, "redo": returned}


def _command(session: Session, foreseen: Callable[[], Preview]) -> tuple[float, float]:
    """Seconds of one command as it is drawn in a notebook, and of the move in it."""
    began = time.perf_counter()
    preview = foreseen()
    PreviewSheet(preview).bundle()
    shown = time.perf_counter()
    moved = move(session, Parts(), preview)
    done = time.perf_counter()
    PreviewSheet(preview, moved).bundle()
    return time.perf_counter() - began, done - shown
