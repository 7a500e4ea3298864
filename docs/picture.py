"""Takes docs/images/notebook.png: the README's first cells, run in a real JupyterLab in headless Chromium.

    python docs/picture.py

Needs what the browser tests need: ``pip install -e ".[test]"`` and a Chromium.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "notebook.png"
BRIEFS = ROOT / "kernel_ext" / "statebook" / "demo" / "briefs"
CELLS = (
    "%load_ext statebook",
    "%%agent\nWhat happens to a tool call that is in doubt after a SIGKILL? Keep the findings.",
    "%agent memory",
)


def main() -> None:
    """Run the cells and keep the picture."""
    from playwright.sync_api import sync_playwright

    lab = _lab()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "notebooks"
        shutil.copytree(BRIEFS, folder)
        with lab.serve(folder, Path(place) / "home") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=lab.chromium(), args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1180, "height": 1000}, device_scale_factor=1.5)
            notebook = lab.Notebook(page, server, server.notebook("research.ipynb", *CELLS))
            for index in range(len(CELLS)):
                notebook.run(index)
            _tidy(notebook)
            page.screenshot(path=PICTURE)
            browser.close()


def _tidy(notebook: Any) -> None:
    """Out of the way: the file browser and a selected cell's toolbar."""
    notebook.command("application:toggle-left-area")
    notebook.page.keyboard.press("Escape")
    notebook.cell(0).scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(800)


def _lab() -> Any:
    path = ROOT / "tests" / "browser" / "lab.py"
    spec = importlib.util.spec_from_file_location("lab", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
