"""A real IPython shell with statebook loaded, and what a person does in it."""

import pytest
from statebook.testing import ScriptedModel


@pytest.fixture
def shell(ipython, tmp_path, monkeypatch):
    """A shell in an empty folder, with statebook loaded and a session on ``book.ipynb``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEBOOK_NOTEBOOK", str(tmp_path / "book.ipynb"))
    monkeypatch.delenv("STATEBOOK_MODEL", raising=False)
    ipython.run_line_magic("load_ext", "statebook")
    yield ipython
    if "statebook" in ipython.extension_manager.loaded:
        ipython.run_line_magic("unload_ext", "statebook")


@pytest.fixture
def cell(shell, capsys):
    """Runs a cell as a person does: what it gave, what it printed."""

    def run(code):
        result = shell.run_cell(code)
        return result.result, "".join(capsys.readouterr())

    return run


@pytest.fixture
def use(shell):
    """Lets these steps answer."""

    def give(*steps):
        session = shell._statebook.magics.session()
        session.use(ScriptedModel(steps))
        return session

    return give
