"""What a snapshot of the kernel's variables costs, beside pickling them all with cloudpickle and dill."""

from __future__ import annotations

import gc
import importlib.util
import io
import os
import queue
import statistics
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import Figure, once
from sizes import Sizes
from statebook.state.snapshots import Snapshots

PROMISE = "snapshot"
_COLUMNS = 25
_TIMES = 5


class Pack:
    """Chunks in one append-only file, written by a thread behind the cell, without an fsync each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._places: dict[str, tuple[int, int]] = {}
        self._waiting: dict[str, bytes] = {}
        self._queue: queue.SimpleQueue[tuple[str, bytes] | threading.Event] = queue.SimpleQueue()
        self.bytes_put = 0
        self._end = 0
        threading.Thread(target=self._write, name="statebook pack", daemon=True).start()

    def has(self, digest: str) -> bool:
        return digest in self._waiting or digest in self._places

    def put(self, digest: str, data: bytes) -> None:
        self.bytes_put += len(data)
        self._waiting[digest] = data
        self._queue.put((digest, data))

    def get_into(self, digest: str, target: memoryview) -> None:
        data = self._waiting.get(digest)
        if data is not None:
            target[:] = data
            return
        place, size = self._places[digest]
        assert os.preadv(self._file.fileno(), [target], place) == size

    def drain(self) -> None:
        done = threading.Event()
        self._queue.put(done)
        done.wait()

    def _write(self) -> None:
        while True:
            job = self._queue.get()
            if isinstance(job, threading.Event):
                job.set()
                continue
            digest, data = job
            self._file.write(data)
            self._places[digest] = (self._end, len(data))
            self._end += len(data)
            del self._waiting[digest]


class Book:
    """A namespace, its snapshots, and what the last one cost."""

    def __init__(self, namespace: dict[str, Any], pack: Pack) -> None:
        self.namespace = namespace
        self.pack = pack
        self.snapshots = Snapshots(namespace, pack)

    def run(self, source: str) -> None:
        exec(source, self.namespace)

    def after(self, source: str) -> tuple[float, int]:
        """Run a cell; milliseconds and new bytes of the snapshot after it."""
        self.run(source)
        before = self.pack.bytes_put
        cost = once(lambda: self.snapshots.capture(self.snapshots.touched(source)))
        added = self.pack.bytes_put - before
        self.pack.drain()
        return cost, added


@contextmanager
def _book(folder: Path, name: str) -> Iterator[Book]:
    main = types.ModuleType("__main__")
    real = sys.modules["__main__"]
    sys.modules["__main__"] = main
    try:
        main.__dict__["__builtins__"] = __builtins__
        yield Book(main.__dict__, Pack(folder / f"{name}.pack"))
    finally:
        sys.modules["__main__"] = real
        gc.collect()


def _rivals(book: Book) -> dict[str, float]:
    """Milliseconds in which others pickle all variables, for each that is installed."""
    names = [name for name, value in book.namespace.items() if not name.startswith("__") and not _is_module(value)]
    found = {}
    for rival in ("cloudpickle", "dill"):
        if importlib.util.find_spec(rival):
            module = importlib.import_module(rival)
            values = {name: book.namespace[name] for name in names}
            found[rival] = min(once(lambda module=module, values=values: _dump(module, values)) for _ in range(2))
    return found


def _dump(module: Any, values: Any) -> int:
    file = io.BytesIO()
    module.dump(values, file, protocol=5)
    return file.tell()


def _is_module(value: object) -> bool:
    return isinstance(value, types.ModuleType)


def _beside(book: Book) -> str:
    return ", ".join(f"{rival} of all variables {value:,.0f} ms" for rival, value in _rivals(book).items())


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    return [
        *_frame(folder, sizes.frame_rows),
        *_shared(folder, sizes.frame_rows // 2),
        *_small(folder, sizes.small_variables),
        *_dicts(folder, sizes.dicts),
    ]


def _frame(folder: Path, rows: int) -> list[Figure]:
    with _book(folder, "frame") as book:
        first, _ = book.after(
            "import numpy as np, pandas as pd\nrng = np.random.default_rng(1)\n"
            f"df = pd.DataFrame({{f'c{{i}}': rng.random({rows}) for i in range({_COLUMNS})}})\nother = [1]"
        )
        size = rows * _COLUMNS * 8
        column = _several(lambda turn: book.after(f"df['c{turn}'] = df['c{turn}'] * 2"))
        value = _several(lambda turn: book.after(f"df.loc[{turn}, 'c9'] = 0.5"))
        apart = _several(lambda turn: book.after(f"other.append({turn})"))
        read = _several(lambda turn: book.after(f"df['c{turn}'].sum()"))
        beside = _beside(book)
        undo = [_undo(book, turn) for turn in range(_TIMES)]
        whole, target = book.snapshots.last, {}
        fresh = min(once(lambda: Snapshots(target, book.pack).restore(whole)) for _ in range(2))
    name = f"a frame of {size / 1e6:,.0f} MB"
    return [
        Figure(PROMISE, f"{name}: the first", first, "ms"),
        Figure(PROMISE, f"{name}: one column changed", column[0], "ms", beside, 20),
        Figure(
            PROMISE,
            f"{name}: one column changed, new bytes / its bytes",
            column[1] / (rows * 8),
            "x",
            "",
            1.05,
            "bytes",
        ),
        Figure(PROMISE, f"{name}: one value changed", value[0], "ms", f"{value[1] / 1e6:.2f} MB new"),
        Figure(PROMISE, f"{name}: an unrelated cell", apart[0], "ms", "", 10),
        Figure(PROMISE, f"{name}: only read", read[0], "ms"),
        Figure(PROMISE, f"{name}: undo of one column", statistics.median(undo), "ms", "", 20),
        Figure(PROMISE, f"{name}: restored into a fresh namespace, per GB", fresh / 1e3 / (size / 1e9), "s", "", 2.5),
    ]


def _several(action: Callable[[int], tuple[float, int]]) -> tuple[float, float]:
    found = [action(turn) for turn in range(_TIMES)]
    return statistics.median(cost for cost, _ in found), statistics.median(added for _, added in found)


def _undo(book: Book, turn: int) -> float:
    before = book.snapshots.last
    book.after(f"df['c{turn}'] = 0.0")
    known: frozenset[str] = frozenset()  # as in a session that follows its cells: nothing ran since the last snapshot
    return once(lambda: book.snapshots.apply(book.snapshots.prepare(before, seen=known)))


def _shared(folder: Path, rows: int) -> list[Figure]:
    with _book(folder, "shared") as book:
        _, added = book.after(
            "import numpy as np, pandas as pd\nrng = np.random.default_rng(1)\n"
            f"a = pd.DataFrame({{f'c{{i}}': rng.random({rows}) for i in range({_COLUMNS})}})\n"
            "b = a[['c1', 'c2', 'c3']]\nc = a.assign(n=1.0)\nd = a.drop(columns='c0')\ns = a['c4']"
        )
        cost, _ = _several(lambda turn: book.after(f"a['c{turn}'] = a['c{turn}'] + 1"))
    real = rows * 8 * (_COLUMNS + 1)
    return [
        Figure(PROMISE, "frames that share columns: bytes / bytes in memory", added / real, "x", "", 1.05, "bytes"),
        Figure(PROMISE, "frames that share columns: one column changed", cost, "ms"),
    ]


def _small(folder: Path, count: int) -> list[Figure]:
    with _book(folder, "small") as book:
        first, _ = book.after(f"for i in range({count}): globals()[f'v{{i}}'] = {{'n': i, 'l': [i, str(i)]}}\ndel i")
        cost, added = _several(lambda turn: book.after(f"v{turn}['l'].append(0)"))
        beside = _beside(book)
    return [
        Figure(PROMISE, f"{count:,} small variables: the first", first, "ms"),
        Figure(PROMISE, f"{count:,} small variables: one changed", cost, "ms", f"{beside}; {added:,.0f} bytes new", 10),
    ]


def _dicts(folder: Path, count: int) -> list[Figure]:
    with _book(folder, "dicts") as book:
        book.after(f"rows = [{{'id': i, 'name': f'n{{i}}', 'score': i * 0.5}} for i in range({count})]")
        ratios, costs, news = [], [], []
        for turn in range(_TIMES):
            cost, added = book.after(f"rows[{turn * 7}]['score'] = -1.0")
            ratios.append(cost / _rivals(book)["cloudpickle"])
            costs.append(cost)
            news.append(added)
        beside = _beside(book)
    new = f"{beside}; {statistics.median(costs):,.0f} ms, {statistics.median(news):,.0f} bytes new"
    name = f"a list of {count:,} dicts, one changed, against cloudpickle"
    return [Figure(PROMISE, name, statistics.median(ratios), "x", new, 1.2)]
