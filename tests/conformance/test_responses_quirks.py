"""Every way a Responses server is known to stream an answer gives that answer, as events and over a real connection."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import pytest
from statebook.model.openai import OpenAIModel
from statebook.model.openai.responses.accumulate import Accumulator
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import Reasoning, Text, user
from statebook.protocol.models import Completion, Metered, ModelEvent, ModelRequest, ReasoningDelta, TextDelta

CASES = runpy.run_path(str(Path(__file__).with_name("responses_cases.py")))["CASES"]

QUIRKS = {
    "no index": ["two calls without index", "only deltas, no ids"],
    "every parallel call with index 0": ["two calls, every one with index 0", "two calls, index 0 and no item ids"],
    "no id, null ids, ids that change": ["no call_id but an id", "no id at all", "null ids", "another id at the end",
                                         "another id on each event", "no ids, and an empty message at the end"],
    "whole arguments in one frame, or as an object": ["whole arguments in one frame", "whole arguments when announced",
                                                      "arguments as an object", "arguments as an object at the end",
                                                      "no arguments"],
    "id and name repeated on every frame, or late": ["the name on every piece",
                                                     "a name that comes with arguments.done"],
    "a plain end beside tool calls": ["status stop beside calls"],
    "what must be echoed": ["encrypted content that changes until it is done", "two messages with their phases"],
    "reasoning in several places": ["a summary in deltas", "a summary only when done", "a summary only at the end",
                                    "two summaries", "reasoning text in place of a summary",
                                    "reasoning text only when done", "reasoning text in deltas and when done"],
    "SSE comments and framing": ["comments between events", "events without names, carriage returns",
                                 "one event over several data lines", "a [DONE] at the end"],
    "unknown events and items": ["unknown events", "items of other kinds"],
    "empty or null fields": ["null output and null details", "no response in the terminal event"],
    "counts and prices": ["the server's own price"],
    "only .done and no .delta": ["only text.done", "only content_part.done", "only item.done", "only arguments.done",
                                 "only the terminal event", "a call only in the terminal event"],
    "only .delta and no .done": ["only argument deltas", "a delta is missing"],
    "an extra empty message item": ["an extra empty message", "an extra empty message beside a call",
                                    "an announced message that stays empty"],
    "item order that differs": ["another order at the end", "the calls repeated at the end",
                                "two calls in pieces that alternate", "two calls that alternate by index alone"],
    "json_schema accepted and ignored": ["a schema that is ignored"],
    "a whole object instead of a stream": ["one object instead of a stream", "a call in one object"],
    "refusals, filters and cuts": ["a refusal", "a refusal only when done", "a refusal only in the item",
                                   "a filter after some words", "a length reached",
                                   "a length reached, told by status alone", "a length reached inside a call"],
    "none": ["as documented", "a call as documented", "two messages", "two parts of one message", "text beside a call"],
}  # fmt: skip


def test_every_quirk_has_its_cases_and_every_case_its_quirk():
    named = [case for cases in QUIRKS.values() for case in cases]
    assert sorted(named) == sorted(CASES)


def grown(case) -> list[ModelEvent]:
    """The events of a case fed one by one, as far as a client would read."""
    accumulator = Accumulator("here")
    seen: list[ModelEvent] = []
    for frame in case.frames:
        if isinstance(frame, dict) and not accumulator.finished:
            seen += accumulator.feed(frame)
    return [*seen, accumulator.completion()]


def check(case, events: list[ModelEvent]) -> None:
    done = events[-1]
    assert isinstance(done, Completion)
    assert done.message.text == case.text
    assert [(call.id, call.name, json.loads(call.arguments)) for call in done.message.calls] == case.calls
    reasoning = [part for part in done.message.parts if isinstance(part, Reasoning)]
    assert "".join(part.text for part in reasoning) == case.reasoning
    assert all(part.item is None or part.item["item"]["encrypted_content"] == "gAAA" for part in reasoning)
    assert done.stop == case.stop
    used = done.usage
    assert (used.input, used.cached, used.output, used.reasoning, used.written) == case.usage
    assert done.dollars == case.dollars
    phases = tuple(part.phase for part in done.message.parts if isinstance(part, Text) and part.phase)
    assert phases == case.phases
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == case.text
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == case.reasoning
    metered = [event for event in events if isinstance(event, Metered)]
    assert [metered[-1].usage, metered[-1].dollars] == [done.usage, done.dollars] if metered else not done.usage.total


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if not case.whole and all(isinstance(f, dict) for f in case.frames)]
)
def test_events_give_the_answer(name):
    check(CASES[name], grown(CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_a_connection_gives_the_answer(name, server, wire):
    case = CASES[name]
    frames = [frame if isinstance(frame, bytes) else wire.sse(frame) for frame in case.frames]
    server.replies = [wire.whole(case.frames[0]) if case.whole else wire.Reply(frames)]
    model = OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect="responses"), timeout=10)
    form = AnswerForm("json", schema={"type": "object"})

    async def ask() -> list[ModelEvent]:
        return [event async for event in model.stream(ModelRequest("", (user("hello"),), answer=form))]

    check(case, asyncio.run(ask()))
    assert server.paths == ["/v1/responses"]
