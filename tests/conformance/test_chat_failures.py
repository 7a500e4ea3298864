"""Every way a chat server fails becomes one clear line with its fault, whatever had been said before."""

from __future__ import annotations

import asyncio

import pytest
from statebook.errors import ModelError
from statebook.model.openai import OpenAIModel
from statebook.model.openai.attempts import reading
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.messages import user
from statebook.protocol.models import Completion, Metered, ModelEvent, ModelRequest, TextDelta, Usage


def chunk(delta: dict | None = None, finish: str | None = None, **more: object) -> dict:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


HEL = chunk({"content": "Hel"})
BROKEN = {"message": "boom", "code": 502}
EMPTY = chunk({"role": "assistant", "content": ""})
COUNTED = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def model_of(server, timeout: float = 10.0) -> OpenAIModel:
    return OpenAIModel("gpt-test", Endpoint(server.url, ""), Service(dialect="chat"), timeout=timeout)


async def read(model: OpenAIModel, into: list[ModelEvent]) -> list[ModelEvent]:
    """All events; what came before a failure is in ``into``."""
    async with asyncio.timeout(20):
        async for event in model.stream(ModelRequest("", (user("hello"),))):
            into.append(event)  # noqa: PERF401 - one by one, see above
    return into


def ask(server, timeout: float = 10.0) -> list[ModelEvent]:
    return asyncio.run(read(model_of(server, timeout), []))


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def model(steady):
    return model_of(steady)


@pytest.fixture
def fails(steady, model, runner):
    """The error that a reply leads to, after one request."""

    def play(reply, seen: list[ModelEvent] | None = None) -> ModelError:
        steady.play(reply)
        with pytest.raises(ModelError) as caught:
            runner.run(read(model, [] if seen is None else seen))
        assert "\n" not in str(caught.value)
        assert caught.value.hint
        assert len(steady.bodies) == 1
        return caught.value

    return play


STREAMS = {
    "the end without a finish_reason": ([HEL], "end", "truncated", True),
    "the end before anything": ([], "end", "truncated", True),
    "only comments": ([b": ping\n\n"], "end", "truncated", True),
    "only empty chunks": ([chunk(), {"choices": []}, {}], "end", "truncated", True),
    "a cut chunked body": ([HEL], "cut", "broken_off", True),
    "a reset": ([HEL], "reset", "broken_off", True),
    "an error frame": ([HEL, {"error": {"message": "boom", "code": "server_error"}}], "end", "server_fault", True),
    "an error frame with a status as code": ([HEL, {"error": BROKEN}], "end", "server_fault", True),
    "an error frame with a finish": (
        [HEL, {"error": BROKEN, **chunk({"content": ""}, "error")}], "end", "server_fault", True
    ),
    "an error in the choice": (
        [HEL, {"choices": [{"index": 0, "delta": {}, "error": {"message": "slow down", "code": 429}}]}],
        "end", "rate_limited", True,
    ),
    "an error frame that overflows": (
        [{"error": {"message": "8 tokens", "code": "context_length_exceeded"}}], "end", "overflow", False
    ),
    "an error as a text": ([HEL, {"error": "out of memory"}], "end", "refused_request", False),
    "finish_reason error": ([HEL, chunk(finish="error")], "end", "server_fault", True),
    "finish_reason abort": ([HEL, chunk(finish="abort")], "end", "broken_off", True),
    "no room": ([HEL, chunk(finish="insufficient_system_resource")], "end", "overloaded", True),
    "a tool call that can't be read": ([chunk(finish="MALFORMED_FUNCTION_CALL")], "end", "malformed", True),
    "a tool call without a name": (
        [chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}), chunk(finish="stop")],
        "end", "malformed", True,
    ),
    "a filter before any word": ([chunk(finish="content_filter")], "end", "filtered", False),
    "a filter in Gemini's words": ([chunk(finish="SAFETY")], "end", "filtered", False),
    "a frame that is no JSON": ([HEL, b'data: {"choices": [{"del\n\n'], "end", "malformed", True),
    "a frame that is no UTF-8": ([HEL, b'data: {"choices": "\xff\xfe"}\n\n'], "end", "malformed", True),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_fails_says_how(name, fails, wire):
    frames, then, fault, retryable = STREAMS[name]
    error = fails(wire.chat(*frames, then=then, done=False))
    assert (error.fault, error.retryable) == (fault, retryable)


def test_the_end_mark_alone_is_no_end(fails, wire):
    assert fails(wire.chat(HEL)).fault == "truncated"


OVERFLOW = {
    "llama-server": (
        {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9001, "n_ctx": 4096,
         "message": "the request exceeds the available context size, try increasing it"}, "9,001", "4,096",
    ),
    "openai": ({"code": "context_length_exceeded", "type": "invalid_request_error", "param": "messages",
                "message": "This model's maximum context length is 8192 tokens."}, "8192", "8192"),
    "vllm": ({"object": "error", "type": "BadRequestError", "code": 400,
              "message": "This model's maximum context length is 4096 tokens. You requested 9001."}, "4096", "9001"),
}  # fmt: skip


