"""Going back in a real JupyterLab: the preview, the question, the cell that is handed back, the tree, what is stale."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SETUP = """%load_ext statebook
from statebook.testing import ScriptedModel, call, say
get_ipython()._statebook.magics.session().use(ScriptedModel([
    say("Three."),
    call("python", {"code": "total = 13.6"}), call("write_file", {"path": "report.md", "text": "# Cities\\n"}),
    say("The report is written."),
    say("Another one.")]))"""
CELLS = (
    SETUP,
    "%agent tools allow *",
    "%%agent\nHow many cities?",
    "%%agent --label written\nWrite a report.",
    "%agent rewind r2",
    "total",
    "%agent",
    "%agent checkpoints",
    "%agent diff main",
    "%agent redo --yes",
    "total",
)


def test_a_person_looks_says_yes_and_returns(open_notebook, server, screenshot):
    notebook = open_notebook("back.ipynb", *CELLS, height=1300)
    page = notebook.page
    for index in range(4):
        notebook.run(index)
    assert (server.root / "report.md").exists()
    notebook.start(4)
    box = page.locator(".jp-Stdin-input")
    box.wait_for(timeout=30_000)
    preview = notebook.outputs(4)
    told = " ".join(preview.inner_text().split())
    assert "Go back to where r2 began?" in told
    assert "Conversation r2 leaves" in told
    assert "Outputs 1 cell will show" in told
    assert "# Cities" in told, "the diff of one file is unfolded"
    prompt = preview.locator("td", has_text="Write a report.").first
    assert not prompt.is_visible()
    preview.locator("summary", has_text="Conversation").first.click()
    assert prompt.is_visible()
    screenshot(page, "rewind-light")
    notebook.theme("JupyterLab Dark")
    screenshot(page, "rewind-dark")
    notebook.theme("JupyterLab Light")
    box.fill("y")
    box.press("Enter")
    assert "Back at where r2 began" in notebook.finished(4)
    assert not (server.root / "report.md").exists()
    handed = notebook.cell(5).locator(".cm-content").inner_text()
    assert handed.splitlines() == ["%%agent --label written", "Write a report."]
    page.wait_for_timeout(300)
    _what_is_there(notebook, server, screenshot)


def _what_is_there(notebook, server, screenshot):
    assert "NameError" in notebook.run(6)
    assert "r2 Write a report." in notebook.run(7), "its output is stale"
    tree = notebook.run(8)
    assert "[" not in tree, "what stands for the style sheet is not seen beside it"
    rows = notebook.outputs(8).locator(".sb-row")
    assert rows.count() == 2
    assert notebook.outputs(8).locator(".sb-here").inner_text() == "main-2"
    assert "r2 only at main" in notebook.run(9)
    assert "Returned to" in notebook.run(10)
    assert "13.6" in notebook.run(11)
    assert (server.root / "report.md").read_text() == "# Cities\n"
    screenshot(notebook.page, "back-light")
    notebook.theme("JupyterLab Dark")
    screenshot(notebook.page, "back-dark")


def test_a_tree_reads_well_in_a_notebook_that_is_not_trusted(open_notebook, server, screenshot):
    """JupyterLab takes the style sheet and the drawing away."""
    from datetime import datetime, timedelta

    import nbformat
    from statebook.session.rewinding.looking.tree import Line, Row, Tree
    from statebook.store.reading.runs import Told
    from statebook.ui.sheets.lines.tree import TreeSheet

    now = datetime(2026, 11, 23, 12)  # noqa: DTZ001 - as the store keeps times
    rows = tuple(
        Row(number, 1, branch, "run_end", "", number, 0, now - timedelta(hours=5), True, Told(f"question {number}"))
        for number, branch in ((3, 2), (2, 1), (1, 1))
    )
    sheet = TreeSheet(Tree(rows, (Line(1, "main", 0), Line(2, "other", 1)), 2, 3), now)
    output = nbformat.v4.new_output("display_data", data={"text/html": sheet._repr_html_(), "text/plain": repr(sheet)})
    cell = nbformat.v4.new_code_cell("%agent checkpoints", outputs=[output], execution_count=1)
    server.write("untrusted_tree.ipynb", [cell])
    out = open_notebook("untrusted_tree.ipynb").outputs(0)
    out.locator("code").first.wait_for(timeout=20_000)
    assert out.locator("style, .sb-row svg").count() == 0, "this output is sanitised"
    screenshot(out, "untrusted-tree")
    lines = [" ".join(line.split()) for line in out.inner_text().splitlines() if line.strip()]
    assert lines[:3] == [
        "● #3 [other] r3 question 3 · 5 h ago",
        "│ ● #2 [main] r2 question 2 · 5 h ago",
        "╰─● #1 r1 question 1 · 5 h ago",
    ]
