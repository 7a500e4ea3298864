"""Which notebook is this? Each rung of the ladder."""

from pathlib import Path

import pytest
from statebook.config import Settings
from statebook.session.notebook.identity import Surroundings, cells_of, identify

CELL = "%%agent\nWhat do the sources say?"


def at(folder, settings=None, **around):
    return identify(Surroundings(folder, **around), settings or Settings())


def test_what_the_person_names_comes_first(tmp_path):
    found = at(tmp_path, Settings(notebook="sub/mine.ipynb"), vscode_file="/x/other.ipynb")
    assert (found.path, found.how) == (tmp_path / "sub/mine.ipynb", "named by the person")
    assert found.store == tmp_path / "sub/mine.statebook.duckdb"
    found = at(tmp_path, Settings(store="here.statebook.duckdb"))
    assert (found.store, found.path) == (tmp_path / "here.statebook.duckdb", tmp_path / "here.ipynb")


def test_vscode(tmp_path):
    found = at(tmp_path, vscode_file=str(tmp_path / "a b.ipynb"), environment={"JPY_SESSION_NAME": "x.ipynb"})
    assert (found.path, found.how) == (tmp_path / "a b.ipynb", "told by VS Code")


@pytest.mark.parametrize("name", ["{}/book.ipynb", "deep/inside/book.ipynb", "/gone/away/book.ipynb"])
def test_jupyter_server(tmp_path, name):
    found = at(tmp_path, environment={"JPY_SESSION_NAME": name.format(tmp_path)})
    assert (found.path, found.how) == (tmp_path / "book.ipynb", "told by Jupyter Server")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["python", "/bin/jupyter-execute", "nb.ipynb"], "nb.ipynb"),
        (["python", "-m", "nbconvert", "--execute", "nb.ipynb", "--to", "notebook"], "nb.ipynb"),
        (["python", "/bin/papermill", "in.ipynb", "out.ipynb", "-p", "n", "1"], "out.ipynb"),
        (["python", "-m", "papermill", "in.ipynb", "out.ipynb"], "out.ipynb"),
        (["python", "/bin/jupyter", "nbconvert", "--execute", "nb.ipynb", "--output=o.ipynb"], "nb.ipynb"),
        (["pytest", "--nbval", "nb.ipynb", "other.ipynb"], "nb.ipynb"),
    ],
)
def test_the_program_that_started_the_kernel(tmp_path, write_notebook, command, expected):
    write_notebook(tmp_path / "nb.ipynb", CELL)
    write_notebook(tmp_path / "other.ipynb", "1 + 1")
    found = at(Path("/"), command=command, command_folder=tmp_path, cell=CELL)
    assert found.path == tmp_path / expected


@pytest.mark.parametrize("cell", [CELL, CELL.partition("\n")[2]], ids=["whole", "as the magic is given it"])
def test_the_only_notebook_that_holds_the_cell(tmp_path, write_notebook, cell):
    write_notebook(tmp_path / "a.ipynb", "1 + 1")
    write_notebook(tmp_path / "b.ipynb", CELL)
    assert at(tmp_path, cell=cell).path == tmp_path / "b.ipynb"
    write_notebook(tmp_path / "c.ipynb", CELL)
    assert not at(tmp_path, cell=cell).certain


@pytest.mark.parametrize(("in_kernel", "name"), [(True, "untitled"), (False, "ipython")])
def test_nothing_is_known(tmp_path, in_kernel, name):
    found = at(tmp_path, in_kernel=in_kernel)
    assert (found.store, found.certain) == (tmp_path / f"{name}.statebook.duckdb", False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [1, {"cell_type": "code", "source": 5}]}'])
def test_a_file_that_is_no_notebook_has_no_cells_of_use(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    assert [source for _, source in cells_of(path)] in ([], ["5"])


def test_a_missing_notebook_has_no_cells(tmp_path):
    assert cells_of(tmp_path / "none.ipynb") == []
