"""A session goes on after every failure of its model: each try is journaled, and the next prompt is answered."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import RunFailed
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import ModelFailed
from statebook.protocol.models import Usage
from statebook.run.asking import draft, step
from statebook.testing import TemporarySession
from statebook.tools.function import tool

pytestmark = pytest.mark.slow  # whole sessions, over and over

HEL = {"type": "response.output_text.delta", "delta": "Hel"}


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """The seconds that a run waited between tries; none is really waited."""
    told: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds != draft._PULSE:
            told.append(seconds)
        await really(min(seconds, 0.01))

    monkeypatch.setattr(step.asyncio, "sleep", sleep)
    return told


def done(*output: dict, **more: object) -> dict:
    usage = {"input_tokens": 10, "output_tokens": 2}
    return {"type": "response.completed", "response": {"id": "r", "output": list(output), "usage": usage, **more}}


def says(wire, text: str):
    return wire.stream({"type": "response.output_text.delta", "delta": text}, done())


def calls(wire, *arguments: str, name: str = "add"):
    items = [
        {"type": "function_call", "call_id": f"c{n}", "name": name, "arguments": text}
        for n, text in enumerate(arguments)
    ]
    return wire.stream(*({"type": "response.output_item.done", "item": item} for item in items), done())


def session_of(server, folder, **more) -> TemporarySession:
    model = OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect="responses"), timeout=5)
    return TemporarySession(model=model, folder=folder, sources=(), **more)


async def both(session, *prompts: str) -> list:
    return [await session.ask(prompt) for prompt in prompts]


def failed(session) -> list[ModelFailed]:
    entries = (
        entry for number in session.store.run_numbers() for entry in session.store.journal.entries_of_run(number)
    )
    return [entry.event for entry in entries if isinstance(entry.event, ModelFailed)]


def replies(wire) -> dict:
    """Every failure of the list: what a server does, its fault, how often it is tried in all."""
    refused = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
    html = wire.Reply([b"<html></html>"], media_type="text/html")
    return {
        "a refused key": (wire.error(401, "bad key"), "refused_key", 1),
        "an unknown model": (wire.error(404, "no such model", "model_not_found"), "unknown_model", 1),
        "too many requests": (wire.error(429, "slow down", Retry_After="30"), "rate_limited", 3),
        "no quota": (wire.error(429, "no quota", "insufficient_quota"), "no_quota", 1),
        "a fault of its own": (wire.error(500, "boom"), "server_fault", 3),
        "overload": (wire.error(503, "busy"), "overloaded", 3),
        "a reset": (wire.stream(HEL, then="reset"), "broken_off", 3),
        "a cut body": (wire.stream(HEL, then="cut"), "broken_off", 3),
        "no terminal event": (wire.stream(HEL), "truncated", 3),
        "a web page": (html, "not_a_stream", 1),
        "malformed JSON": (wire.Reply([b'data: {"type": "resp\n\n']), "malformed", 3),
        "an overflow": (wire.error(400, "exceeds the context", "exceed_context_size_error"), "overflow", 1),
        "a filter": (wire.stream({"type": "response.incomplete", "response": refused}), "filtered", 1),
        "an empty answer": (wire.stream(done()), "empty", 3),
        "an answer of reasoning alone": (
            wire.stream(done({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"})), "empty", 3
        ),
        "nothing said before the limit": (wire.stream(done(status="incomplete")), "empty", 1),
    }  # fmt: skip


NAMES = ["a refused key", "an unknown model", "too many requests", "no quota", "a fault of its own", "overload",
         "a reset", "a cut body", "no terminal event", "a web page", "malformed JSON", "an overflow", "a filter",
         "an empty answer", "an answer of reasoning alone", "nothing said before the limit"]  # fmt: skip


def test_every_failure_is_tried(wire):
    assert sorted(replies(wire)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_session_goes_on_after_a_failure(server, wire, tmp_path, waits, name):
    reply, fault, tries = replies(wire)[name]
    server.replies = [says(wire, "Yes."), *([reply] * tries), says(wire, "Now."), says(wire, "Then.")]
    with session_of(server, tmp_path) as session:

        async def talk() -> None:
            await session.ask("First?")
            with pytest.raises(RunFailed) as caught:
                await session.ask("Second?")
            assert "\n" not in str(caught.value)
            told = failed(session)
            assert [event.fault for event in told] == [fault] * tries
            assert {event.retryable for event in told} == {tries > 1}
            assert len(waits) == tries - 1
            again = await session.ask("Second?")  # the same cell goes on
            assert (again.number, again.answer) == (2, "Now.")
            assert (await session.ask("Third?")).answer == "Then."

        asyncio.run(talk())
    assert [item["role"] for item in server.bodies[-1]["input"]] == ["user", "assistant"] * 2 + ["user"]


def test_a_failure_that_passes_leaves_an_answer_and_its_tries(server, wire, tmp_path, waits):
    broken = wire.stream(HEL, then="reset")
    server.replies = [wire.error(429, "slow", Retry_After="30"), broken, says(wire, "Hello.")]
    with session_of(server, tmp_path) as session:
        run = asyncio.run(session.ask("Hi"))
        assert [(event.fault, event.partial) for event in failed(session)] == [
            ("rate_limited", ""),
            ("broken_off", "Hel"),
        ]
    assert run.answer == "Hello."
    assert waits == [30.0, 4.0]
    assert any("kept among the steps" in note for note in run.notes)


@pytest.mark.parametrize(
    ("asked", "told", "limits"), [("121", "in 2 minutes", Limits(50)), ("30", "in 30 s", Limits(50, seconds=20.0))]
)
def test_a_wait_that_is_too_long_is_left_to_the_person(server, wire, tmp_path, waits, asked, told, limits):  # noqa: PLR0917 - fixtures and parameters
    server.replies = [wire.error(429, "slow", Retry_After=asked)]
    with session_of(server, tmp_path, limits=limits) as session, pytest.raises(RunFailed, match=told):
        asyncio.run(session.ask("Hi"))
    assert waits == []
    assert len(server.bodies) == 1


def keys_of(server) -> list[str]:
    return [headers["idempotency-key"] for headers in server.headers]


LOST = {"a reset": {"then": "reset"}, "a cut": {"then": "cut"}}


@pytest.mark.parametrize("name", LOST)
def test_an_answer_that_got_lost_is_asked_for_under_its_own_key(server, wire, tmp_path, name):
    server.replies = [wire.stream(HEL, **LOST[name]), says(wire, "Hello."), says(wire, "More.")]
    with session_of(server, tmp_path) as session:
        asyncio.run(both(session, "Hi", "More"))
    first, second, third = keys_of(server)
    assert first == second
    assert third != first
    assert server.raw[0] == server.raw[1]


def test_an_error_that_was_reported_is_not_asked_for_again(server, wire, tmp_path):
    server.replies = [wire.error(500, "boom"), says(wire, "Hello.")]
    with session_of(server, tmp_path) as session:
        asyncio.run(session.ask("Hi"))
    assert len(set(keys_of(server))) == 2


@tool(effect="read")
def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


class Plain:
    """A tool that checks nothing itself, as a server's may not."""

    def __init__(self) -> None:
        from statebook.protocol.tools import ToolSpec

        properties = {"a": {"type": "integer"}, "word": {"type": "string", "enum": ["x", "y"]}}
        self.spec = ToolSpec("add", "Adds.", {"type": "object", "properties": properties, "required": ["a"]}, "read")
        self.seen: list[dict] = []

    async def call(self, arguments, ctx):
        from statebook.protocol.tools import ToolOutcome

        self.seen.append(arguments)
        return ToolOutcome("3")


