"""Runs one scenario's cells in a shell with one checkpointer, and prints what they took and left on disk, as JSON.

An adapter's script calls `main` with its class. It is run by the Python of the adapter's own environment, so nothing
but the standard library and IPython is imported here.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from scenarios import Scenario, Size, scenarios


class Checkpointer(Protocol):
    """Keeps a shell's variables after each cell, in a folder. Made before the first cell."""

    def __init__(self, shell: Any, folder: Path) -> None: ...

    def settle(self) -> None:
        """Wait until all that was kept is written."""
        ...

    def point(self) -> str:
        """The name of what was kept last."""
        ...

    def back(self, point: str) -> None:
        """Restore it."""
        ...

    def close(self) -> None:
        """Let go of the folder."""
        ...


def main(kind: Callable[[Any, Path], Checkpointer]) -> None:
    """``argv``: what to do (play, fresh), the folder, the scenario, its size as JSON, seconds, the point to restore.

    After so many seconds each change is measured once.
    """
    what, folder, key, size = sys.argv[1:5]
    given = Size(**json.loads(size))
    scenario = next(each for each in scenarios(given) if each.key == key)
    for name in ("numpy", "pandas"):
        import_module(name)  # before anything is timed
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    if what == "play":
        print(json.dumps(_play(shell, kind(shell, Path(folder)), Path(folder), scenario, given.times)))
    else:
        print(json.dumps(_fresh(shell, kind, Path(folder), sys.argv[6])))


def _play(shell: Any, keeper: Checkpointer, folder: Path, scenario: Scenario, times: int) -> dict[str, Any]:
    deadline = time.monotonic() + float(sys.argv[5])
    taken: dict[str, list[float]] = {}
    left: dict[str, list[int]] = {}

    def cell(source: str, name: str) -> None:
        before = _bytes(folder)
        taken.setdefault(name, []).append(_timed(lambda: _run(shell, source)))
        keeper.settle()
        left.setdefault(name, []).append(_bytes(folder) - before)

    keeper.settle()
    cell(scenario.make, "the first")
    for name, source in scenario.changes.items():
        for turn in range(times):
            if turn and time.monotonic() > deadline:
                break
            cell(source.format(turn=turn), name)
    undone: list[float] = []
    for turn in range(times if scenario.undo else 0):
        if undone and time.monotonic() > deadline:
            break
        point, value = keeper.point(), _value(shell)
        _run(shell, scenario.undo.format(turn=turn))
        keeper.settle()
        undone.append(_timed(lambda point=point: keeper.back(point)))
        assert _value(shell) == value, "it was not brought back"
    point, value = keeper.point(), _value(shell)
    keeper.close()
    return {"ms": taken, "bytes": left, "undo": undone, "point": point, "value": value}


def _fresh(shell: Any, kind: Callable[[Any, Path], Checkpointer], folder: Path, point: str) -> dict[str, Any]:
    """How long it takes to have all back in a new process."""

    def restore() -> None:
        kind(shell, folder).back(point)

    return {"ms": _timed(restore), "value": _value(shell)}


def _run(shell: Any, source: str) -> None:
    result = shell.run_cell(source, store_history=True)
    result.raise_error()


def _value(shell: Any) -> int:
    """What a frame holds, to the bit, to tell that it was restored."""
    frame = shell.user_ns.get("df")
    if frame is None:
        return 0
    return sum((number + 1) * int(frame[name].to_numpy().view("u8").sum()) for number, name in enumerate(frame))


def _timed(action: Callable[[], object]) -> float:
    """Milliseconds."""
    gc.collect()
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
