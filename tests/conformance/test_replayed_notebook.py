"""A notebook that was recorded once runs anywhere: a copy of it, without server, key or network, byte for byte."""

import shutil
import subprocess
import sys

import duckdb
import nbclient
import nbformat
import pytest

from . import well_behaved

pytestmark = pytest.mark.slow

SETUP = """\
%load_ext statebook
import dataclasses, statebook
@dataclasses.dataclass
class Sum:
    total: int
    of: list[int]
@statebook.tool(effect="read")
def add(a: int, b: int) -> str:
    "Add two numbers."
    return str(a + b)
"""
CELLS = (
    SETUP,
    "%%agent --max-steps 20\nWhat is 1 + 2, and what is 3 + 4? Use the tool.",
    "%%agent --schema Sum total <<\nGive me the first sum of these as a value.",
    "print(total)",
)
KINDS = "('model_requested', 'model_answered', 'tool_intended', 'run_started')"


@pytest.fixture
def recorded(tmp_path, server, wire, monkeypatch):
    """A folder with a notebook that was executed against a server, which is gone now, and what its cells gave."""
    server.replies = [
        wire.stream(*well_behaved.responses("", ("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))),
        wire.stream(*well_behaved.responses("The sums are 3 and 7.")),
        wire.stream(*well_behaved.responses('{"total": 3, "of": [1, 2]}')),
    ]
    folder = tmp_path / "recorded"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS], metadata=kernel)
    nbformat.write(book, folder / "book.ipynb")
    monkeypatch.setenv("STATEBOOK_MODEL", "")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    given = execute(folder)
    assert len(server.bodies) == 3
    assert (given[1], given[3]) == (["The sums are 3 and 7."], ["Sum(total=3, of=[1, 2])\n"])
    server.close()
    for name in ("OPENAI_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    return folder, given


def execute(folder):
    """Run the notebook in a fresh kernel, as nbclient does; what each cell gave, as plain text."""
    path = folder / "book.ipynb"
    book = nbformat.read(path, 4)
    nbclient.NotebookClient(book, timeout=100, resources={"metadata": {"path": str(folder)}}).execute()
    return shown(book)


def shown(book):
    return [
        [output.data["text/plain"] if output.output_type == "display_data" else output.text for output in cell.outputs]
        for cell in book.cells
    ]


def events(folder):
    """The recorded events of models and tools, as their bytes."""
    with duckdb.connect(str(folder / "book.statebook.duckdb"), read_only=True) as store:
        return store.execute(f"SELECT kind, body::VARCHAR FROM journal WHERE kind IN {KINDS} ORDER BY seq").fetchall()


def copy(folder):
    """The notebook and its store in another folder."""
    other = folder.with_name("elsewhere")
    other.mkdir()
    for name in ("book.ipynb", "book.statebook.duckdb"):
        shutil.copy(folder / name, other / name)
    return other


def test_a_copy_replays_byte_for_byte_without_server_and_key(recorded, monkeypatch):
    folder, given = recorded
    before = events(folder)
    assert [kind for kind, _ in before].count("model_answered") == 3
    monkeypatch.setenv("STATEBOOK_REPLAY", "only")
    there = copy(folder)
    again = execute(there)
    assert "is a copy of" in again[1][0]  # what is said once, by the first cell that opens the session
    assert [again[1][1:], *again[2:]] == given[1:]
    assert events(there) == before
    edited = nbformat.read(there / "book.ipynb", 4)
    edited.cells[1].source = edited.cells[1].source.replace("3 + 4", "3 + 5")
    nbformat.write(edited, there / "book.ipynb")
    with pytest.raises(nbclient.exceptions.CellExecutionError) as caught:
        execute(there)
    told = str(caught.value)
    assert "NotRecorded: The cell 'What is 1 + 2, and what is…' (number 1" in told
    assert "differs from what is recorded (r1): the prompt. Run it with --replay auto to ask." in told
    assert "-What is 1 + 2, and what is 3 + 4? Use the tool.\n+What is 1 + 2, and what is 3 + 5? Use the tool." in told
    assert events(there) == before


def test_jupyter_execute_replays_where_nothing_is_configured(recorded):
    folder, given = recorded
    before = events(folder)
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", "book.ipynb"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert shown(nbformat.read(folder / "book.ipynb", 4)) == given
    assert events(folder) == before
