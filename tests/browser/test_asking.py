"""The approval card in a real JupyterLab, answered while the cell runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SAMPLES = Path(__file__).parent.parent / "ui"
ASK = f"""
import sys; sys.path.insert(0, {str(SAMPLES)!r})
from ui_samples import *
from statebook.ui.ask import choose_asker
async def main_thread(work): return work()
asker = choose_asker(get_ipython(), main_thread)
answer = await asker.ask(question({{kind!r}}), paused())
print(answer)
"""


def test_a_call_is_allowed_by_the_card_with_a_word(open_notebook, screenshot):
    notebook = open_notebook("allow.ipynb", ASK.format(kind="approval"))
    page = notebook.page
    notebook.start(0)
    card = page.locator(".sb-ask")
    card.wait_for(timeout=30_000)
    page.wait_for_function("() => document.activeElement.classList.contains('sb-ask')", timeout=5_000)
    text = card.inner_text()
    assert "Allow write_file?" in text
    assert "Three places, <b>one</b> reason." in text, "the whole arguments, as text"
    assert "r3.4 · effect: write · from: builtin" in text
    screenshot(page, "ask-light")
    notebook.theme("JupyterLab Dark")
    screenshot(page, "ask-dark")
    notebook.theme("JupyterLab Light")

    card.focus()
    for key in ("Enter", "Escape", "d", "d"):
        page.keyboard.press(key)
    assert card.locator("button:enabled").count() == 3, "none of these keys decided anything or deleted the cell"
    card.locator("input").fill("only this once")
    card.locator("button", has_text="Allow once").click()
    out = notebook.finished(0)
    assert "Answer(choice='allow', word='only this once', via='card')" in out
    assert "allowed once “only this once”" in out
    assert card.count() == 0
    saved = notebook.save("allow.ipynb")
    kinds = {kind for output in saved.cells[0].outputs for kind in output.get("data", {})}
    assert kinds == {"text/html", "text/plain"}, "no widget stays in the saved notebook"


def test_the_card_of_a_dead_kernel_says_where_to_answer(open_notebook, server):
    pid = "import os; open('pid', 'w').write(str(os.getpid()))"
    notebook = open_notebook("orphan.ipynb", pid + ASK.format(kind="approval"))
    page, card = notebook.page, notebook.page.locator(".sb-ask")
    notebook.start(0)
    card.wait_for(timeout=30_000)
    os.kill(int((server.root / "pid").read_text()), signal.SIGKILL)
    page.locator("dialog.jp-Dialog").wait_for(timeout=30_000)
    notebook.dismiss_dialogs()
    card.locator("button", has_text="Allow once").click()
    card.get_by_text("If the kernel was restarted, %agent says what waits.").wait_for(timeout=15_000)


def test_the_keyboard_decides_and_the_stop_button_ends_the_question(open_notebook, screenshot):
    notebook = open_notebook("doubt.ipynb", ASK.format(kind="in_doubt"), ASK.format(kind="approval"))
    page = notebook.page
    card = page.locator(".sb-ask")
    notebook.start(0)
    card.wait_for(timeout=30_000)
    page.wait_for_function("() => document.activeElement.classList.contains('sb-ask')", timeout=5_000)
    screenshot(page, "ask-in-doubt")
    for _ in range(4):  # the arguments, the word, two buttons
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert "choice='happened'" in notebook.finished(0)

    notebook.start(1)
    card.wait_for(timeout=30_000)
    notebook.command("notebook:interrupt-kernel")
    out = notebook.finished(1)
    assert "not answered" in out
    assert card.count() == 0
