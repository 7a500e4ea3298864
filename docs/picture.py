"""Takes the pictures in docs/images: cells run in a real JupyterLab in headless Chromium.

    python docs/picture.py            # all of them
    python docs/picture.py drill      # one: notebook (the README's first cells), drill (the report of %agent drill),
                                      # rewind (its preview and question), checkpoints (their tree)

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
IMAGES = ROOT / "docs" / "images"
BRIEFS = ROOT / "kernel_ext" / "statebook" / "demo" / "briefs"
RESEARCH = (
    "%load_ext statebook",
    "%%agent\nWhat happens to a tool call that is in doubt after a SIGKILL? Keep the findings.",
    "%agent memory",
)
MAIL = (
    """%load_ext statebook
import statebook
from statebook.protocol.models import Usage
from statebook.testing import ScriptedModel, call, say
@statebook.tool(effect="read")
def find_address(name: str) -> str:
    "Find the address of a person."
    return f"{name}@example.org"
@statebook.tool
def send_mail(to: str, text: str) -> str:
    "Send a mail."
    return f"sent to {to}"
used = Usage(2400, 0, 180)
get_ipython()._statebook.magics.session().use(ScriptedModel([
    call("find_address", {"name": "ada"}, "find_address", {"name": "grace"}, text="I look both up.", usage=used),
    call("send_mail", {"to": "ada@example.org", "text": "We meet on Monday."}, usage=used),
    call("remember", {"text": "Ada and Grace meet on Monday."}, usage=used),
    say("Ada has the invitation, and I keep the date in mind.", usage=used)], prices=(2, 8)))""",
    "%agent tools allow send_mail",
    "%%agent\nInvite Ada, and keep the date.",
    "%agent drill",
)
"""A run with a tool of each effect, by a model whose answers are written down."""
CITIES = (
    """%load_ext statebook
import pandas as pd
import statebook
from statebook.testing import ScriptedModel, call, say
df = pd.DataFrame({"city": ["Rome", "Oslo", "Lima"], "people": [2.8, 0.7, 10.1]})
@statebook.tool
def send_mail(to: str, subject: str) -> str:
    "Send a mail."
    return "sent"
share = "df['share'] = df.people / df.people.sum(); total = float(df.people.sum())"
report = "# Cities\\n\\nLima has three quarters of the people.\\n"
get_ipython()._statebook.magics.session().use(ScriptedModel([
    say("13.6 million people live in the three cities."),
    call("python", {"code": share}), call("write_file", {"path": "report.md", "text": report}),
    say("The shares are in `df`, and the report is written."),
    call("send_mail", {"to": "team@example.org", "subject": "Cities"}),
    call("remember", {"text": "Lima has the most people of the three."}),
    say("It is sent."),
    call("write_file", {"path": "report.md", "text": "# Cities\\n\\nLima, Rome, Oslo.\\n"}),
    say("It lists them by size now.")]))""",
    "%agent tools allow *",
    "%%agent\nHow many people live in these cities?",
    "%%agent\nAdd each city's share, and write a report.",
    "%%agent --label mailed\nMail the team that it is done.",
    "%agent rewind r2",
    "%%agent\nWrite a report that lists them by size.",
    "%agent checkpoints",
)
"""Three runs, the way back before the second, and another second one."""


def main(*names: str) -> None:
    """Take the pictures of these names, or all."""
    from playwright.sync_api import sync_playwright

    lab = _lab()
    takes = {"notebook": _notebook, "drill": _drill, "rewind": _rewind, "checkpoints": _checkpoints}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "notebooks"
        shutil.copytree(BRIEFS, folder)
        with lab.serve(folder, Path(place) / "home") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=lab.chromium(), args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1180, "height": 1000}, device_scale_factor=1.5)
            for name in names or takes:
                takes[name](lab, server, page, IMAGES / f"{name}.png")
            browser.close()


def _notebook(lab: Any, server: Any, page: Any, path: Path) -> None:
    notebook = lab.Notebook(page, server, server.notebook("research.ipynb", *RESEARCH))
    for index in range(len(RESEARCH)):
        notebook.run(index)
    _tidy(notebook)
    page.screenshot(path=path)


def _rewind(lab: Any, server: Any, page: Any, path: Path) -> None:
    """The preview, and the question that waits for an answer."""
    notebook, asking = _asking(lab, server, page, path.stem)
    _one_cell(notebook, asking, path)


def _checkpoints(lab: Any, server: Any, page: Any, path: Path) -> None:
    """The tree after the answer was yes and the agent went on."""
    notebook, asking = _asking(lab, server, page, path.stem)
    page.locator(".jp-Stdin-input").fill("y")
    page.keyboard.press("Enter")
    notebook.finished(asking)
    for index in range(asking + 2, len(CITIES) + 1):  # below the cell that is handed back
        notebook.run(index)
    _one_cell(notebook, len(CITIES), path)


def _asking(lab: Any, server: Any, page: Any, name: str) -> tuple[Any, int]:
    """A notebook in which a rewind has been begun, and the index of its cell."""
    notebook = lab.Notebook(page, server, server.notebook(f"{name}.ipynb", *CITIES))
    asking = next(index for index, source in enumerate(CITIES) if source.startswith("%agent rewind"))
    for index in range(asking):
        notebook.run(index)
    notebook.start(asking)
    page.wait_for_selector(".jp-Stdin-input", timeout=30_000)
    return notebook, asking


def _one_cell(notebook: Any, index: int, path: Path) -> None:
    """A picture of one cell in a window as wide as its output needs."""
    page, before = notebook.page, notebook.page.viewport_size
    page.set_viewport_size({"width": 940, "height": before["height"]})
    notebook.command("application:toggle-left-area")
    cell = notebook.cell(index)
    cell.scroll_into_view_if_needed()
    page.mouse.move(900, 5)
    page.wait_for_timeout(800)
    page.screenshot(path=path, clip=cell.bounding_box())
    page.set_viewport_size(before)


def _drill(lab: Any, server: Any, page: Any, path: Path) -> None:
    """The last cell only, as wide as its report."""
    notebook = lab.Notebook(page, server, server.notebook("mail.ipynb", *MAIL))
    for index in range(len(MAIL)):
        notebook.run(index, timeout=300)
    _tidy(notebook)
    page.keyboard.press("ArrowUp")  # the cell above has the toolbar then
    last = notebook.cell(len(MAIL) - 1)
    last.scroll_into_view_if_needed()
    page.mouse.move(1100, 5)  # off the table: a row under it is drawn in another colour
    page.wait_for_timeout(300)
    box = last.bounding_box()
    page.screenshot(path=path, clip={**box, "width": min(box["width"], 960)})


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
    main(*sys.argv[1:])
