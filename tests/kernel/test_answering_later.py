"""A notebook run by a program pauses at a question instead of hanging; a later kernel answers it by a command."""

import os
import subprocess
import sys

import nbformat
import pytest

from .conftest import SETUP, wait_until

pytestmark = pytest.mark.slow

SEND = """
@statebook.tool
def send(word: str) -> str:
    "Send."
    note(word)
    if word == "slow" and not Path("answered").exists():
        import time
        time.sleep(600)
    return f"sent {word}"
"""
ASKED = "use(call('send', {'word': 'it'}), say('Sent.'))"


def run_all(notebook, *cells):
    """Execute a notebook of these cells with nbclient, as a program does that nobody watches."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(made, notebook)
    program = (
        "import nbclient, nbformat, sys\n"
        f"book = nbformat.read({str(notebook)!r}, 4)\n"
        "try:\n    nbclient.NotebookClient(book, timeout=90).execute()\n"
        "except nbclient.exceptions.CellExecutionError as error:\n    print(error.ename, error.evalue)\n"
        f"nbformat.write(book, {str(notebook)!r})\n"
    )
    environment = {**os.environ, "STATEBOOK_NOTEBOOK": str(notebook), "STATEBOOK_MODEL": ""}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=notebook.parent, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, nbformat.read(notebook, 4)


@pytest.mark.parametrize(("line", "times"), [("%agent approve", 1), ("%agent reject r1.2 not today", 0)])
def test_a_question_in_an_executed_notebook_is_a_pause_that_says_what_to_type(kernel_on, notebook, ledger, line, times):
    told, book = run_all(notebook, SETUP + SEND, ASKED, "%%agent\nGo")
    assert told.startswith("RunPaused r1 is paused: send waits for an approval.")
    assert "`%agent approve r1.2` or `%agent reject r1.2`" in told
    shown = next(output for output in book.cells[2].outputs if output.output_type == "display_data").data
    for text in (shown["text/plain"], shown["text/html"]):
        assert "%agent approve r1.2" in text
    assert ledger() == []

    kernel = kernel_on(notebook)
    opened = kernel.cell(SEND + "use(say('Over.'))", stdin=False)
    assert "r1 is paused: send waits for an approval: `%agent approve r1.2`" in opened.text
    out = kernel.cell(line, stdin=False)
    assert (out.error, len(out.displays)) == ("", 1)
    assert "Over." in out.shown
    assert ledger() == ["it"] * times


@pytest.mark.parametrize(
    ("line", "sends"), [('settle r1.2 happened "at noon"', 1), ("settle skip", 1), ("settle retry", 2)]
)
def test_after_a_kill_the_next_kernel_settles_what_it_was_doing(kernel_on, notebook, ledger, line, sends):
    kernel = kernel_on(notebook)
    kernel.cell(SEND + "use(call('send', {'word': 'slow'}))\n%agent tools allow *")
    kernel.send("%%agent\nGo", cell_id="a", stdin=False)
    wait_until(lambda: ledger() == ["slow"])
    kernel.kill()
    (notebook.parent / "answered").touch()

    kernel = kernel_on(notebook)
    opened = kernel.cell(SEND + "use(say('Settled.'))", stdin=False)
    assert "r1 was cut off after 1 finished step, with send (r1.2) in doubt" in opened.text
    assert "%agent settle r1.2 happened" in kernel.cell("%agent show r1", stdin=False).shown
    out = kernel.cell(f"%agent {line}", stdin=False)
    assert (out.error, len(out.displays)) == ("", 1)
    assert "Settled." in out.shown
    assert ledger() == ["slow"] * sends
    text = kernel.cell("print(get_ipython()._statebook.magics.session().run(1).calls[0].result.text)").text
    assert ("at noon" in text) == ("at noon" in line)
