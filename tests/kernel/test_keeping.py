"""Variables across real kernels: a killed one's come back, cells are undone, a stranger's snapshots run no code."""

import shutil
import time

import pytest

pytestmark = pytest.mark.slow

FRAME = "import pandas as pd\\ndf = pd.DataFrame({'a': [1, 2, 3]})\\ntwin = df\\ngen = (i for i in [1])"


@pytest.fixture
def env(tmp_path):
    return {"JUPYTER_DATA_DIR": str(tmp_path / "data")}


def wait_until(condition, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def allow(kernel):
    assert kernel.cell("%agent tools allow python").reply["status"] == "ok"


def test_after_a_kill_the_next_kernel_gets_the_frame_that_the_agents_code_made(kernel_on, notebook, env):
    first = kernel_on(notebook, env=env)
    die = "import os, signal\\nos.kill(os.getpid(), signal.SIGKILL)"
    first.cell(f'use(call("python", {{"code": "{FRAME}"}}), call("python", {{"code": "{die}"}}))')
    allow(first)
    first.send("%%agent\nMake a frame.")
    wait_until(lambda: first.manager.provisioner.process.poll() is not None)
    second = kernel_on(notebook, env=env)
    second.cell("mine = 'new'")
    second.cell('use(say("Done."))')
    resumed = second.cell("%agent settle r1.4 skip")  # the call that killed it; the run goes on
    assert resumed.reply["status"] == "ok", resumed
    drawn = [*resumed.displays, *resumed.updates][-1]["data"]["text/html"]
    assert "Brought back from the kernel before: df, pd, twin." in drawn
    assert "Could not be brought back: gen (" in drawn
    shown = second.cell("print(list(df['a']), twin is df, mine, 'gen' in globals())")
    assert shown.text == "[1, 2, 3] True new False\n"


def test_ordinary_cells_are_undone_and_brought_back(kernel_on, notebook, env):
    kernel = kernel_on(notebook, env=env)
    kernel.cell('use(say("Hello."))')
    kernel.cell("%config Statebook.snapshots = 'cells'")
    kernel.cell("%%agent\nHello?")
    kernel.cell("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, None]}); other = [1]; before = id(other)")
    kernel.cell("df = df.dropna()")
    kernel.cell("df['b'] = df['a'] * 2")
    undone = kernel.cell("%agent undo 2")
    assert undone.reply["status"] == "ok", undone
    assert "Files stay as they are: only variables go back." in undone.shown
    assert kernel.cell("print(df.shape, id(other) == before)").text == "(3, 1) True\n"
    redone = kernel.cell("%agent redo --yes")
    assert redone.reply["status"] == "ok", redone
    assert kernel.cell("print(df.shape, id(other) == before)").text == "(2, 2) True\n"


def test_a_finished_conversation_says_how_its_variables_come_back(kernel_on, notebook, env):
    first = kernel_on(notebook, env=env)
    first.cell(f'use(call("python", {{"code": "{FRAME}"}}), say("Done."))')
    allow(first)
    first.cell("%%agent\nMake a frame.")
    first.kill()
    second = kernel_on(notebook, env=env)
    opened = second.cell('use(say("Hello."))')
    told = opened.text + opened.shown
    assert "can be brought back: `%agent rewind head --scope variables`." in told
    back = second.cell("%agent rewind head --scope variables --yes")
    assert back.reply["status"] == "ok", back
    assert second.cell("print(list(df['a']), twin is df)").text == "[1, 2, 3] True\n"


def test_a_strangers_store_runs_no_code_when_its_variables_are_brought_back(kernel_on, notebook, env, tmp_path):
    code = (
        "class Trap:\\n    def __reduce__(self):\\n        return (open, ('caught.txt', 'w'))\\n"
        "trap = Trap(); plain = {'a': [1]}\\ndef hook(): return 1"
    )
    stranger = kernel_on(notebook, env={"JUPYTER_DATA_DIR": str(tmp_path / "stranger")})
    stranger.cell(f'use(call("python", {{"code": "{code}"}}), say("Done."))')
    allow(stranger)
    stranger.cell("%%agent\nSet a trap.")
    stranger.close()
    mine = tmp_path / "mine"
    shutil.copytree(notebook.parent, mine, ignore=shutil.ignore_patterns("data", "stranger", "caught.txt", "mine"))
    kernel = kernel_on(mine / notebook.name, env=env)
    kernel.cell('use(say("Hello."))')
    kernel.cell("%agent rewind head --scope variables --yes")
    assert kernel.cell("print(plain, 'hook' in globals(), 'trap' in globals())").text == "{'a': [1]} False False\n"
    assert not (mine / "caught.txt").exists()
    kernel.cell("%agent trust")
    kernel.cell("%agent rewind head --scope variables --yes")
    assert kernel.cell("print(hook())").text == "1\n"
    assert (mine / "caught.txt").exists()


WATCH = """
from statebook.state.snapshots import variables as watched
careful, others_run = [], watched.others_run
def watch(namespace):
    careful.append(others_run(namespace))
    return careful[-1]
watched.others_run = watch
"""


def test_nothing_of_the_kernels_own_makes_its_snapshots_careful(kernel_on, notebook, env):
    """A thread or task of the kernel's that is taken for the user's would make each snapshot look at everything."""
    kernel = kernel_on(notebook, env=env)
    kernel.cell('use(call("list_files", {}), call("python", {"code": "x = [1]"}), say("Done."))')
    kernel.cell("%config Statebook.snapshots = 'cells'")
    allow(kernel)
    kernel.cell(WATCH)
    kernel.cell("%%agent\nGo.")
    kernel.cell("x.append(2)")
    kernel.cell("import asyncio\nawait asyncio.sleep(0)\nx.append(3)")
    assert kernel.cell("print(len(careful) > 5, any(careful))").text == "True False\n"
    kernel.cell(
        "import threading\nt = threading.Thread(target=threading.Event().wait, args=(60,), daemon=True); t.start()"
    )
    assert kernel.cell("print(any(careful))").text == "True\n"