@pytest.mark.parametrize("name", OVERFLOW)
def test_an_overflow_is_told_with_the_servers_numbers(name, fails, wire):
    detail, *numbers = OVERFLOW[name]
    error = fails(wire.Reply([_json({"error": detail})], 400, "application/json"))
    assert error.fault == "overflow"  # where the numbers are news, it is asked again with less
    assert all(number in str(error) for number in numbers)


STATUSES = {
    "a refused key": (401, "Incorrect API key", "invalid_api_key", "refused_key", False),
    "forbidden": (403, "no", "", "forbidden", False),
    "no such model": (404, "The model 'gpt-test' does not exist", "model_not_found", "unknown_model", False),
    "too many requests": (429, "slow", "rate_limit_exceeded", "rate_limited", True),
    "no quota": (429, "over", "insufficient_quota", "no_quota", False),
    "a fault": (500, "boom", "", "server_fault", True),
    "overloaded": (503, "busy", "", "overloaded", True),
    "a filter": (400, "flagged", "content_filter", "filtered", False),
    "refused": (400, "bad temperature", "", "refused_request", False),
}


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_says_its_fault(name, fails, wire):
    status, message, code, fault, retryable = STATUSES[name]
    error = fails(wire.error(status, message, code))
    assert (error.fault, error.retryable) == (fault, retryable)


def test_a_server_that_asks_to_wait_is_heard(fails, wire):
    error = fails(wire.error(429, "slow", "rate_limit_exceeded", Retry_After="7"))
    assert error.wait == 7
    assert "7 s" in str(error)


def test_a_web_page_names_the_base_url(fails, wire):
    error = fails(wire.Reply([b"<html>Sign in</html>"], media_type="text/html; charset=utf-8"))
    assert (error.fault, error.retryable) == ("not_a_stream", False)
    assert "base URL" in str(error)


def test_a_web_page_called_a_stream_is_no_answer(fails, wire):
    assert fails(wire.Reply([b"<html>\n<body>Sign in</body>\n</html>\n"])).fault == "truncated"


def test_silence_is_a_timeout(server, wire):
    server.play(wire.chat(HEL, then="wait"))
    with pytest.raises(ModelError) as caught:
        ask(server, timeout=0.3)
    assert caught.value.fault == "timeout"


def test_one_object_that_is_an_error(fails, wire):
    assert fails(wire.whole({"error": {"message": "boom", "code": "server_error"}})).fault == "server_fault"


def test_what_was_counted_before_a_failure_is_told(fails, wire):
    seen: list[ModelEvent] = []
    fails(wire.chat(chunk(finish="content_filter"), COUNTED), seen)
    assert seen == [Metered(Usage(7, 0, 2))]


@pytest.mark.parametrize("then", ["cut", "reset", "wait"])
def test_an_answer_that_has_ended_outlives_its_connection(then, server, wire, monkeypatch):
    monkeypatch.setattr(reading, "_TAIL_SECONDS", 0.2)
    server.replies = [wire.chat(HEL, chunk({"content": "lo."}, "stop"), then=then)]
    events = ask(server, timeout=600.0)
    assert isinstance(events[-1], Completion)
    assert events[-1].message.text == "Hello."
    assert [type(event) for event in events] == [TextDelta, TextDelta, Completion]


@pytest.mark.parametrize("counted", [COUNTED, {**EMPTY, "usage": COUNTED["usage"]}])
def test_nothing_is_waited_for_after_the_counts(counted, server, wire):
    server.replies = [wire.chat(HEL, chunk(finish="stop"), counted, then="wait")]
    done = ask(server)[-1]
    assert isinstance(done, Completion)
    assert done.usage == Usage(7, 0, 2)
    assert server.gone.wait(5)


REFUSALS = {
    "by its path": "'messages.1' : for 'role:assistant' the property 'reasoning' is unsupported",
    "by its name": "Unrecognized request argument supplied: reasoning",
}


@pytest.mark.parametrize("told", REFUSALS)
def test_reasoning_that_a_server_sends_and_does_not_take_back_stays_home(told, server, wire):
    thinking = [chunk({"reasoning": "Hm."}), chunk({"content": "Yes."}, "stop")]
    refused = wire.error(400, REFUSALS[told], "invalid_request_error")
    server.replies = [wire.chat(*thinking), refused, wire.chat(*thinking), wire.chat(*thinking)]

    async def run() -> None:
        model = model_of(server)
        messages = [user("q")]
        for _ in range(3):
            done = [event async for event in model.stream(ModelRequest("", tuple(messages)))][-1]
            assert isinstance(done, Completion)
            messages.append(done.message)

    asyncio.run(run())
    echoed = [["reasoning" in each for each in body["messages"][1:]] for body in server.bodies]
    assert echoed == [[], [True], [False], [False, False]]


def _json(value: object) -> bytes:
    import json

    return json.dumps(value).encode()
