"""How soon the prompt is back after the stop button is pressed, at each place where a run can be."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from figures import Figure
from sizes import Sizes

PROMISE = "stop"
_PROMISED = 200
_KERNEL = Path(__file__).parents[1] / "kernel"


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    home = folder / "stop"
    home.mkdir()
    places, kernels = _load("places"), _load("conftest")
    notebook = home / "book.ipynb"
    notebook.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    kernel = kernels.Kernel(notebook)
    taken: dict[str, list[float]] = {}
    try:
        for code in (kernels.SETUP, places.SETUP):
            kernel.cell(code)
        first = _stop(kernel, home, places.PLACES[0], -1)  # the first of all imports
        wanted = [place for number, place in enumerate(places.PLACES) if number % sizes.every_place == 0]
        for turn in range(sizes.stops):
            for place in wanted:
                taken.setdefault(place.name, []).append(_stop(kernel, home, place, turn))
        second = [_second(kernel, home, turn) for turn in range(sizes.stops)]
        plain = statistics.median(_plain(kernel, home) for _ in range(sizes.stops))
    finally:
        kernel.close()
    quick = [ms for place in wanted if place.quick for ms in taken[place.name]]
    beside = f"; a plain cell with time.sleep: {plain:.0f} ms"
    figures = [
        _figure(f"{len(quick)} stops at {len(taken)} places, prompt back / promised, median", quick, beside),
        _figure("... the slowest of them", [max(quick)]),
        _figure("a second press while the first settles, median", second),
        Figure(PROMISE, "... the first stop of a kernel", first / _PROMISED, "x", f"{first:.0f} ms"),
    ]
    return [*figures, *(_row(place, taken[place.name]) for place in wanted)]


def _figure(what: str, sample: list[float], more: str = "") -> Figure:
    value = statistics.median(sample)
    return Figure(PROMISE, what, value / _PROMISED, "x", f"{value:.0f} ms beside {_PROMISED} ms{more}", 1)


def _row(place: Any, sample: list[float]) -> Figure:
    value = statistics.median(sample)
    beside = f"{value:.0f} ms; the slowest of {len(sample)}: {max(sample):.0f} ms"
    beside += "" if place.quick else "; takes what other code takes to end"
    return Figure(PROMISE, place.name, value / _PROMISED, "x", beside, 1 if place.quick else None)


def _stop(kernel: Any, home: Path, place: Any, turn: int) -> float:
    """Milliseconds from the press until the cell has answered and the kernel is idle."""
    mark = home / "begun"
    mark.unlink(missing_ok=True)
    kernel.cell(place.ready)
    port = kernel.cell("print(globals().get('_port'))").text.strip()
    sent = kernel.send(place.cell.replace("{port}", port) + f" {place.name} {turn}")
    end = time.monotonic() + 60
    while not (kernel.client.stdin_channel.msg_ready() if place.asked else mark.exists()):
        assert time.monotonic() < end, place.name
        time.sleep(0.01)
    time.sleep(0.2)
    while kernel.client.stdin_channel.msg_ready():
        kernel.client.get_stdin_msg(timeout=5)
    return _pressed(kernel, sent)


def _second(kernel: Any, home: Path, turn: int) -> float:
    """The same for a second press, of a run that heeds no first one."""
    heard = home / "ledger.txt"
    heard.unlink(missing_ok=True)
    kernel.cell(_load("places").STUBBORN)
    sent = kernel.send(f"%%agent\nHeed nothing {turn}")
    (home / "begun").unlink(missing_ok=True)
    end = time.monotonic() + 60
    while not (home / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    kernel.interrupt()
    while not heard.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    taken = _pressed(kernel, sent)
    kernel.cell("del _magics.asker")
    return taken


def _pressed(kernel: Any, sent: str) -> float:
    began = time.perf_counter()
    kernel.interrupt()
    out = kernel.collect(sent)
    taken = (time.perf_counter() - began) * 1000
    assert out.errors[0]["ename"] in ("RunInterrupted", "KeyboardInterrupt"), out.errors
    return taken


def _plain(kernel: Any, home: Path) -> float:
    """The same for a cell without an agent: what the kernel and its traceback take."""
    (home / "begun").unlink(missing_ok=True)
    sent = kernel.send("begun(); time.sleep(60)")
    end = time.monotonic() + 60
    while not (home / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.2)
    return _pressed(kernel, sent)


def _load(name: str) -> ModuleType:
    """A module of the tests of real kernels, which are started and stopped there in the same way."""
    key = f"kernel_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, _KERNEL / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]
