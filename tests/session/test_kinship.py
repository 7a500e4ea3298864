"""Renamed, copied, moved: a store goes with its notebook, and two notebooks never share one."""

import shutil

import pytest
from statebook.config import Settings, store_path
from statebook.errors import StoreFull
from statebook.session.memory import add_memory
from statebook.session.notebook.identity import Notebook
from statebook.session.notebook.kinship import whereabouts
from statebook.session.registry import Registry
from statebook.session.toolset import Surfaces

OWN = ("abc1", "%%agent\nWhat do the sources say about cheese?")
OTHER = ("abc2", "frame = load('cheese.csv').dropna().groupby('kind')")
IMPORTS = ("0", "import pandas as pd\nimport numpy as np\n%matplotlib inline\n# set up")


@pytest.fixture
def kernel():
    """Opens a notebook's session as a new kernel would; gives it and what the person was told."""
    registries = []

    def start(path):
        told = []
        registry = Registry(Surfaces(), told.append)
        registries.append(registry)
        session = registry.open(Notebook(path, store_path(path), "test"), Settings())
        return session, told

    yield start
    for registry in registries:
        registry.close()


def facts(session):
    return [memory.text for memory in session.store.as_of_head.memories()]


def used(kernel, path):
    """A session with one memory was used on the notebook, and its kernel ended; its id."""
    session, told = kernel(path)
    assert told == []
    add_memory(session.store, "kept")
    ident = session.store.session_id
    session.close()
    return ident


def test_a_renamed_notebook_takes_its_session_along(tmp_path, write_notebook, kernel):
    old = write_notebook(tmp_path / "old.ipynb", OWN, OTHER)
    ident = used(kernel, old)
    old.rename(tmp_path / "new.ipynb")
    session, told = kernel(tmp_path / "new.ipynb")
    assert told == ["old.ipynb was renamed to new.ipynb; its session came with it."]
    assert (facts(session), session.store.session_id) == (["kept"], ident)
    assert not store_path(old).exists()


def test_a_notebook_renamed_under_its_kernel_takes_its_session_along(tmp_path, write_notebook, kernel):
    old = write_notebook(tmp_path / "old.ipynb", OWN, OTHER)
    used(kernel, old)
    old.rename(tmp_path / "new.ipynb")
    kernel(old)[0].close()  # this kernel knows only the old name
    session, told = kernel(tmp_path / "new.ipynb")
    assert told == ["old.ipynb was renamed to new.ipynb; its session came with it."]
    assert facts(session) == ["kept"]


def test_a_copied_notebook_starts_empty_and_is_told_of_the_other(tmp_path, write_notebook, kernel):
    old = write_notebook(tmp_path / "old.ipynb", OWN, OTHER)
    used(kernel, old)
    shutil.copy(old, tmp_path / "copy.ipynb")
    session, (told,) = kernel(tmp_path / "copy.ipynb")
    assert facts(session) == []
    assert "looks like a copy of old.ipynb" in told
    assert "%agent open old.statebook.duckdb" in told
    assert facts(kernel(old)[0]) == ["kept"]


def test_a_copy_of_both_goes_its_own_way(tmp_path, write_notebook, kernel):
    old = write_notebook(tmp_path / "old.ipynb", OWN)
    ident = used(kernel, old)
    shutil.copy(old, tmp_path / "copy.ipynb")
    shutil.copy(store_path(old), tmp_path / "copy.statebook.duckdb")
    session, told = kernel(tmp_path / "copy.ipynb")
    assert told == ["This session is a copy of old.ipynb's; from here on the two go separate ways."]
    assert facts(session) == ["kept"]
    assert session.store.session_id != ident
    session.close()
    assert kernel(tmp_path / "copy.ipynb")[1] == []
    assert kernel(old)[0].store.session_id == ident


def test_a_moved_folder_is_the_same_session_without_a_word(tmp_path, write_notebook, kernel):
    (tmp_path / "a").mkdir()
    ident = used(kernel, write_notebook(tmp_path / "a/book.ipynb", OWN))
    (tmp_path / "a").rename(tmp_path / "b")
    session, told = kernel(tmp_path / "b/book.ipynb")
    assert (told, session.store.session_id) == ([], ident)


@pytest.mark.parametrize("gone", [False, True])
def test_an_unrelated_notebook_with_the_same_trivial_cells_is_not_kin(tmp_path, write_notebook, kernel, gone):
    cells = (("1", "%load_ext statebook\n%config Statebook.max_steps = 5"), IMPORTS)
    old = write_notebook(tmp_path / "old.ipynb", *cells)
    used(kernel, old)
    if gone:
        old.unlink()
    session, told = kernel(write_notebook(tmp_path / "new.ipynb", *cells, ("z", OWN[1])))
    assert (told, facts(session)) == ([], [])
    assert store_path(old).exists()


