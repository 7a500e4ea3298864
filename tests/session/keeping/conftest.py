"""Sessions with a namespace of their own, whose python tool runs code in it."""

import asyncio
import sys
import types

import pytest
from statebook.protocol.approvals import Rule
from statebook.protocol.code import CodeOutcome
from statebook.testing import ScriptedModel, TemporarySession


class Runner:
    """Runs the python tool's code in a namespace, as a kernel does."""

    def __init__(self, namespace):
        self.namespace = namespace

    async def run(self, code):
        exec(compile(code, "<agent>", "exec"), self.namespace)
        return CodeOutcome("", "", "", (), "", "", False, ())


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Jupyter's data folder, with this user's key in it."""
    folder = tmp_path / "jupyter-data"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def main(monkeypatch):
    """Makes a namespace that is ``__main__``, as a new kernel's is."""

    def make():
        module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        return module.__dict__

    return make


@pytest.fixture
def kept_in(tmp_path, main):
    """A kernel on the notebook in ``folder``: its session and its variables. All are closed at the end."""
    opened = []

    def start(*steps, folder=tmp_path / "work", **options):
        folder.mkdir(exist_ok=True)
        namespace = main()
        session = TemporarySession(
            model=ScriptedModel(steps), folder=folder, namespace=namespace, runner=Runner(namespace), **options
        )
        session.session.permissions.set(Rule("*", "allow"))
        opened.append(session)
        return session, namespace

    yield start
    for session in opened:
        session.close()


@pytest.fixture
def go():
    """Runs a coroutine to its end, bounded."""

    async def bounded(work):
        async with asyncio.timeout(30):
            return await work

    return lambda work: asyncio.run(bounded(work))
