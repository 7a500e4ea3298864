"""Programs that run notebooks without a person, and a plain terminal: each finds its notebook's store."""

import subprocess
import sys

import nbformat
import pytest
from statebook.store.store import Store

pytestmark = pytest.mark.slow

PROMPT = "%%agent\nWhat do the sources say about how long cheese is aged?"


@pytest.fixture
def book(tmp_path):
    (tmp_path / "cheese.md").write_text("# Cheese\n\nCheese is aged for nine months in a cool cellar.\n")
    path = tmp_path / "book.ipynb"
    cells = [nbformat.v4.new_code_cell("%load_ext statebook"), nbformat.v4.new_code_cell(PROMPT)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def answered(path):
    """The store beside a notebook holds its one answered run."""
    store = Store(path.with_name(f"{path.stem}.statebook.duckdb"))
    try:
        return store.sql("SELECT status, prompt FROM runs").to_numpy().tolist()
    finally:
        store.close()


DONE = [["done", "What do the sources say about how long cheese is aged?"]]


@pytest.mark.parametrize(
    ("command", "record"),
    [
        (["-m", "jupyter", "execute", "book.ipynb"], "book.ipynb"),
        (["-m", "papermill", "book.ipynb", "out.ipynb"], "out.ipynb"),
        (["-c", "import nbclient, nbformat as n; b = n.read('book.ipynb', 4); nbclient.execute(b)"], "book.ipynb"),
    ],
    ids=["jupyter-execute", "papermill", "nbclient"],
)
def test_a_program_that_runs_the_notebook(book, command, record):
    done = subprocess.run(
        [sys.executable, *command], cwd=book.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert answered(book.with_name(record)) == DONE
    if record == "out.ipynb":
        outputs = nbformat.read(book.with_name(record), 4).cells[1].outputs
        assert [output.output_type for output in outputs] == ["display_data"]
        assert "nine months" in outputs[0].data["text/plain"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_plain_terminal(tmp_path):
    import pexpect

    environment = {"TERM": "dumb", "IPYTHONDIR": str(tmp_path / "ipython"), "PATH": "/usr/bin:/bin"}
    child = pexpect.spawn(
        sys.executable, ["-m", "IPython", "--simple-prompt", "--colors=NoColor"],
        cwd=str(tmp_path), env=environment, encoding="utf-8", timeout=60,
    )  # fmt: skip
    try:
        child.expect(r"In \[1\]:")
        child.sendline("%load_ext statebook")
        child.expect(r"In \[2\]:")
        child.sendline(
            "from statebook.testing import *; get_ipython()._statebook.magics.session().use(ScriptedModel("
            "[hang('Half of it '), call('python', {'code': '6 * 7'}), say('It is done.')]))"
        )
        child.expect(r"In \[3\]:")
        child.sendline("get_ipython().run_cell_magic('agent', '', 'Hi')")
        child.expect("Half of")
        child.sendintr()
        child.expect("r1 was stopped")
        child.expect(r"In \[4\]:")
        child.sendline("get_ipython().run_cell_magic('agent', '', 'Compute')")
        child.expect("allow once")
        child.sendline("y")
        child.expect(r"It is done\.")
        child.expect(r"In \[5\]:")
    finally:
        child.close(force=True)
