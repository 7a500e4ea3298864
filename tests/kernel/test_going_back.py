"""Rewind in real kernels: the question in the box, the cell that is handed back, and a kill in the middle of a move."""

import pytest

pytestmark = pytest.mark.slow

WORK = """
use(say("one"), call("python", {"code": "made = 5; open('out.txt', 'w').write('hello')"}), say("two"), say("anew"))
get_ipython().run_line_magic("agent", "tools allow python")
"""
KILL = """
import os, signal
from statebook.state.files.moving import Mover
Mover.apply = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path):
    """A data folder of its own for the user's key, the same for all kernels of a test."""
    return {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter-data")}


def worked(kernel):
    kernel.cell(WORK)
    kernel.cell("%%agent\nfirst", cell_id="a")
    kernel.cell("%%agent --max-steps 9\nsecond", cell_id="b")
    return kernel


def test_a_person_says_yes_in_the_box_and_gets_the_cell_back(kernel_on, notebook, home):
    kernel = worked(kernel_on(notebook, env=home))
    done = kernel.cell("%agent rewind", answers=["y"])
    assert done.asked == ["Go back to where r2 began? [y/N] "]
    assert "Back at where r2 began" in done.shown
    (handed,) = [each for each in done.reply["payload"] if each["source"] == "set_next_input"]
    assert handed["text"] == "%%agent --max-steps 9\nsecond"
    assert not handed["replace"]
    assert kernel.cell("print('made' in globals())").text.strip() == "False"
    assert not (notebook.parent / "out.txt").exists()
    asked = kernel.cell("%%agent --max-steps 9\nsecond", cell_id="b")
    assert "anew" in asked.shown


def test_no_in_the_box_moves_nothing(kernel_on, notebook, home):
    kernel = worked(kernel_on(notebook, env=home))
    done = kernel.cell("%agent rewind r1", answers=["n"])
    assert "Nothing was moved." in done.text
    assert kernel.cell("print(made)").text.strip() == "5"


def test_the_stop_button_at_the_question_moves_nothing_and_says_so(kernel_on, notebook, home):
    kernel = worked(kernel_on(notebook, env=home))
    sent = kernel.send("%agent rewind r1")
    assert kernel.client.get_stdin_msg(timeout=60)["content"]["prompt"].startswith("Go back to")
    kernel.interrupt()
    stopped = kernel.collect(sent)
    assert "Nothing was moved." in stopped.error
    assert "before the run began" not in stopped.error
    assert kernel.cell("print(made)").text.strip() == "5"


def test_without_a_front_end_it_says_yes_has_to_be_written(kernel_on, notebook, home):
    kernel = worked(kernel_on(notebook, env=home))
    done = kernel.cell("%agent rewind r2", stdin=False)
    assert "`%agent rewind r2 --yes` does not ask." in done.error
    done = kernel.cell("%agent rewind r2 --yes", stdin=False)
    assert "Back at where r2 began" in done.shown
    assert done.reply["status"] == "ok"


def test_a_kernel_that_is_killed_in_the_middle_of_a_move_is_gone_on_with(kernel_on, notebook, home):
    kernel = worked(kernel_on(notebook, env=home))
    kernel.cell(KILL)
    kernel.send("%agent rewind r2 --yes")
    assert kernel.manager.provisioner.process.wait(60) == -9
    assert (notebook.parent / "out.txt").exists(), "it was killed before the file was taken away"
    later = kernel_on(notebook, env=home)
    opened = later.cell("%agent checkpoints")
    assert "A move to #1 was cut off; it is finished now." in opened.text
    assert not (notebook.parent / "out.txt").exists()
    brought = later.cell("%agent rewind head --scope variables --yes")
    assert brought.reply["status"] == "ok", brought
    assert later.cell("print('made' in globals())").text.strip() == "False"


def test_a_next_kernel_goes_back_to_variables_of_the_one_before(kernel_on, notebook, home):
    first = worked(kernel_on(notebook, env=home))
    first.cell("import numpy as np\nrows = np.arange(5)")
    first.cell("%agent checkpoint kept")
    first.close()
    later = kernel_on(notebook, env=home)
    done = later.cell("%agent rewind kept --yes")
    assert done.reply["status"] == "ok", done
    assert later.cell("print(rows.sum(), made)").text.strip() == "10 5"


def test_files_of_a_call_that_a_kill_cut_off_are_named_and_taken_back_once_its_run_goes_on(kernel_on, notebook, home):
    """Nobody looked at what it did: till its run goes on, it can't be told from what a person did meanwhile."""
    first = kernel_on(notebook, env=home)
    old, new = notebook.parent / "old.txt", notebook.parent / "new.txt"
    old.write_text("original")
    dying = "open('new.txt', 'w').write('half'); open('old.txt', 'w').write('half'); import os; os.kill(os.getpid(), 9)"
    first.cell(f"use(say('one'), call('python', {{'code': {dying!r}}}))\n%agent tools allow python")
    first.cell("%%agent\nfirst", cell_id="a")
    first.send("%%agent\nsecond", cell_id="b")
    first.manager.provisioner.process.wait(60)
    second = kernel_on(notebook, env=home)
    second.cell("use(say('done'))")
    told = second.cell("%agent rewind r2 --yes").shown
    assert "Files         new.txt and old.txt left" in told
    assert "it differs, and nobody can tell who changed it" in told
    assert "(in doubt)  (r2.2)" in told
    assert (old.read_text(), new.exists()) == ("half", True)
    assert second.cell("%agent redo --yes").reply["status"] == "ok"
    assert "done" in second.cell("%agent settle r2.2 skip").shown
    told = second.cell("%agent rewind r2 --yes").shown
    assert "Files         old.txt written back, new.txt removed" in told
    assert (old.read_text(), new.exists()) == ("original", False)
    assert second.cell("%agent redo --yes").reply["status"] == "ok"
    assert (old.read_text(), new.read_text()) == ("half", "half")
