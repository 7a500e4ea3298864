"""Sessions with runs in them to drill, and the two ways to carry one out again: here, or killed in processes."""

import asyncio
import json

import pytest
import statebook
from statebook.session.drill.child import carry_out, lay_out
from statebook.session.drill.drill import _tools, drill
from statebook.session.drill.nursery import copy_store
from statebook.session.drill.recording import read
from statebook.session.drill.scratch import Ledger
from statebook.session.drill.verdict import Rehearsal
from statebook.testing import ScriptedModel, TemporarySession


@pytest.fixture
def session_of(tmp_path):
    """Makes a session of these scripted answers in the test's folder."""
    opened = []

    def make(*steps, **fields):
        prices = fields.pop("prices", None)
        model = fields.pop("model", None) or ScriptedModel(steps, prices=prices)
        opened.append(TemporarySession(model=model, folder=fields.pop("folder", tmp_path), **fields))
        return opened[-1]

    yield make
    for session in opened:
        session.__exit__(Exception, None, None)


@pytest.fixture
def rehearse(tmp_path):
    """Carries a run out again in a scratch copy, in this process and without a kill: (recording, rehearsal)."""

    def play(session, number=1):
        folder = tmp_path / f"scratch-{number}"
        recording = read(session.store, number)
        tools, _ = _tools(session.session, recording)
        session.store.fold()
        copy_store(session.store.path, folder)
        lay_out(folder, number, tools)
        carry_out(folder, None).close()
        reply = {"report": json.loads((folder / "report.json").read_text()), "ledger": Ledger(folder).lines()}
        return recording, Rehearsal.of(reply)

    return play


@pytest.fixture
def drilled():
    """Drills a run for real: its report."""

    def play(session, number=1, **options):
        options.setdefault("seconds", 200)
        return asyncio.run(drill(session.session, number, options.pop("watch", lambda _: None), **options))

    return play


@pytest.fixture
def acts():
    """What the tools of `tools` really did."""
    return []


@pytest.fixture
def tools(acts):
    """A tool of each effect; each notes its calls."""

    @statebook.tool(effect="read")
    def look(word: str) -> str:
        """Look a word up."""
        acts.append(("look", word))
        return f"{word} is a word"

    @statebook.tool(effect="idempotent")
    def put(word: str) -> str:
        """Put a word."""
        acts.append(("put", word))
        return f"put {word}"

    @statebook.tool
    def send_mail(to: str) -> str:
        """Send a mail."""
        acts.append(("send_mail", to))
        return f"sent to {to}"

    return {"look": look, "put": put, "send_mail": send_mail}
