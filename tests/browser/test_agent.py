"""The whole of it in a real JupyterLab: ask, allow, stop, kill the kernel, go on, run all again for nothing."""

import os
import signal

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

BRIEFS = """
import shutil, pathlib
from importlib.resources import files
if not pathlib.Path("briefs").exists():
    shutil.copytree(files("statebook.demo") / "briefs", "briefs")
%load_ext statebook
"""
ASK = "%%agent\nIs repeating a tool call after a crash safe? Keep the findings."
RUN = "%%agent\npython(code='answer = 21 * 2')"
USE = "%%agent\npython(code='import time; started = True; time.sleep(60)')"
READ = """
import os, time, statebook
@statebook.tool(effect="read")
def fetch(page: int) -> str:
    "Fetch a page."
    with open("ledger.txt", "a") as ledger:
        ledger.write(f"{page}\\n")
    if page == 2 and not os.path.exists("second-kernel"):
        time.sleep(60)
    return f"page {page}"
print("pid", os.getpid())
"""
FETCH = "%%agent\nfetch(1)\nfetch(2)\nfetch(3)"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_an_answer_is_cited_remembered_and_replayed(open_notebook, server, screenshot):
    notebook = open_notebook("ask.ipynb", BRIEFS, ASK, "%agent memory", "%agent")
    notebook.run(0)
    answer = notebook.run(1)
    assert "Repeating a tool call after a crash is not safe." in answer
    assert "Sources" in answer
    assert notebook.outputs(1).locator("sup a").count() >= 2
    assert "not safe" in notebook.run(2)
    assert "ask.statebook.duckdb" in notebook.run(3)
    screenshot(notebook.page, "agent")
    assert (server.root / "ask.statebook.duckdb").exists()
    assert "replayed from r1" in notebook.run(1)


def test_python_asks_first_and_the_stop_button_ends_it(open_notebook, screenshot):
    notebook = open_notebook("allow.ipynb", BRIEFS, RUN, "answer", USE, "answer + 1")
    notebook.run(0)
    notebook.start(1)
    notebook.page.get_by_role("button", name="Always allow").click(timeout=30_000)
    notebook.finished(1)
    assert notebook.run(2) == "42"
    notebook.start(3)
    notebook.page.wait_for_timeout(1_500)
    screenshot(notebook.page, "agent-running")
    notebook.command("notebook:interrupt-kernel")
    stopped = notebook.finished(3, timeout=20)
    assert "was stopped" in stopped
    assert notebook.run(4) == "43"


def test_a_killed_kernel_is_gone_on_with_by_running_the_cell_again(open_notebook, server, screenshot):
    notebook = open_notebook("kill.ipynb", BRIEFS, READ, FETCH)
    notebook.run(0)
    pid = int(notebook.run(1).split()[-1])
    ledger = server.root / "ledger.txt"
    notebook.start(2)
    for _ in range(200):
        if ledger.exists() and "2" in ledger.read_text():
            break
        notebook.page.wait_for_timeout(50)
    os.kill(pid, signal.SIGKILL)
    (server.root / "second-kernel").touch()
    notebook.page.wait_for_timeout(4_000)  # the server starts another kernel and tells
    notebook.dismiss_dialogs()
    notebook.run(0)
    notebook.run(1)
    answer = notebook.run(2)
    screenshot(notebook.page, "agent-after-kill")
    assert "page 3" in answer
    assert ledger.read_text().split().count("1") == 1
    assert ledger.read_text().split() in (["1", "2", "2", "3"], ["1", "2", "3", "2"])
