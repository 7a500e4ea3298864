"""Every benchmark runs, gives finite numbers, and keeps its byte ratios; nothing is asserted on time."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.fixture(scope="module")
def figures():
    command = [sys.executable, str(RUN), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_every_promise_gives_finite_numbers(figures):
    promises = {
        "commit",
        "growth",
        "open",
        "list",
        "load",
        "rewind",
        "first token",
        "load_ext",
        "recall",
        "snapshot",
        "stop",
        "files",
    }
    assert {figure["promise"] for figure in figures} == promises
    assert all(math.isfinite(figure["value"]) for figure in figures)


@pytest.mark.slow
def test_what_is_written_stays_near_what_was_said(figures):
    """At forty runs the fixed cost of a file still weighs; five hundred are held to 1.5 by the benchmark itself."""
    ratios = [each for each in figures if each["kind"] == "bytes" and each["unit"] == "x"]
    assert ratios
    assert all(0 < each["value"] <= 3 for each in ratios), ratios
    (empty,) = [each for each in figures if each["what"] == "an empty session"]
    assert empty["value"] <= 128  # eight tables and their views, each column with a block of its own


@pytest.mark.slow
def test_the_committed_page_shows_every_promise(figures):
    page = RUN.parents[2].joinpath("docs", "benchmarks.md").read_text(encoding="utf-8")
    assert [each["promise"] for each in figures if f"| {each['promise']} |" not in page] == []
