"""The checkpoints' benchmark runs, gives every number, and draws its page; the product depends on no peer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def bench(monkeypatch):
    """Modules of the benchmark, by name: scripts beside each other, as `run.py` sees them."""
    monkeypatch.syspath_prepend(str(HERE))
    return import_module


def test_the_product_depends_on_no_peer():
    text = HERE.parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    assert not [name for name in ("kishu", "dill") if f'"{name}' in text]


def test_every_peer_is_pinned_to_the_last_package():
    for pins in (HERE / "requirements").iterdir():
        lines = [line for line in pins.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert lines
        assert all("==" in line for line in lines)


def test_the_table_and_the_picture_show_every_step(bench):
    page = bench("cost_page")
    results = [
        page.Taken("statebook", "a frame", {"first": 12.0, "changed": 0.2}, {"first": 2e8, "changed": 512.0}),
        page.Taken("kishu", "a frame", {"first": 900.0}, {"first": 2e8}),
        page.Taken("dill", "a frame", {}, {}, "it ended"),
        page.Taken("git", "files", {"first": 5.0}, {"first": 5e6}),
    ]
    assert page.table(results) == [
        ["what is kept", "step", "statebook", "Kishu", "dill", "git"],
        ["a frame", "first", "12 ms / 200.0 MB", "900 ms / 200.0 MB", "failed", ""],
        ["", "changed", "0 ms / 0.5 KB", "failed", "failed", ""],
        ["files", "first", "", "", "", "5 ms / 5.0 MB"],
    ]
    picture = bench("cost_picture").draw(results, page.COLUMNS)
    assert picture.count("<rect") == 1 + 4 + 4
    assert "900" in picture


def test_the_page_tells_what_was_left_out(bench, monkeypatch, tmp_path):
    page = bench("cost_page")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "picture.svg")
    results = [
        page.Taken("statebook", "a frame", {"first": 12.0}, {"first": 2e8}),
        page.Taken("dill", "a frame", {}, {}, "it ended"),
    ]
    page.write_page(results, {"Kishu": "no network"})
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "Kishu was left out: it could not be installed (no network)." in text
    assert "dill, a frame: it ended." in text
    assert "kishu 0.3.4" in text
    assert "<svg" in (tmp_path / "picture.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_statebook_keeps_and_restores_every_scenario(tmp_path):
    target = tmp_path / "results.json"
    command = [sys.executable, str(HERE / "run.py"), "--quick", "--with", "statebook", "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    results = [result for result in json.loads(target.read_text()) if result["contender"] == "statebook"]
    assert [result["failed"] for result in results] == [""] * 6
    frame, *_, files = results
    assert {"undo of one column", "restored into a new kernel"} <= frame["ms"].keys()
    assert frame["bytes"]["one column changed"] < frame["bytes"]["the first"] / 5
    assert files["bytes"]["no change"] < 20_000
    assert files["bytes"]["one edit in the big file"] < files["bytes"]["the first"]
    assert shutil.which("git") is None or "a shadow git" in done.stderr