def test_damaged_and_held_stores_in_the_folder_are_left_alone(tmp_path, write_notebook, kernel):
    (tmp_path / "bad.statebook.duckdb").write_bytes(b"\7" * 5000)
    held, _ = kernel(write_notebook(tmp_path / "held.ipynb", OWN))
    add_memory(held.store, "held")
    session, told = kernel(write_notebook(tmp_path / "new.ipynb", OWN))
    assert (told, facts(session)) == ([], [])
    assert facts(held) == ["held"]


def test_a_second_session_of_a_notebook_is_no_copy(tmp_path, write_notebook, kernel):
    from statebook.session.registry import named

    book = write_notebook(tmp_path / "book.ipynb", OWN)
    used(kernel, book)
    told = []
    registry = Registry(Surfaces(), told.append)
    other = named("second", tmp_path)
    first = registry.open(Notebook(book, other.store, "test"), Settings())
    ident = first.store.session_id
    registry.close()
    again = Registry(Surfaces(), told.append)
    assert again.open(other, Settings()).store.session_id == ident
    again.close()
    assert told == []


STRANGE = "%%agent\nWhat is known about the war of 1812?"


def test_a_reused_name_does_not_get_another_notebooks_session(tmp_path, write_notebook, kernel):
    untitled = write_notebook(tmp_path / "Untitled.ipynb", OWN, OTHER)
    ident = used(kernel, untitled)
    untitled.rename(tmp_path / "cheese.ipynb")
    write_notebook(untitled, STRANGE, "other = compute_something_else(12)")
    session, told = kernel(untitled)
    assert len(told) == 1
    assert told[0].startswith("The earlier session of Untitled.ipynb belongs to cheese.ipynb and went there;")
    assert facts(session) == []
    found, told = kernel(tmp_path / "cheese.ipynb")
    assert (told, facts(found), found.store.session_id) == ([], ["kept"], ident)


def test_a_session_that_knows_no_cell_of_its_notebook_is_kept_and_explained(tmp_path, write_notebook, kernel):
    notebook = write_notebook(tmp_path / "n.ipynb", OWN, OTHER)
    used(kernel, notebook)
    notebook.unlink()
    write_notebook(notebook, STRANGE)
    session, told = kernel(notebook)
    assert "None of this notebook's cells is known to n.statebook.duckdb" in told[0]
    assert facts(session) == ["kept"]


def test_a_notebook_whose_cells_were_all_edited_is_the_same_notebook(tmp_path, write_notebook, kernel):
    notebook = write_notebook(tmp_path / "n.ipynb", OWN)
    used(kernel, notebook)
    write_notebook(notebook, (OWN[0], STRANGE))
    session, told = kernel(notebook)
    assert (told, facts(session)) == ([], ["kept"])


def test_a_notebook_that_is_renamed_while_its_session_is_open_is_found(tmp_path, write_notebook, kernel):
    old = write_notebook(tmp_path / "old.ipynb", OWN, OTHER)
    write_notebook(tmp_path / "stranger.ipynb", ("0", "print('nothing of the other in here')"), IMPORTS)
    session, _ = kernel(old)
    assert whereabouts(session.store, session.notebook) == old
    new = old.rename(tmp_path / "new.ipynb")
    assert whereabouts(session.store, session.notebook) == new
    write_notebook(new, ("abc1", "%%agent\nEdited since then, but under the id it had."), OTHER)
    assert whereabouts(session.store, session.notebook) == new
    shutil.copy(new, tmp_path / "copy.ipynb")  # which of the two is not known
    assert whereabouts(session.store, session.notebook) is None


def test_a_notebook_that_was_never_a_file_is_nowhere(tmp_path, write_notebook, kernel):
    session, _ = kernel(tmp_path / "ipython.ipynb")
    write_notebook(tmp_path / "other.ipynb", OWN, OTHER)
    assert whereabouts(session.store, session.notebook) is None


def test_an_opening_that_failed_half_way_is_done_whole_the_next_time(tmp_path, write_notebook, monkeypatch):
    told = []
    registry = Registry(Surfaces(), told.append)
    path = write_notebook(tmp_path / "book.ipynb", OWN)
    notebook = Notebook(path, store_path(path), "test")

    def full(_session):
        raise StoreFull("The disk is full.", "Free some space.")

    with monkeypatch.context() as patched:
        patched.setattr("statebook.session.registry.finish_move", full)
        with pytest.raises(StoreFull):
            registry.open(notebook, Settings())
    assert registry.holding(notebook.store) is None
    finished = []
    monkeypatch.setattr("statebook.session.registry.finish_move", lambda session: finished.append(session) or "Moved.")
    session = registry.open(notebook, Settings())
    assert (finished, told) == ([session], ["Moved."])
    registry.close()
