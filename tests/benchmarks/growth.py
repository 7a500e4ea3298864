"""How many bytes on disk a byte of content becomes, after many runs through the real store, folded at each end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from figures import Figure, Words
from sizes import Sizes
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import ModelAnswered, ModelRequested, RunEnded, RunStarted
from statebook.protocol.messages import assistant
from statebook.protocol.models import Usage
from statebook.store.journal import Place
from statebook.store.store import Store

PROMISE = "growth"
_CONTENT = 4096


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    words = Words()
    runs = sizes.growth_runs
    fresh = folder / "fresh.statebook.duckdb"
    Store(fresh).close()
    empty = fresh.stat().st_size
    figures = []
    for what, text in (("random words", words.text), ("text that does not compress", words.noise)):
        size, content, most = _grow(folder / f"{what.split()[0]}.statebook.duckdb", runs, text)
        beside = f"{size / 1e6:.2f} MB for {content / 1e6:.2f} MB"
        name = f"disk / content after {runs} runs of 4 KB, {what}"
        figures.append(Figure(PROMISE, name, size / content, "x", beside, 1.5, "bytes"))
        note = "the newest rows are rewritten at each fold"
        name = f"... the most after any run from the 100th on, {what}"
        figures.append(Figure(PROMISE, name, most, "x", note, None, "bytes"))
    figures.append(Figure(PROMISE, "an empty session", empty / 1000, "KB", "", None, "bytes"))
    return figures


def _grow(path: Path, runs: int, text: Callable[[int], str]) -> tuple[int, int, float]:
    """Bytes on disk, bytes of content, and the largest ratio of the two from the 100th run on."""
    store = Store(path)
    content, most = 0, 0.0
    for run in range(1, runs + 1):
        answer = text(_CONTENT)
        content += len(answer.encode())
        _run(store, run, answer)
        if run >= min(100, runs):
            most = max(most, path.stat().st_size / content)
    assert not path.with_name(f"{path.name}.wal").exists(), "a run's end folds the log into the file"
    store.close()
    return path.stat().st_size, content, most


def _run(store: Store, run: int, answer: str) -> None:
    """What the loop commits for a run whose model answers at once, in the same transactions."""
    half = len(answer) // 2
    started = RunStarted("A question?", "A question?", f"cell-{run}", f"{run:064x}", "offline:research", Limits(50))
    store.commit([(Place(run), started)])
    store.commit([(Place(run, 1), ModelRequested("offline:research", f"{run:064x}", "e" * 64, "f" * 64, 1, 900))])
    store.draft(run, 1, 0, answer[:half])
    store.draft(run, 1, 1, answer[half:])
    store.commit([(Place(run, 1), ModelAnswered(assistant(answer), Usage(900, 0, 1000), "end", 1.5))])
    store.commit([(Place(run), RunEnded("done")), (Place(run), store.journal.checkpoint("run_end"))])
    store.settle(run)
