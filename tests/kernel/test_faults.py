"""Faults as a person in a notebook meets them: one line that says what to do, and a session that goes on."""

import shutil

import pytest

pytestmark = pytest.mark.slow

RESCUE = "print(get_ipython().run_line_magic('agent', 'rescue'))"


def test_a_file_removed_or_replaced_under_the_kernel_is_written_back(kernel, notebook):
    store = notebook.with_name("book.statebook.duckdb")
    kernel.cell("use(say('One.'), say('Two.'), say('Three.'))")
    assert "One." in kernel.cell("%%agent\nFirst", cell_id="a").shown

    store.unlink()
    told = kernel.cell("%%agent\nSecond", cell_id="b")
    assert told.error == (
        "StoreGone: book.statebook.duckdb was removed while this kernel had it open."
        " This kernel still holds the whole session: `%agent rescue` writes it back."
    )
    assert "The session is back on disk" in kernel.cell(RESCUE).text
    kernel.cell("use(say('Two.'), say('Three.'))")
    assert "One." in kernel.cell("%%agent\nFirst", cell_id="a").shown
    assert "Two." in kernel.cell("%%agent\nSecond", cell_id="b").shown

    shutil.copy(store, notebook.with_name("other"))
    notebook.with_name("other").replace(store)
    told = kernel.cell("%%agent\nThird", cell_id="c")
    assert "was replaced by another file" in told.error
    assert "the file that had taken its place" in kernel.cell(RESCUE).text
    kernel.cell("use(say('Three.'))")
    assert "Three." in kernel.cell("%%agent\nThird", cell_id="c").shown
    assert len(list(notebook.parent.glob("book-replaced-*.statebook.duckdb"))) == 1
    assert "is whole" in kernel.cell("print(get_ipython().run_line_magic('agent', 'verify'))").text


def test_processes_that_a_cell_forks_leave_the_session_alone(kernel):
    kernel.cell("use(say('One.'), say('Two.'))")
    assert "One." in kernel.cell("%%agent\nFirst").shown
    done = kernel.cell(
        "import multiprocessing, os\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    print(pool.map(abs, [-1, -2]))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    try:\n"
        "        get_ipython()._statebook.magics.session().store.set_meta(a='b')\n"
        "    except Exception as error:\n"
        "        os.write(1, str(error).encode())\n"
        "        open('said', 'w').write(str(error))\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(open('said').read())\n"
    )
    assert "[1, 2]" in done.text
    assert f"belongs to process {kernel.pid}, from which this one was forked" in done.text
    assert "Two." in kernel.cell("%%agent\nSecond").shown


def test_odd_surroundings_do_no_harm(kernel_on, tmp_path):
    """No home, a locale without UTF-8, few files open, odd names: the session works, its objects beside it."""
    folder = tmp_path / "a 'b\" %s {x} ; é🗂"
    folder.mkdir()
    notebook = folder / "my book's “best”.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    env = {"HOME": "/nonexistent", "LC_ALL": "C", "LANG": "C"}
    kernel = kernel_on(notebook, env=env)
    kernel.cell("use(say('Grüße 🗂'), say('Two.'))")
    assert "Grüße 🗂" in kernel.cell("%%agent\nWas heißt das? 🗂").shown
    kernel.cell("import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))")
    assert "Two." in kernel.cell("%%agent\nSecond").shown
    kernel.close()
    assert sorted(path.suffix for path in folder.iterdir()) == [".duckdb", ".ipynb", ".objects"]
