"""One suite for every model: what the run relies on, whoever answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from statebook.errors import ModelError
from statebook.model.base import Model, ModelSetup
from statebook.model.registry import resolve
from statebook.protocol.messages import Message, Text, ToolCall, ToolResult, user
from statebook.protocol.models import Completion, ModelEvent, ModelRequest, TextDelta
from statebook.protocol.tools import ToolSpec
from statebook.testing import ScriptedModel, call, fail, hang, say

NUMBER = {"type": "number"}
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}}, "read")
PROMPT = "add(a=1, b=2)\nadd(a=3, b=4)"
ANSWER = "The sums are 3 and 7, as anyone can see."


@dataclass
class Case:
    """A provider under test. ``prepare`` arranges two parallel calls of add for PROMPT, then an answer with 3 and 7."""

    name: str
    make: Callable[[str], Model]
    gone: threading.Event | None = None


def _events(text: str, *calls: tuple[str, dict]) -> list[dict]:
    """A well-behaved server's stream of a text and tool calls."""
    events: list[dict] = [{"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}]
    output: list[dict] = []
    if text:
        item = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text}],
        }
        events.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
        events += [
            {
                "type": "response.output_text.delta",
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": d,
            }
            for d in (text[:7], text[7:])
        ]
        events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        output.append(item)
    for name, arguments in calls:
        place = len(output)
        written = json.dumps(arguments)
        item = {"type": "function_call", "id": f"fc_{place}", "call_id": f"call_{place}", "name": name}
        key = {"item_id": f"fc_{place}", "output_index": place}
        events.append({"type": "response.output_item.added", "output_index": place, "item": {**item, "arguments": ""}})
        events += [
            {"type": "response.function_call_arguments.delta", **key, "delta": piece}
            for piece in (written[:5], written[5:])
        ]
        output.append({**item, "arguments": written})
        events.append({"type": "response.output_item.done", "output_index": place, "item": output[-1]})
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"cached_tokens": 30},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
    }
    response = {"id": "resp_1", "status": "completed", "output": output, "usage": usage}
    return [*events, {"type": "response.completed", "response": response}]


@pytest.fixture(params=["scripted", "offline", "openai"])
def case(request, server, wire) -> Case:
    two = (("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))

    def scripted(kind: str) -> Model:
        steps = {
            "calls": [call("add", two[0][1], "add", two[1][1]), say(ANSWER, expect="7")],
            "text": [say(ANSWER)],
            "hang": [hang("One moment")],
            "fail": [fail(ModelError("No."))],
        }
        return ScriptedModel(steps[kind])

    def openai(kind: str) -> Model:
        server.replies = {
            "calls": [wire.stream(*_events("", *two)), wire.stream(*_events(ANSWER))],
            "text": [wire.stream(*_events(ANSWER))],
            "hang": [wire.stream(*_events(ANSWER)[:3], then="wait")],
            "fail": [wire.error(400, "No.")],
        }[kind]
        return resolve("openai:gpt-test", ModelSetup({}, server.url))

    def offline(kind: str) -> Model:
        if kind == "fail":
            pytest.skip("nothing outside can fail")
        return resolve("offline:", ModelSetup({}))

    makers = {"scripted": scripted, "offline": offline, "openai": openai}
    return Case(request.param, makers[request.param], server.gone if request.param == "openai" else None)


async def collect(model: Model, *messages: Message) -> list[ModelEvent]:
    request = ModelRequest("You are an agent.", messages, (ADD,))
    return [event async for event in model.stream(request)]


def finish(events: list[ModelEvent]) -> Completion:
    assert [type(event) for event in events].count(Completion) == 1
    last = events[-1]
    assert isinstance(last, Completion)
    assert last.message.role == "assistant"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == last.message.text
    return last


def test_a_text_streams_in_pieces_and_ends_with_one_completion(case):
    events = asyncio.run(collect(case.make("text"), user("hello")))
    done = finish(events)
    assert done.stop == "end"
    assert done.message.text
    assert sum(isinstance(event, TextDelta) for event in events) > 1


def _calls_of(model: Model) -> list[Message]:
    """The messages up to a tool result for each of the two calls, however many requests a model takes for them."""
    messages = [user(PROMPT)]
    results = {"1": "3", "3": "7"}
    made: list[ToolCall] = []
    while len(made) < 2:
        done = finish(asyncio.run(collect(model, *messages)))
        assert done.stop == "tool_calls"
        assert done.message.calls
        made += done.message.calls
        answers = [
            ToolResult(each.id, each.name, results[str(json.loads(each.arguments)["a"])]) for each in done.message.calls
        ]
        messages += [done.message, Message("tool", tuple(answers))]
    return messages


def test_tool_calls_parse_in_order_with_ids_of_their_own(case):
    messages = _calls_of(case.make("calls"))
    calls = [each for message in messages for each in message.calls]
    assert [(each.name, json.loads(each.arguments)) for each in calls] == [
        ("add", {"a": 1, "b": 2}),
        ("add", {"a": 3, "b": 4}),
    ]
    assert len({each.id for each in calls}) == 2


def test_tool_results_are_taken_up(case, server):
    model = case.make("calls")
    messages = _calls_of(model)
    done = finish(asyncio.run(collect(model, *messages)))
    assert not done.message.calls
    assert "3" in done.message.text
    assert "7" in done.message.text
    if case.name == "openai":
        sent = [item for item in server.bodies[-1]["input"] if item["type"] == "function_call_output"]
        assert [item["output"] for item in sent] == ["3", "7"]


def test_cancelling_stops_the_stream_and_closes_the_connection(case):
    model = case.make("hang")

    async def run() -> None:
        begun = asyncio.Event()

        async def read() -> None:
            request = ModelRequest("", (user("hello"),), (ADD,))
            async for event in model.stream(request):
                if isinstance(event, TextDelta):
                    begun.set()
            await asyncio.Event().wait()  # a model that had ended is cancelled here

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    if case.gone is not None:
        assert case.gone.wait(5)


def test_a_failure_is_one_line_that_says_what_to_do(case):
    with pytest.raises(ModelError) as caught:
        asyncio.run(collect(case.make("fail"), user("hello")))
    assert "\n" not in str(caught.value)
    assert caught.value.message.endswith(".")


def test_the_name_is_what_a_person_types(case):
    model = case.make("text")
    assert model.name.startswith(f"{case.name}:")
    assert model.context_tokens > 1000


def test_no_usage_is_invented(case):
    done = finish(asyncio.run(collect(case.make("text"), user("hello"))))
    expected = (50, 30, 9, 4) if case.name == "openai" else (0, 0, 0, 0)
    assert (done.usage.input, done.usage.cached, done.usage.output, done.usage.reasoning) == expected
    assert isinstance(done.message.parts[-1], Text)
