"""A session with variables and files that are kept, in which a few runs have changed all parts of its state."""

import asyncio
import sys
import types

import pytest
import statebook
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.code import CodeOutcome
from statebook.protocol.journal.events import GrantGiven
from statebook.session.rewinding.move import move
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import point
from statebook.session.rewinding.scope import parse_scope
from statebook.store.journal import Place
from statebook.testing import ScriptedModel, TemporarySession, call, say


class Runner:
    """Runs the python tool's code in a namespace, as a kernel does."""

    def __init__(self, namespace):
        self.namespace = namespace

    async def run(self, code):
        exec(compile(code, "<agent>", "exec"), self.namespace)
        return CodeOutcome("", "", "", (), "", "", False, ())


@statebook.tool(effect="write")
def send(to: str) -> str:
    """Send a letter."""
    return f"sent to {to}"


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Jupyter's data folder, with this user's key in it."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))


class Notebook:
    """A person at a notebook: what its cells do, and where they go."""

    def __init__(self, session, namespace):
        self.temporary = session
        self.namespace = namespace
        self.folder = session.folder

    @property
    def session(self):
        return self.temporary.session

    @property
    def store(self):
        return self.temporary.store

    @property
    def model(self):
        return self.temporary.model

    def ask(self, prompt, **fields):
        return asyncio.run(self.temporary.ask(prompt, **fields))

    def foresee(self, words="", scope="all", **options):
        return foresee(self.session, parts_of(self.session), point(self.store, words), parse_scope(scope), **options)

    def go(self, words="", scope="all", **options):
        return move(self.session, parts_of(self.session), self.foresee(words, scope, **options))

    def do(self, preview):
        return move(self.session, parts_of(self.session), preview)

    def limit(self, **settings):
        self.session.configure(statebook.config.Settings(model=self.model.name, **settings))

    def memories(self):
        return [memory.mark for memory in self.store.as_of_head.memories()]

    def last_context(self):
        return [message.text for message in self.model.requests[-1].messages if message.role == "user"]

    def file(self, name):
        path = self.folder / name
        return path.read_text() if path.exists() else None


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Starts a notebook whose model answers with these steps."""
    started = []

    def start(*steps, folder=tmp_path / "work", **options):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", module)
        namespace = module.__dict__
        session = TemporarySession(
            model=ScriptedModel(steps),
            folder=folder,
            namespace=namespace,
            runner=Runner(namespace),
            tools=[send],
            **options,
        )
        if not session.store.journal.head_checkpoint():
            session.session.permissions.set(Rule("*", "allow"))
        started.append(session)
        return Notebook(session, namespace)

    yield start
    for session in started:
        session.close()


WORK = (
    say("one"),
    call("python", {"code": "count = count + 1; made = [count]; open('made.txt', 'w').write('by r2\\n')"}),
    call("remember", {"text": "boats are red"}),
    say("two"),
    call("send", {"to": "ann"}),
    call("write_file", {"path": "made.txt", "text": "by r3\n"}),
    say("three"),
)
"""r1 says something; r2 changes variables, a file and memory; r3 writes outside and changes the file again."""


@pytest.fixture
def worked(notebook):
    """A notebook in which the three runs of `WORK` were made, with a grant after r2 and more steps to come."""

    def start(*more, **options):
        book = notebook(*WORK, *more, **options)
        book.namespace["count"] = 1
        for number, prompt in enumerate(("first", "second", "third"), start=1):
            book.ask(prompt, cell_id=f"cell-{number}")
            if number == 2:
                book.store.commit([(Place(), GrantGiven(Grant("send")))])
        return book

    return start