BAD = {
    "no JSON": ('{"a": 1', "not JSON"),
    "no object": ("[1]", "a JSON list"),
    "a string of JSON": ('"{}"', "a JSON string"),
    "NaN": ('{"a": NaN}', "not JSON"),
    "another type": ('{"a": "one"}', "a"),
    "missing": ("{}", "a"),
    "unknown": ('{"a": 1, "c": 3}', "c"),
}


@pytest.mark.parametrize("kind", ["typed", "plain"])
@pytest.mark.parametrize("name", BAD)
def test_arguments_that_do_not_fit_are_told_to_the_model_and_harm_nothing(server, wire, tmp_path, name, kind):
    written, says_so = BAD[name]
    plain = Plain()
    server.replies = [calls(wire, written), says(wire, "Sorry."), says(wire, "Then.")]
    with session_of(server, tmp_path, tools=[add if kind == "typed" else plain]) as session:
        run, then = asyncio.run(both(session, "Add", "And then?"))
    assert (run.answer, [call.result.status for call in run.calls], then.answer) == ("Sorry.", ["error"], "Then.")
    assert not run.calls[0].intended
    assert plain.seen == []
    told = server.bodies[1]["input"][-1]
    assert told["type"] == "function_call_output"
    assert says_so in told["output"]
    assert isinstance(json.loads(server.bodies[2]["input"][1]["arguments"]), dict)  # what servers can parse


