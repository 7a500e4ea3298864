"""Fixtures: one JupyterLab and one Chromium for all browser tests; screenshots on the side."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


lab = _load("lab")


@pytest.fixture(scope="module")  # a running playwright holds this thread's event loop: other folders need theirs
def browser() -> Iterator[Any]:
    executable = lab.chromium()
    if executable is None:
        pytest.skip("no Chromium is installed (apt-get install chromium, or STATEBOOK_CHROMIUM=path)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    place = tmp_path_factory.mktemp("lab")
    with lab.serve(place / "notebooks", place / "home") as running:
        yield running


@pytest.fixture
def open_notebook(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    """``open_notebook("name.ipynb", "cell one", "cell two", width=1200)``."""
    contexts = []

    def open_one(name: str, *sources: str, width: int = 1200, height: int = 1000) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        return lab.Notebook(context.new_page(), server, server.notebook(name, *sources) if sources else name)

    yield open_one
    for context in contexts:
        context.close()
    server.shut_down_kernels()


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[[Any, str], Path]:
    """Take a picture of an element or page; ``STATEBOOK_SCREENSHOTS`` names a folder that keeps it."""
    folder = Path(os.environ.get("STATEBOOK_SCREENSHOTS") or tmp_path)

    def take(what: Any, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        what.screenshot(path=path)
        return path

    return take
