"""A long session: runs of ten events each, appended through the real journal, and a short run as the loop writes it."""

from __future__ import annotations

from pathlib import Path

from figures import Words
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import (
    Event,
    MemoryKept,
    ModelAnswered,
    ModelRequested,
    RunEnded,
    RunStarted,
    ToolFinished,
    ToolIntended,
)
from statebook.protocol.messages import Message, Text, ToolCall, ToolResult, assistant
from statebook.protocol.models import Usage
from statebook.store.journal import Place
from statebook.store.store import Store

EVENTS_PER_RUN = 10
_BATCH = 50


def long_session(folder: Path, runs: int) -> Path:
    """The store of a session of so many runs; built once per folder."""
    path = folder / f"long-{runs}.statebook.duckdb"
    if not path.exists():
        words = Words()
        store = Store(path)
        for first in range(1, runs + 1, _BATCH):
            batch: list[tuple[Place, Event]] = []
            for run in range(first, min(first + _BATCH, runs + 1)):
                batch += _run(store, run, words)
            store.journal.append(batch)
        store.close()
    return path


def _run(store: Store, run: int, words: Words) -> list[tuple[Place, Event]]:
    call = ToolCall(f"c{run}", "search_sources", f'{{"query":"{words.text(30)}"}}')
    asks = Message("assistant", (Text("Let me look."), call))
    result = ToolResult(call.id, call.name, words.text(600))
    asked = ModelRequested("offline:research", "d" * 64, "e" * 64, "f" * 64, run, 1000)
    checkpoint = store.journal.checkpoint("run_end")
    steps: list[tuple[int, Event]] = [
        (0, RunStarted(words.text(80), "", f"cell-{run}", f"{run:064x}", "offline:research", Limits(50))),
        (1, asked),
        (1, ModelAnswered(asks, Usage(1000, 0, 20), "tool_calls", 0.1)),
        (2, ToolIntended(call, "read", f"s:{run}.2")),
        (2, ToolFinished(result, 0.01)),
        (2, MemoryKept(run, words.text(90), "agent")),
        (3, asked),
        (3, ModelAnswered(assistant(words.text(400)), Usage(1200, 1000, 100), "end", 0.2)),
        (0, RunEnded("done")),
        (0, checkpoint.__class__(run, run - 1, "run_end")),
    ]
    return [(Place(run, step), event) for step, event in steps]
