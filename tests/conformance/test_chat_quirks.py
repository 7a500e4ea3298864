"""Every way a chat server is known to stream an answer gives that answer, as events and over a real connection."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import pytest
from statebook.model.openai import OpenAIModel
from statebook.model.openai.chat.accumulate import Accumulator
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.messages import Message, Reasoning, ToolResult, user
from statebook.protocol.models import Completion, Metered, ModelEvent, ModelRequest, ReasoningDelta, TextDelta

CASES = runpy.run_path(str(Path(__file__).with_name("chat_cases.py")))["CASES"]
FAILURES = runpy.run_path(str(Path(__file__).with_name("test_chat_failures.py")))

QUIRKS = {
    "no index on tool-call deltas": ["no index", "no index, two calls in one frame", "no index and no id, two calls",
                                     "no index, pieces of two calls", "an index that comes later"],
    "every parallel call with index 0": ["every call with index 0", "every call with index 0, in one frame",
                                         "every call with index 0 and no id", "every call with index 0, in pieces",
                                         "alternating pieces with ids and index 0"],
    "no id": ["no id", "an empty id", "the same id twice", "another id on every piece"],
    "whole arguments in one frame, or as an object": ["whole arguments in one frame", "arguments as an object",
                                                      "arguments as an empty object, then pieces", "no arguments",
                                                      "no arguments, twice in one frame"],
    "id and name repeated on every frame": ["id and name on every piece", "the name on every piece and no id",
                                            "the whole call repeated at the end", "null names and ids on later pieces"],
    "finish_reason stop with tool calls": ["finish_reason stop with calls", "a finish_reason with each call",
                                           "finish_reason tool_calls without calls"],
    "reasoning in three places": ["reasoning_content", "reasoning", "reasoning_details",
                                  "reasoning in two places at once", "reasoning under both names",
                                  "null reasoning beside text", "content as blocks"],
    "SSE comments": ["comments between frames"],
    "empty or null choices": ["empty choices first", "null choices", "no choices at all", "null delta and null choice"],
    "a last usage chunk": ["counts after the end", "counts after the end beside an empty delta",
                           "counts beside the end", "counts on every frame", "null counts until the end",
                           "null details", "no counts at all"],
    "counts and prices in other words": ["cache hits in DeepSeek's words", "reasoning counted in the total only",
                                         "the server's own price"],
    "an extra empty message item": ["an empty message at the end", "empty deltas between", "an empty entry at the end",
                                    "the whole message repeated at the end"],
    "role repeated": ["role on every frame"],
    "other finish reasons": ["empty finish_reason until the end", "another finish_reason",
                             "finish_reason beside the last text"],
    "a whole object instead of a stream": ["one object instead of a stream", "one object as the only frame",
                                           "calls in one object"],
    "refusals, filters and cuts": ["a refusal", "a refusal that ends by the filter", "a length reached",
                                   "a length reached before a word", "a length reached inside a call"],
    "json_schema accepted and ignored": ["json text as asked"],
    "what must be echoed": ["a signature beside a call", "reasoning_content goes back", "reasoning goes back",
                            "reasoning_details go back"],
    "an error frame after 200": ["an error frame", "an error frame with a status as code",
                                 "an error frame with a finish", "an error in the choice",
                                 "an error frame that overflows", "an error as a text", "finish_reason error",
                                 "finish_reason abort", "no room", "test_one_object_that_is_an_error"],
    "the end without a finish": ["the end without a finish_reason", "the end before anything", "only comments",
                                 "only empty chunks", "test_the_end_mark_alone_is_no_end"],
    "overflow shapes": ["llama-server", "openai", "vllm"],
    "a web page instead of a stream": ["test_a_web_page_names_the_base_url",
                                       "test_a_web_page_called_a_stream_is_no_answer"],
    "malformed frames and calls": ["a frame that is no JSON", "a frame that is no UTF-8",
                                   "a tool call that can't be read", "a tool call without a name"],
    "connections that break": ["a cut chunked body", "a reset", "test_silence_is_a_timeout",
                               "test_an_answer_that_has_ended_outlives_its_connection"],
    "429 with Retry-After": ["test_a_server_that_asks_to_wait_is_heard"],
    "filters": ["a filter before any word", "a filter after some words", "a filter in Gemini's words"],
    "an empty answer": ["an empty answer", "only reasoning"],
    "none": ["as documented", "a call as documented", "two calls in pieces that alternate", "text before a call",
             "a second answer is not ours"],
}  # fmt: skip


def test_every_quirk_has_its_cases_and_every_case_its_quirk():
    named = [case for cases in QUIRKS.values() for case in cases]
    cases = [*CASES, *ECHOED, *FAILURES["STREAMS"], *FAILURES["OVERFLOW"]]
    tests = [case for case in named if case.startswith("test_")]
    assert sorted(named) == sorted(cases + tests)
    assert all(callable(FAILURES[test]) for test in tests)


def grown(case) -> list[ModelEvent]:
    """The events of a case fed chunk by chunk, as far as a client would read."""
    accumulator = Accumulator()
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
    assert "".join(part.text for part in done.message.parts if isinstance(part, Reasoning)) == case.reasoning
    assert done.stop == case.stop
    used = done.usage
    assert (used.input, used.cached, used.output, used.reasoning) == case.usage
    assert done.dollars == case.dollars
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == case.text
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == case.reasoning
    metered = [event for event in events if isinstance(event, Metered)]
    assert [metered[-1].usage, metered[-1].dollars] == [done.usage, done.dollars] if metered else not done.usage.total


@pytest.mark.parametrize("name", CASES)
def test_events_give_the_answer(name):
    check(CASES[name], grown(CASES[name]))


def model_of(server) -> OpenAIModel:
    return OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect="chat"), timeout=10)


async def ask(model: OpenAIModel, *messages: Message) -> list[ModelEvent]:
    return [event async for event in model.stream(ModelRequest("", messages))]


@pytest.fixture(scope="module")
def asked(steady):
    """What the server answers to hello."""
    model = model_of(steady)
    with asyncio.Runner() as runner:
        yield lambda: runner.run(ask(model, user("hello")))


@pytest.mark.parametrize("name", CASES)
def test_a_connection_gives_the_answer(name, steady, asked, wire):
    case = CASES[name]
    steady.play(wire.whole(case.frames[0]) if case.whole else wire.chat(*case.frames))
    check(case, asked())
    assert steady.paths == ["/v1/chat/completions"]


SIGNATURE = {"google": {"thought_signature": "sig=="}}
SEALED = {"type": "reasoning.encrypted", "data": "AAA", "index": 0}
ECHOED = {
    "a signature beside a call": ({"tool_calls": [{"extra_content": SIGNATURE}]}, "extra_content", SIGNATURE),
    "reasoning_content goes back": ({"reasoning_content": "Hm."}, "reasoning_content", "Hm."),
    "reasoning goes back": ({"reasoning": "Hm."}, "reasoning", "Hm."),
    "reasoning_details go back": ({"reasoning": "Hm.", "reasoning_details": [SEALED]}, "reasoning_details", [SEALED]),
}


@pytest.mark.parametrize("name", ECHOED)
def test_what_a_server_wants_back_is_in_the_next_request_to_it_and_to_no_other(name, server, other, wire):
    delta, field, value = ECHOED[name]
    call = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{}"}, **delta.get("tool_calls", [{}])[0]}
    frames = [{"choices": [{"delta": {**delta, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}]
    for each in (server, other):
        each.play(wire.chat(*frames))

    async def run() -> None:
        model = model_of(server)
        done = (await ask(model, user("q")))[-1]
        history = (user("q"), done.message, Message("tool", (ToolResult("c1", "add", "3"),)))
        await ask(model, *history)
        await ask(model_of(other), *history)

    asyncio.run(run())
    for each, expected in ((server, value), (other, None)):
        entry = each.bodies[-1]["messages"][1]
        assert {**entry, **entry["tool_calls"][0]}.get(field) == expected