def test_a_call_that_fits_is_made_without_the_nulls_it_may_leave_out(server, wire, tmp_path):
    plain = Plain()
    server.replies = [calls(wire, '{"a": 1, "word": null}'), says(wire, "3")]
    with session_of(server, tmp_path, tools=[plain]) as session:
        asyncio.run(session.ask("Add"))
    assert plain.seen == [{"a": 1}]


def test_calls_that_fit_are_made_beside_those_that_do_not(server, wire, tmp_path):
    server.replies = [calls(wire, '{"a": 1}', "{", '{"a": 5}'), says(wire, "3 and 7")]
    with session_of(server, tmp_path, tools=[add]) as session:
        run = asyncio.run(session.ask("Add"))
    assert [(call.result.status, call.result.text) for call in run.calls][::2] == [("ok", "3"), ("ok", "7")]
    outputs = [item["call_id"] for item in server.bodies[1]["input"] if item["type"] == "function_call_output"]
    assert outputs == ["c0", "c1", "c2"]


def test_what_a_failed_call_cost_is_counted(server, wire, tmp_path):
    usage = {"input_tokens": 70, "output_tokens": 3}
    broken = {
        "type": "response.failed",
        "response": {"error": {"code": "server_error", "message": "x"}, "usage": usage},
    }
    server.replies = [wire.stream(broken), says(wire, "Hello.")]
    with session_of(server, tmp_path) as session:
        run = asyncio.run(session.ask("Hi"))
    assert [model.usage for model in run.models] == [Usage(70, 0, 3), Usage(10, 0, 2)]
    assert run.usage == Usage(80, 0, 5)


def test_two_requests_of_a_session_share_their_beginning_byte_by_byte(server, wire, tmp_path):
    server.replies = [calls(wire, '{"a": 1}'), says(wire, "3"), says(wire, "Then.")]
    with session_of(server, tmp_path, tools=[add]) as session:
        asyncio.run(both(session, "Add", "And then?"))
    for before, after in zip(server.raw, server.raw[1:], strict=False):
        assert before.endswith(b"]}")
        assert after.startswith(before[:-2])
    assert len({json.dumps(body["prompt_cache_key"]) for body in server.bodies}) == 1


def test_a_server_that_tells_how_little_fits_is_sent_no_more(server, wire, tmp_path):
    long = "Whales are large. " * 400
    body = {"message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 2600}
    refused = wire.Reply([json.dumps({"error": body}).encode()], 400, "application/json")
    server.replies = [says(wire, "One."), says(wire, "Two."), refused, says(wire, "Three.")]
    with session_of(server, tmp_path) as session:
        runs = asyncio.run(both(session, f"{long} 1", f"{long} 2", "And?"))
        assert session.session.model().context_tokens == 2600
    assert runs[2].answer == "Three."
    assert [model.fault for model in runs[2].models] == ["overflow", ""]
    assert len(server.raw[3]) < len(server.raw[2]) / 2


def test_a_prompt_too_long_for_what_the_server_tells_fails_in_the_end(server, wire, tmp_path):
    text = "This model's maximum context length is 2,600 tokens. However, you requested 9000 tokens."
    server.replies = [wire.error(400, text, "context_length_exceeded"), wire.error(400, text), says(wire, "Then.")]
    with session_of(server, tmp_path) as session:
        with pytest.raises(RunFailed, match="longer than the model's context"):
            asyncio.run(session.ask("Whales are large. " * 900))
        assert [event.retryable for event in failed(session)] == [True, False]
        assert asyncio.run(session.ask("Short?", fresh=True)).answer == "Then."


def test_a_prompt_that_a_filter_stopped_does_not_stop_the_next(server, wire, tmp_path):
    server.replies = [wire.error(400, "flagged", "content_filter"), says(wire, "Then.")]
    with session_of(server, tmp_path) as session:
        with pytest.raises(RunFailed, match="content filter"):
            asyncio.run(session.ask("Something vile"))
        assert asyncio.run(session.ask("Something nice")).answer == "Then."
    assert "vile" not in server.raw[1].decode()
    assert "content filter" in server.bodies[1]["input"][0]["content"][0]["text"]
