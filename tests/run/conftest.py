"""Tools that write down each call in a ledger, and sessions to run them in."""

import asyncio
from collections import Counter

import pytest
import statebook
from statebook.protocol.approvals import Rule
from statebook.testing import ScriptedModel, TemporarySession


class Ledger(list):
    """What really happened, in order: (tool, argument)."""

    def count_of(self, name):
        return Counter(tool for tool, _ in self)[name]

    def tools(self):
        """look (read), put (idempotent) and send (write): each appends to the ledger and answers."""

        @statebook.tool(effect="read")
        async def look(word: str = "") -> str:
            """Look."""
            self.append(("look", word))
            return f"saw {word}"

        @statebook.tool(effect="idempotent")
        async def put(word: str = "") -> str:
            """Put."""
            self.append(("put", word))
            return f"put {word}"

        @statebook.tool(effect="write")
        async def send(word: str = "") -> str:
            """Send."""
            self.append(("send", word))
            return f"sent {word}"

        return [look, put, send]


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def session_of(ledger):
    """Makes a session with these scripted steps and the ledger's tools; all are closed and checked at the end."""
    opened = []

    def make(*steps, allow=True, check=True, context_tokens=1_000_000, **fields):
        model = ScriptedModel(steps, context_tokens=context_tokens)
        made = TemporarySession(model=model, tools=[*ledger.tools(), *fields.pop("tools", ())], **fields)
        opened.append((made, check))
        if allow:
            made.session.permissions.set(Rule("*", "allow"))
        return made

    yield make
    for made, check in opened:
        made.__exit__(None if check else Exception, None, None)


@pytest.fixture
def go():
    """Runs a coroutine to its end, bounded."""

    async def bounded(work):
        async with asyncio.timeout(30):
            return await work

    return lambda work: asyncio.run(bounded(work))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("statebook.run.asking.step.RETRIES", (0.01, 0.01))


def kinds(session, run):
    """The kinds of a run's entries, in order."""
    return [entry.event.kind for entry in session.store.journal.entries_of_run(run)]


def orphans(request):
    """Calls of a request that have no result, and results without a call; a provider refuses both."""
    calls, results = [], []
    for message in request.messages:
        calls += [call.id for call in message.calls]
        results += [part.call_id for part in message.parts if type(part).__name__ == "ToolResult"]
    return set(calls) ^ set(results)
