"""A notebook of which all parts are kept: who acts in it, and what its state is."""

import json
import os
import zlib
from contextlib import suppress

import simulated
import statebook
from actors import orphans
from outside import Outside
from statebook.errors import StatebookError
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AgentCall
from statebook.protocol.code import CodeOutcome
from statebook.protocol.messages import Message, Text, ToolCall
from statebook.protocol.models import Completion, TextDelta, Usage
from statebook.session.rewinding.move import move
from statebook.session.rewinding.parts import parts_of
from statebook.testing import TemporarySession

WORK = "work"
"""The folder of the notebook; beside it lies what is noted outside."""


class Obedient:
    """Wants the calls that the prompt lists as JSON, and is done when they have results."""

    name, context_tokens = "obedient:", 60_000

    def price(self, usage):
        """A dollar for a hundred tokens."""
        return usage.total / 100

    async def stream(self, request):
        """Check that no call is left without a result, then answer."""
        assert not orphans(request.messages), "a call without a result is shown to the model"
        place = max(n for n, each in enumerate(request.messages) if "do: " in each.text)
        wanted = json.loads(request.messages[place].text.rpartition("do: ")[2].split("\n")[0])
        done = any(message.role == "assistant" for message in request.messages[place:])
        calls = () if done else tuple(ToolCall(f"c{n}", *each) for n, each in enumerate(wanted["calls"]))
        text = f"Answer {wanted['number']}." if done or not calls else "Working."
        yield TextDelta(text)
        yield Completion(Message("assistant", (Text(text), *calls)), Usage(5, 0, 5), "tool_calls" if calls else "end")


class Runner:
    """Runs the python tool's code in a namespace, as a kernel does."""

    def __init__(self, namespace):
        self._namespace = namespace

    async def run(self, code):
        exec(compile(code, "<agent>", "exec"), self._namespace)
        return CodeOutcome("", "", "", (), "", "", False, ())


@statebook.tool(effect="write")
def send(word: str, *, ctx: statebook.ToolContext) -> str:
    """Send a word, and count how many were sent."""
    ctx.state["sent"] = ctx.state.get("sent", 0) + 1
    return f"sent {word}"


class Book:
    """The notebook in one kernel: its session, and the variables of that kernel."""

    def __init__(self, folder):
        self.outside = Outside(folder)
        self.folder = folder / WORK
        self.folder.mkdir(exist_ok=True)
        os.chdir(self.folder)
        self.namespace = {}
        self.temporary = TemporarySession(
            model=Obedient(),
            folder=self.folder,
            namespace=self.namespace,
            runner=Runner(self.namespace),
            tools=[send],
            sources=(),
        )
        if not self.session.permissions.rules():
            self.session.permissions.set(Rule("*", "allow"))

    @property
    def session(self):
        """The open session."""
        return self.temporary.session

    @property
    def store(self):
        """Its store."""
        return self.session.store

    def close(self):
        """As a kernel ends."""
        self.store.chunks._behind.drain()  # else it is chance how much of it is still written
        self.temporary.close()

    def ask(self, number, calls):
        """Run a cell in which the agent makes these calls: (tool, arguments)."""
        wanted = {"number": number, "calls": [(name, json.dumps(arguments)) for name, arguments in calls]}
        prompt = f"do: {json.dumps(wanted)}"
        simulated.run(self.session.execute(AgentCall(prompt, prompt), self.temporary.sink, self.temporary._asker()))

    def move(self, foresee):
        """Do what a preview says; None where there is nothing to do, or it can't be done."""
        with suppress(StatebookError):
            return move(self.session, parts_of(self.session), foresee(self.session, parts_of(self.session)))
        return None

    def bring_back(self):
        """A new kernel gets the variables of the head."""
        name = self.session.keeper.variables.name_at_head()
        if name:
            self.session.keeper.variables.bring_back(name)

    def state(self):
        """All parts, as JSON tells them."""
        journal, held = self.store.journal, self.store.as_of_head.held()
        return {
            "branch": journal.branch.name,
            "branches": sorted(branch.name for branch in journal.branches.values()),
            "conversation": [entry.seq for entry in journal.entries() if entry.run],
            "memory": {str(number): memory.text for number, memory in held.memories.items()},
            "tools": {tool: values for tool, values in held.state.items() if values},
            "grants": sorted(map(repr, held.grants)),
            "rules": [*map(repr, held.rules)],
            "variables": {name: told(value) for name, value in sorted(self.namespace.items()) if name.isalpha()},
            "same": sorted(f"{a}={b}" for a, b in self._shared()),
            "files": files_in(self.folder),
        }

    def _shared(self):
        """Pairs of names for one object."""
        lists = [(name, value) for name, value in sorted(self.namespace.items()) if isinstance(value, list)]
        return [(a, b) for n, (a, one) in enumerate(lists) for b, other in lists[n + 1 :] if one is other]


def told(value):
    """A value in a few bytes, equal for equal values."""
    return f"{type(value).__name__} {zlib.crc32(repr(value).encode()):x}"


def files_in(folder):
    """{relative path: what is in it} of the workspace."""
    return {
        path.relative_to(folder).as_posix(): told(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".statebook." not in f"{path}"
    }
