"""Tab as JupyterLab sends it to a real kernel (the whole cell and a position), and in a terminal."""

import sys
import time

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def tab(kernel):
    """``tab(code)``: the reply to a complete_request at the mark ``|``."""

    def press(code):
        at = code.index("|")
        sent = kernel.client.complete(code.replace("|", "", 1), at)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            reply = kernel.client.get_shell_msg(timeout=60)
            if reply["parent_header"]["msg_id"] == sent:
                return reply["content"]
        raise TimeoutError(code)

    return press


def test_a_kernel_completes_lines_flags_and_names_and_keeps_silent_in_prose(kernel, tab, notebook):
    kernel.cell("names = [1]\nimport math")
    reply = tab("x = 1\n%agent co|\ny = 2")
    assert reply["matches"] == ["context", "cost", "config", "compact"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (13, 15)
    types = [found["type"] for found in reply["metadata"]["_jupyter_types_experimental"]]
    assert types[2].replace("\N{NO-BREAK SPACE}", " ") == "the settings in force, and where each comes from"
    assert tab("%%agent --form|\nCompare")["matches"] == ["--format"]
    code = "%%agent --fresh\nFirst line, as an opening.\nCompare @na| with that"
    reply = tab(code)
    assert reply["matches"] == ["@names"]
    assert code[reply["cursor_start"] : reply["cursor_end"]] == "@na"
    assert tab("%%agent\nIt is about math.| and names")["matches"] == []
    assert tab("%%agent\nIt is {{math.flo|}}")["matches"] == ["math.floor"]
    assert "names" in tab("nam|")["matches"]
    assert [path.name for path in notebook.parent.iterdir()] == [notebook.name]  # nothing was opened


def test_a_kernel_completes_what_its_session_holds(kernel, tab):
    kernel.cell("use(say('One.'))")
    kernel.cell("%%agent\nIs it kept?")
    assert tab("%agent show |")["matches"][0] == "r1"
    kernel.cell("%%agent --branch side --fresh\nIs it kept?")
    assert "side" in tab("%%agent --branch s|\nHi")["matches"]


def test_config_refuses_in_one_line_in_a_kernel(kernel):
    said = kernel.cell("%config Statebook.budget = -1")
    assert "Statebook.budget can't be -1. It must be an amount of US dollars above 0, or none." in said.text
    assert len(said.text.strip().splitlines()) == 1
    kernel.cell("%config Statebook.budget = 0.5")
    assert "0.5" in kernel.cell("print(get_ipython()._statebook.magics.settings().budget)").text


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a terminal")
def test_a_terminal_completes(tmp_path):
    import pexpect

    environment = {
        "TERM": "xterm",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    child = pexpect.spawn(
        sys.executable, ["-m", "IPython", "--colors=NoColor", "--no-confirm-exit"],
        cwd=str(tmp_path), env=environment, encoding="utf-8", timeout=60, dimensions=(40, 160),
    )  # fmt: skip
    try:
        child.expect(r"In \[1\]:")
        child.send("%load_ext statebook\r")
        child.expect(r"In \[2\]:")
        child.send("%agent conf\t")
        child.expect("%agent config|fig")
        child.send(" bud\t")
        child.expect("get")
        child.send("\r")
        child.expect("US dollars per run before it pauses")
        child.expect(r"In \[3\]:")
    finally:
        child.close(force=True)
