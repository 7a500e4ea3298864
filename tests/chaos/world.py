"""A small world to crash: a model that decides by what it is shown, tools that act outside, a person who looks it up.

The world outside is three files, written with one system call each: ``ledger`` (what tools did), ``acknowledged`` (the
journal position that a commit promised) and ``asked`` (questions put to the person).
"""

import asyncio
import json
import os
import random

import statebook
from statebook.errors import ModelError, StatebookError
from statebook.protocol.approvals import Answer
from statebook.protocol.calls import Limits
from statebook.protocol.messages import Message, Text, ToolCall
from statebook.protocol.models import Completion, TextDelta, Usage
from statebook.testing import TemporarySession

TOOLS = ("look", "look", "put", "send", "send", "tell", "fail")
UNFINISHED = ("running", "paused", "failed", "interrupted")


class Outside:
    """The world outside a session's folder."""

    def __init__(self, folder):
        self.folder = folder

    def note(self, name, **said):
        """Append a line, in one system call, as if it were done on another machine."""
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, (json.dumps(said) + "\n").encode())
        finally:
            os.close(handle)

    def read(self, name):
        """The lines noted so far."""
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def done(self, tool, key):
        """How often a tool acted under a key."""
        return sum(line["tool"] == tool and line["key"] == key for line in self.read("ledger"))


class Seeded:
    """Wants what the prompt's seed says for each stage; any kernel gets the same wishes from it."""

    name, context_tokens = "seeded:", 60_000

    def __init__(self, *, steady=False):
        self._steady = steady
        self._tried = set()

    def price(self, usage):
        """A dollar for a hundred tokens."""
        return usage.total / 100

    async def stream(self, request):
        """Check that no call is left without a result, then answer the stage."""
        assert not orphans(request.messages)
        prompt = next(message.text for message in reversed(request.messages) if message.role == "user")
        last = max(place for place, message in enumerate(request.messages) if message.role == "user")
        stage = sum(bool(message.calls) for message in request.messages[last:])
        dice = random.Random(f"{prompt}/{stage}")
        calls = self._wishes(prompt, stage, dice)
        if not self._steady and dice.random() < 0.2 and (prompt, stage) not in self._tried:
            self._tried.add((prompt, stage))
            yield TextDelta("half an answ")
            raise ModelError("Busy.", retryable=True, fault="overloaded", wait=0.0)
        text = f"Stage {stage} of {prompt}."
        yield TextDelta(text)
        usage = Usage(dice.randint(1, 50), 0, dice.randint(1, 20))
        yield Completion(Message("assistant", (Text(text), *calls)), usage, "tool_calls" if calls else "end")

    @staticmethod
    def _wishes(prompt, stage, dice):
        if stage >= dice.randint(1, 3):
            return ()
        wanted = [dice.choice(TOOLS) for _ in range(dice.randint(1, 3))]
        return tuple(
            ToolCall(f"c{stage}{place}", name, json.dumps({"word": f"{prompt}.{stage}.{place}"}))
            for place, name in enumerate(wanted)
        )


def orphans(messages):
    """Ids of calls that the messages leave without a result."""
    wanted, told = [], set()
    for message in messages:
        wanted += [call.id for call in message.calls]
        told |= {part.call_id for part in message.parts if hasattr(part, "call_id")}
    return [call for call in wanted if call not in told]


def tools(outside):
    """look (read), put (idempotent), send (write), tell (write that can be verified), fail (read, raises)."""

    @statebook.tool(effect="read")
    async def look(word: str, *, ctx: statebook.ToolContext) -> str:
        """Look."""
        outside.note("ledger", tool="look", word=word, key=ctx.idempotency_key)
        return f"saw {word}"

    @statebook.tool(effect="idempotent")
    async def put(word: str, *, ctx: statebook.ToolContext) -> str:
        """Put."""
        ctx.state["put"] = word
        outside.note("ledger", tool="put", word=word, key=ctx.idempotency_key)
        return f"put {word}"

    @statebook.tool(effect="write")
    async def send(word: str, *, ctx: statebook.ToolContext) -> str:
        """Send."""
        outside.note("ledger", tool="send", word=word, key=ctx.idempotency_key)
        return f"sent {word}"

    def told(_arguments, key):
        return outside.done("tell", key) > 0

    @statebook.tool(effect="write", verify=told)
    async def tell(word: str, *, ctx: statebook.ToolContext) -> str:
        """Tell, in a way that can be looked up."""
        outside.note("ledger", tool="tell", word=word, key=ctx.idempotency_key)
        return f"told {word}"

    @statebook.tool(effect="read")
    async def fail(word: str) -> str:
        """Fail."""
        raise ValueError(word)

    return [look, put, send, tell, fail]


class Person:
    """Answers truthfully, or is away. What is asked is noted outside."""

    def __init__(self, outside, key_of, *, there=True, approves=True):
        self._outside, self._key_of = outside, key_of
        self.there, self.approves = there, approves

    async def ask(self, question, run):
        """See `statebook.run.seams.Asker`."""
        if not self.there:
            return None
        key = self._key_of(run, question.step)
        self._outside.note("asked", kind=question.kind, tool=question.call.name, key=key)
        if question.kind == "approval":
            return Answer("allow" if self.approves else "reject", "", "test")
        return Answer("happened" if self._outside.done(question.call.name, key) else "retry", "", "test")


class World:
    """A session in a folder, with everything it touches."""

    def __init__(self, folder, *, steady=False):
        self.outside = Outside(folder)
        self.session = TemporarySession(
            model=Seeded(steady=steady), folder=folder, tools=tools(self.outside), sources=(), limits=Limits(60)
        )
        self.person = Person(self.outside, self._key)
        self._listen()

    def _key(self, run, step):
        return f"{self.session.store.session_id}:{run.number}.{step}"

    def _listen(self):
        store = self.session.store
        commit = store.commit

        def promised(events, **options):
            entries = commit(events, **options)
            if entries:
                self.outside.note("acknowledged", seq=entries[-1].seq)
            return entries

        store.commit = promised

    def restart(self):
        """As a new kernel would."""
        self.session.restart()
        self._listen()

    def ask(self, prompt, **fields):
        """Run a cell; what the person is told instead of an answer is given back."""
        return self._go(
            lambda: self.session.session.execute(self._call(prompt, fields), self.session.sink, self.person)
        )

    @staticmethod
    def _call(prompt, fields):
        from statebook.protocol.calls import AgentCall

        return AgentCall(prompt, prompt, **fields)

    def resume(self, number, limits=Limits()):
        """`%agent resume`."""
        return self._go(lambda: self.session.session.resume(number, limits, self.session.sink, self.person))

    @staticmethod
    def _go(work):
        async def bounded():
            return await asyncio.wait_for(work(), 60)

        try:
            return asyncio.run(bounded())
        except StatebookError as told:
            return told

    def unfinished(self):
        """Numbers of all runs, on any branch, that have no answer yet."""
        numbers = self.session.store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0 ORDER BY run")
        return [n for (n,) in numbers if self.session.session.run(n).status in UNFINISHED]

    def close(self):
        """Let go of the file."""
        self.session.close()
