"""One suite for every model: what a run relies on, whoever answers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

import pytest
from statebook.errors import ModelError
from statebook.model.base import Model, ModelSetup
from statebook.model.openai.presets.known import PRESETS
from statebook.model.registry import GROUP, provider_names, resolve
from statebook.protocol.messages import Message, Text, ToolCall, ToolResult, user
from statebook.protocol.models import ModelEvent, ModelRequest, TextDelta
from statebook.protocol.tools import ToolSpec
from statebook.testing import ScriptedModel, call, check_model, fail, hang, say
from statebook.testing.conformance import check_completion as finish
from statebook.testing.conformance import check_failure

from . import well_behaved

pytestmark = pytest.mark.slow  # many conversations with a server

NUMBER = {"type": "number"}
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}}, "read")
PROMPT = "add(a=1, b=2)\nadd(a=3, b=4)"
ANSWER = "The sums are 3 and 7, as anyone can see."
TWO = (("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
FAILURES = {
    "refused": "refused_request",
    "busy": "rate_limited",
    "cut": "broken_off",
    "reset": "broken_off",
    "ended": "truncated",
    "page": "not_a_stream",
    "nonsense": "malformed",
    "silent": "truncated",
}
"""How a server may fail, and the fault that it is."""
PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@dataclass
class Case:
    """A provider under test. ``make`` prepares what a test wants of it; ``api`` is "" for one without a server.

    Kinds: ``text`` (any request is answered with text), ``calls`` (two parallel calls of add for PROMPT, then an
    answer with 3 and 7), ``hang`` (a text that begins and does not end), and the FAILURES.
    """

    name: str
    make: Callable[[str], Model]
    api: str = ""
    gone: threading.Event | None = None
    setup: ModelSetup | None = None
    loop: asyncio.Runner = field(default_factory=asyncio.Runner)

    def ask(self, model: Model, *messages: Message) -> list[ModelEvent]:
        """The events of one answer, on the one loop of a test: a model has a connection pool for each."""

        async def collect() -> list[ModelEvent]:
            request = ModelRequest("You are an agent.", messages, (ADD,), cache_key="s", idempotency_key="s:1.1")
            return [event async for event in model.stream(request)]

        return self.loop.run(collect())


def _scripted(kind: str) -> Model:
    steps = {
        "calls": [call("add", TWO[0][1], "add", TWO[1][1]), say(ANSWER, expect="7")],
        "text": [say(ANSWER)] * 5,
        "hang": [hang("One moment")],
    }
    return ScriptedModel(steps.get(kind, [fail(ModelError("No."))]))


def _offline(_: str) -> Model:
    return resolve("offline:", ModelSetup({}))


def _parrot(_: str) -> Model:
    """The plugin of the documentation."""
    found = re.search(r"<!-- plugin: statebook_parrot.py -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    names: dict = {}
    exec(found[1], names)
    return names["create"]("grey", ModelSetup({}))


def _replies(kind: str, api: str, wire) -> list:
    """What the server sends for a kind, over either API."""
    speak, send = (well_behaved.responses, wire.stream) if api == "responses" else (well_behaved.chat, wire.chat)
    some = speak(ANSWER)[:3]
    return {
        "text": lambda: [send(*speak(ANSWER))],
        "calls": lambda: [send(*speak("", *TWO)), send(*speak(ANSWER))],
        "hang": lambda: [send(*some, then="wait")],
        "refused": lambda: [wire.error(400, "No.")],
        "busy": lambda: [wire.error(429, "Too many.", Retry_After="3")],
        "cut": lambda: [send(*some, then="cut")],
        "reset": lambda: [send(*some, then="reset")],
        "ended": lambda: [wire.Reply([each for each in send(*some).chunks if b"[DONE]" not in each])],
        "page": lambda: [wire.Reply([b"<html>Sign in</html>"], media_type="text/html")],
        "nonsense": lambda: [wire.Reply([b'data: {"choices": [{"del\n\n'])],
        "silent": lambda: [wire.Reply([])],
    }[kind]()


BOTH = ["openai", "openai over chat"]
SERVED = [*BOTH, *(preset.provider for preset in PRESETS if preset.provider != "openai")]
EVERY = ["scripted", "offline", "parrot", *SERVED]


def of(names: list[str]):
    """Only these cases."""
    return pytest.mark.parametrize("case", names, indirect=True)


def _served(name: str, server, wire) -> Case:
    """A preset, set up by its own variables as a person would."""
    preset = next(each for each in PRESETS if each.provider == name.partition(" ")[0])
    api = "chat" if preset.dialect == "chat" or "chat" in name else "responses"
    server.missing = "/responses" if "chat" in name else ""
    setup = ModelSetup({preset.url_variables[0]: server.url, preset.key_variables[0]: "k"})

    def make(kind: str) -> Model:
        server.replies = _replies(kind, api, wire)
        return resolve(f"{preset.provider}:gpt-test", setup)

    return Case(preset.provider, make, api, server.gone, setup)


@pytest.fixture(params=EVERY)
def case(request, server, wire) -> Iterator[Case]:
    alone = {"scripted": _scripted, "offline": _offline, "parrot": _parrot}
    found = Case(request.param, alone[request.param]) if request.param in alone else None
    made = found or _served(request.param, server, wire)
    with made.loop:
        yield made


def test_every_provider_of_ours_is_in_this_suite():
    ours = {point.name for point in distribution("statebook").entry_points if point.group == GROUP}
    assert ours == {"offline", *(name.partition(" ")[0] for name in SERVED)}


def test_every_promise_is_kept(case):
    """One model for all requests, as a session has it."""
    model = case.make("text")
    check_model(lambda: model if case.api else case.make("text"))


@of(["scripted", *SERVED])
def test_a_failure_is_one_line(case):
    with pytest.raises(ModelError) as caught:
        case.ask(case.make("refused"), user("hello"))
    check_failure(caught.value)
    assert caught.value.message.endswith(".")


@of(BOTH)
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_of_a_known_kind(case, kind):
    with pytest.raises(ModelError) as caught:
        case.ask(case.make(kind), user("hello"))
    check_failure(caught.value)
    assert caught.value.fault == FAILURES[kind]
    assert caught.value.retryable is (kind not in {"refused", "page"})
    assert caught.value.wait == (3 if kind == "busy" else None)


def test_a_text_streams_in_pieces(case):
    events = case.ask(case.make("text"), user("hello"))
    done = finish(events)
    assert done.stop == "end"
    assert sum(isinstance(event, TextDelta) for event in events) > 1


def _calls_of(case: Case, model: Model) -> list[Message]:
    """The messages up to a tool result for each of the two calls, however many requests a model takes for them."""
    messages = [user(PROMPT)]
    results = {"1": "3", "3": "7"}
    made: list[ToolCall] = []
    while len(made) < 2:
        done = finish(case.ask(model, *messages))
        assert done.stop == "tool_calls"
        made += done.message.calls
        answers = [
            ToolResult(each.id, each.name, results[str(json.loads(each.arguments)["a"])]) for each in done.message.calls
        ]
        messages += [done.message, Message("tool", tuple(answers))]
    return messages


CALLING = [name for name in EVERY if name != "parrot"]


@of(CALLING)
def test_tool_calls_parse_in_order_with_ids_of_their_own(case):
    messages = _calls_of(case, case.make("calls"))
    calls = [each for message in messages for each in message.calls]
    assert [(each.name, json.loads(each.arguments)) for each in calls] == list(TWO)
    assert len({each.id for each in calls}) == 2


@of(CALLING)
def test_tool_results_are_taken_up(case, server):
    model = case.make("calls")
    messages = _calls_of(case, model)
    done = finish(case.ask(model, *messages))
    assert not done.message.calls
    assert "3" in done.message.text
    assert "7" in done.message.text
    if case.api == "responses":
        sent = [item for item in server.bodies[-1]["input"] if item["type"] == "function_call_output"]
        assert [item["output"] for item in sent] == ["3", "7"]
    elif case.api:
        assert [each["content"] for each in server.bodies[-1]["messages"] if each["role"] == "tool"] == ["3", "7"]


@of(SERVED)
def test_the_same_request_is_the_same_bytes_on_the_wire(case, server):
    history = _calls_of(case, case.make("calls"))
    for _ in range(2):
        finish(case.ask(case.make("text"), *history))
    assert server.raw[-1] == server.raw[-2]


def test_cancelling_stops_the_stream_and_closes_the_connection(case):
    model = case.make("hang")

    async def run() -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async for event in model.stream(ModelRequest("", (user("hello"),), (ADD,))):
                if isinstance(event, TextDelta):
                    begun.set()
            await asyncio.Event().wait()  # a model that had ended is cancelled here

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    case.loop.run(run())
    if case.gone is not None:
        assert case.gone.wait(5)


def test_the_name_is_what_a_person_types_and_leads_back_to_the_model(case):
    model = case.make("text")
    assert model.name.startswith(f"{case.name}:")
    assert model.context_tokens > 1000
    if case.name in provider_names():
        assert resolve(model.name, case.setup).name == model.name


def test_no_usage_is_invented(case):
    done = finish(case.ask(case.make("text"), user("hello")))
    counted = (done.usage.input, done.usage.cached, done.usage.output, done.usage.reasoning)
    if case.name == "parrot":
        assert counted == (len("hello"), 0, len(done.message.text), 0)
    else:
        assert counted == (well_behaved.COUNTS if case.api else (0, 0, 0, 0))
    assert isinstance(done.message.parts[-1], Text)
