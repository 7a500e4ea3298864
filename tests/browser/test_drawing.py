"""What a run looks like in a real JupyterLab: streamed, saved, sanitised, in both themes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SAMPLES = Path(__file__).parent.parent / "ui"
SETUP = f"""
import sys; sys.path.insert(0, {str(SAMPLES)!r})
import asyncio
from ui_samples import *
from statebook.ui.sinks import NotebookSink
"""
SHOW = SETUP + "NotebookSink(texts).close({run})"
STREAM = (
    SETUP
    + """
journal = research()
entries = journal.entries[:-1]
run = Run.fold(entries[:1])
sink = NotebookSink(texts, verbose=True)
sink.update(run)
for entry in entries[1:]:
    run.apply(entry)
    sink.update(run)
    await asyncio.sleep(0.03)
for n in range(0, len(ANSWER), 40):
    run.draft = ANSWER[:n]
    sink.update(run)
    await asyncio.sleep(0.02)
while not __import__('os').path.exists('go on'):
    await asyncio.sleep(0.05)
run = done()
sink.close(run)
"""
)


def test_a_finished_run_unfolds_its_steps_and_opens_its_passages(open_notebook, screenshot):
    notebook = open_notebook("done.ipynb", SHOW.format(run="done()"))
    notebook.run(0)
    out = notebook.outputs(0)
    page = notebook.page
    page.wait_for_selector(".statebook mjx-container", timeout=20_000)
    assert out.locator(".statebook mjx-container").count() == 4, "n, b and two orders of growth; no price"
    assert "$5 and $10 a month" in " ".join(out.inner_text().split())
    screenshot(page, "done-light")

    quote = out.locator(".sb-sources blockquote").first
    assert not quote.is_visible()
    mark = out.locator(".sb-answer sup a").first
    assert "A durable runtime records" in mark.get_attribute("title")
    mark.click()
    item = out.locator(".sb-sources li").first
    box = item.bounding_box()
    assert box
    assert 0 <= box["y"] < 1000, "the click brought the source into view"
    item.locator("summary").click()
    assert quote.is_visible()

    out.locator(".sb-group > summary").click()
    out.locator(".sb-call > summary", has_text="remember").click()
    assert "kept as memory 1" in out.inner_text()
    assert "allowed once (card) · “good”" in out.inner_text()
    notebook.theme("JupyterLab Dark")
    screenshot(page, "done-dark-unfolded")
    notebook.theme("JupyterLab Light")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_timeout(300)
    screenshot(page, "done-narrow")
    box = out.locator(".statebook").bounding_box()
    assert box
    assert box["x"] + box["width"] <= 700, "nothing is cut off in a narrow window"


def test_a_streamed_run_is_drawn_while_it_works_and_saved_once(open_notebook, server, screenshot):
    notebook = open_notebook("stream.ipynb", STREAM)
    notebook.start(0)
    live = notebook.outputs(0).locator(".sb-live")
    live.wait_for(timeout=20_000)
    notebook.page.wait_for_function(
        "() => document.querySelector('.statebook')?.innerText.includes('One source puts the ratio')", timeout=20_000
    )
    screenshot(notebook.page, "streaming")
    assert "r3 · writing" in live.inner_text()
    assert "r3.4 read_source source='briefs/03-durable.md' ✓ 0.01s" in notebook.output(0)
    (server.root / "go on").touch()
    notebook.finished(0)
    assert live.count() == 0
    saved = notebook.save("stream.ipynb")
    drawn = [output for output in saved.cells[0].outputs if output.output_type == "display_data"]
    assert len(drawn) == 1
    assert set(drawn[0].data) == {"text/html", "text/plain"}
    assert drawn[0].data["text/plain"].endswith("[3] Leases and zombies (briefs/09-leases.pdf · p. 4)")


def test_other_endings_are_calm_cards(open_notebook, screenshot):
    show = SETUP + "for run in (paused(), failed(), interrupted()): NotebookSink(texts).close(run)"
    notebook = open_notebook("endings.ipynb", show, height=1100)
    shown = notebook.run(0)
    assert (shown.count("%agent resume r3"), shown.count("%agent approve r3.2 or %agent reject r3.2")) == (2, 1)
    assert notebook.outputs(0).locator(".sb-card").count() == 3
    screenshot(notebook.page, "endings-light")
    notebook.theme("JupyterLab Dark")
    screenshot(notebook.page, "endings-dark")


def test_an_untrusted_notebook_still_reads_well(open_notebook, server, screenshot, monkeypatch):
    """JupyterLab takes the style sheet and the ids away from outputs it does not trust."""
    import nbformat

    monkeypatch.syspath_prepend(SAMPLES)
    from statebook.ui.sinks import bundle
    from ui_samples import done, texts

    output = nbformat.v4.new_output("display_data", data=bundle(done(), texts))
    cell = nbformat.v4.new_code_cell("%%agent\nHow do agent runtimes lose work?", outputs=[output], execution_count=1)
    server.write("untrusted.ipynb", [cell])
    notebook = open_notebook("untrusted.ipynb")
    out = notebook.outputs(0)
    out.locator("sup a").first.wait_for(timeout=20_000)
    assert out.locator("style").count() == 0, "this output is sanitised"
    notebook.theme("JupyterLab Light")
    screenshot(notebook.page, "untrusted")
    text = out.inner_text()
    assert "[1]" in text
    assert "[?]" in text
    assert "Durable execution, in brief" in text
    assert "A durable runtime records the result" not in text, "passages are folded"
    out.locator("summary", has_text="Durable execution").click()
    assert "A durable runtime records the result" in out.inner_text()
