"""Every way a model server fails becomes one clear line with its fault: whether, and when, it may be asked again."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from statebook.errors import ModelError
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.messages import user
from statebook.protocol.models import Metered, ModelEvent, ModelRequest, TextDelta, Usage

pytestmark = pytest.mark.slow  # many conversations with a server

KEY = "sk-proj-abcdef1234567890"


def delta(text: str) -> dict:
    return {"type": "response.output_text.delta", "delta": text}


HEL = delta("Hel")
DONE = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}


def ask(server, *, timeout: float = 10.0, seen: list[ModelEvent] | None = None, key: str = KEY) -> None:
    model = OpenAIModel("gpt-test", Endpoint(server.url, key), Service(dialect="responses"), timeout=timeout)

    async def run() -> None:
        async for event in model.stream(ModelRequest("", (user("hello"),))):
            if seen is not None:
                seen.append(event)

    asyncio.run(run())


def fails(server, reply, **how) -> ModelError:
    server.replies = [reply]
    with pytest.raises(ModelError) as caught:
        ask(server, **how)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.hint
    assert KEY[8:] not in line
    assert len(server.bodies) == 1
    return caught.value


# status, message, code, what the line and the hint say, the fault, whether it may be asked again
STATUS = {
    "a key refused": (401, f"Incorrect API key provided: {KEY}", "invalid_api_key", "refused the key", "OPENAI_API_KEY",
                      "refused_key", False),
    "no credit": (402, "Insufficient credits", "", "no credit left", "billing", "no_quota", False),
    "a country": (403, "Country not supported", "", "does not allow this", "key", "forbidden", False),
    "a model": (404, "The model does not exist", "model_not_found", "knows no model 'gpt-test'", "-m", "unknown_model",
                False),
    "an address": (404, "Not Found", "", "nothing at this address (404)", "base URL", "refused_request", False),
    "a method": (405, "Method Not Allowed", "", "nothing at this address (405)", "base URL", "refused_request", False),
    "a wait": (408, "slow", "", "gave up waiting", "Ask again", "timeout", True),
    "a conflict": (409, "in progress", "", "refused the request (409)", "Change", "refused_request", True),
    "a size": (413, "Payload Too Large", "", "too large", "Hand over less", "overflow", False),
    "too many": (429, "Rate limit reached", "rate_limit_exceeded", "too many requests", "in 7 s", "rate_limited", True),
    "a quota": (429, "You exceeded your quota", "insufficient_quota", "no quota left", "billing", "no_quota", False),
    "a fault": (500, "boom", "server_error", "a fault of its own (500)", "in 7 s", "server_fault", True),
    "not made": (501, "no", "", "can't do this (501)", "another model", "refused_request", False),
    "a gateway": (502, "<html><h1>Bad Gateway</h1></html>", "", "(502): Bad Gateway.", "in 7 s", "server_fault", True),
    "busy": (503, "Loading model", "", "is overloaded (503)", "in 7 s", "overloaded", True),
    "a gateway's wait": (504, "no answer", "", "gave up waiting (504)", "in 7 s", "timeout", True),
    "too busy": (529, "Overloaded", "overloaded_error", "is overloaded (529)", "in 7 s", "overloaded", True),
    "too long": (400, "maximum context length is 8 tokens", "context_length_exceeded", "longer than the model's",
                 "larger context", "overflow", False),
    "a filter": (400, "The response was filtered", "content_filter", "content filter stopped this", "Word it otherwise",
                 "filtered", False),
    "a prompt": (400, "flagged", "invalid_prompt", "filter stopped this: flagged", "Word it", "filtered", False),
    "a parameter": (400, "Unsupported parameter: temperature", "unsupported", "refused the request (400)", "Change",
                    "refused_request", False),
}  # fmt: skip


@pytest.mark.parametrize("name", STATUS)
def test_a_status_becomes_one_line(server, wire, name):
    status, message, code, says, hint, fault, retryable = STATUS[name]
    error = fails(server, wire.error(status, message, code, Retry_After="7"))
    assert says in error.message
    assert hint in error.hint
    assert (error.fault, error.retryable) == (fault, retryable)


BODIES = {
    "a bare string": b'{"error": "boom"}',
    "a list": b'[{"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}]',
    "no error object": b'{"object": "error", "message": "boom", "type": "InternalServerError", "code": 500}',
    "a detail": b'{"detail": "boom"}',
    "details": b'{"detail": [{"loc": ["body", "input"], "msg": "boom", "type": "x"}]}',
    "a web page": b"<html><head><style>b {}</style></head><body>boom</body></html>",
    "text": b"boom",
}


@pytest.mark.parametrize("name", BODIES)
def test_an_error_is_read_in_every_shape(server, wire, name):
    media_type = "application/json" if BODIES[name][:1] in b"[{" else "text/html"
    error = fails(server, wire.Reply([BODIES[name]], 500, media_type))
    assert error.message == f"{server.url} has a fault of its own (500): boom."


def test_the_numbers_of_an_overflow_are_told(server, wire):
    body = {"code": 400, "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error", "n_prompt_tokens": 5012, "n_ctx": 4096}  # fmt: skip
    reply = wire.Reply([json.dumps({"error": body}).encode()], 400, "application/json")
    assert "5,012 tokens, and it takes 4,096" in fails(server, reply).message


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"Retry-After": "7"}, "", 7),
        ({"Retry-After": "0.25"}, "", 0.25),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, "", 1.5),
        ({"Retry-After": "soon"}, "", None),
        ({"Retry-After": "inf"}, "", None),
        ({"Retry-After": "-3"}, "", 0),
        ({}, "Limit reached. Please try again in 2.5s.", 2.5),
        ({}, "Please try again in 120ms. Visit us", 0.12),
        ({}, "slow down", None),
    ],
)
def test_how_long_to_wait_is_read(server, wire, headers, message, wait):
    body = json.dumps({"error": {"message": message}}).encode()
    assert fails(server, wire.Reply([body], 429, "application/json", headers)).wait == wait


def test_how_long_to_wait_is_read_from_a_date(server, wire):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    error = fails(server, wire.Reply([b"{}"], 503, "application/json", {"Retry-After": at}))
    assert error.wait == pytest.approx(600, abs=60)


def _failed(code: str, message: str, **more: object) -> dict:
    error = {"code": code, "message": message}
    return {"type": "response.failed", "response": {"status": "failed", "error": error, **more}}


_CUT = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
_RATE = {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}

# events, how the connection ends, what the line says, the fault, whether it may be asked again
STREAMS = {
    "no terminal event": ([HEL], "end", "broke off before its end", "truncated", True),
    "nothing at all": ([], "end", "ended its answer before it began", "truncated", True),
    "only comments": ([b": ping\n\n"], "end", "ended its answer before it began", "truncated", True),
    "a cut chunked body": ([HEL], "cut", "broke off", "broken_off", True),
    "a reset": ([HEL], "reset", "broke off", "broken_off", True),
    "a failure": ([HEL, _failed("server_error", "boom")], "end", "boom", "server_fault", True),
    "a refusal of the prompt": ([HEL, _failed("invalid_prompt", "bad")], "end", "bad", "filtered", False),
    "a rate": ([HEL, _RATE], "end", "slow", "rate_limited", True),
    "an error without a type": ([{"error": {"message": "no memory", "code": "internal_error"}}], "end", "no memory",
                                "server_fault", True),
    "an error in words": ([HEL, {"error": "boom"}], "end", "boom", "refused_request", False),
    "an error with a status": ([HEL, {"error": {"message": "boom", "code": 502}}], "end", "boom", "server_fault", True),
    "overload": ([_failed("overloaded_error", "busy")], "end", "busy", "overloaded", True),
    "too long": ([_failed("context_length_exceeded", "8 tokens")], "end", "longer than the model's", "overflow", False),
    "a filter without a word": ([{"type": "response.incomplete", "response": _CUT}], "end", "filter", "filtered",
                                False),
    "a frame that is no JSON": ([HEL, b'data: {"type": "response.outp\n\n'], "end", "not JSON", "malformed", True),
    "a frame that is no UTF-8": ([HEL, b'data: {"type": "\xff\xfe"\n\n'], "end", "not JSON", "malformed", True),
    "a call without a name": ([{"type": "response.function_call_arguments.delta", "delta": "{}"}, DONE], "end",
                              "call without a name", "malformed", True),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_fails_is_told(server, wire, name):
    frames, then, says, fault, retryable = STREAMS[name]
    chunks = [frame if isinstance(frame, bytes) else wire.sse(frame) for frame in frames]
    seen: list[ModelEvent] = []
    error = fails(server, wire.Reply(chunks, then=then), seen=seen)
    assert any(word in error.message for word in says.split("|")), error.message
    assert (error.fault, error.retryable) == (fault, retryable)
    assert [each.text for each in seen if isinstance(each, TextDelta)] == (["Hel"] if HEL in frames else [])


OTHERS = {
    "a web page": (
        "text/html; charset=utf-8",
        b"<html><body>Sign in</body></html>",
        "a web page",
        "not_a_stream",
        False,
    ),
    "a page that says it is a stream": (
        "text/event-stream",
        b"<html>Sign in</html>",
        "before it began",
        "truncated",
        True,
    ),
    "plain text": ("text/plain", b"Hello", "text/plain", "not_a_stream", False),
    "an error as JSON": ("application/json", b'{"error": {"message": "boom"}}', "boom", "refused_request", False),
    "broken JSON": ("application/json", b'{"output": [', "not JSON", "malformed", True),
    "a list": ("application/json", b"[1]", "no reason given|1", "refused_request", False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_answer_of_another_kind_is_told(server, wire, name):
    media_type, body, says, fault, retryable = OTHERS[name]
    error = fails(server, wire.Reply([body], media_type=media_type))
    assert any(word in error.message for word in says.split("|")), error.message
    assert (error.fault, error.retryable) == (fault, retryable)


def test_silence_ends_with_a_timeout(server, wire):
    error = fails(server, wire.stream(HEL, then="wait"), timeout=0.3)
    assert "did not answer in time" in error.message
    assert (error.fault, error.retryable) == ("timeout", True)


def test_a_server_on_this_machine_that_is_not_there_is_not_asked_again(server):
    server.close()
    with pytest.raises(ModelError, match="can't be reached") as caught:
        ask(server)
    assert (caught.value.fault, caught.value.retryable) == ("unreachable", False)


def test_a_missing_key_is_told_before_anything_is_sent():
    hint = "Set MY_KEY before Jupyter starts."
    model = OpenAIModel("m", Endpoint("https://models.example/v1", ""), Service(key_hint=hint))

    async def run() -> None:
        async for _ in model.stream(ModelRequest("", (user("hello"),))):
            pass

    with pytest.raises(ModelError, match="MY_KEY") as caught:
        asyncio.run(run())
    assert (caught.value.fault, caught.value.retryable) == ("no_key", False)


def test_what_was_counted_before_a_failure_is_told(server, wire):
    usage = {"input_tokens": 7, "output_tokens": 2, "cost": 0.5}
    seen: list[ModelEvent] = []
    fails(server, wire.stream(_failed("server_error", "boom", usage=usage)), seen=seen)
    assert seen == [Metered(Usage(7, 0, 2), 0.5)]


def test_what_is_written_after_the_end_does_no_harm(server, wire):
    server.replies = [wire.Reply([wire.sse(delta("Hi.")), wire.sse(DONE), b"data: {broken\n\n"], then="reset")]
    seen: list[ModelEvent] = []
    ask(server, seen=seen)
    assert seen[-1].message.text == "Hi."


def test_a_key_that_a_server_repeats_is_not_shown(server, wire):
    for words in (f"bad key {KEY}", f"Authorization: Bearer {KEY}", "key gsk_abcdef123456 is bad"):
        server.bodies.clear()
        error = fails(server, wire.error(400, words))
        assert "[key]" in error.message
        assert "abcdef" not in str(error)


def test_the_key_of_this_server_is_not_shown_whatever_it_looks_like(server, wire):
    key, spoken = "4f8a1c0b9d7e4f8a1c0b9d7e", "the key 4f8a1c0b9d7e4f8a1c0b9d7e may not ask this model"
    replies = [wire.error(403, spoken), wire.error(500, spoken), wire.stream({"type": "error", "message": spoken})]
    for reply in replies:
        server.bodies.clear()
        error = fails(server, reply, key=key)
        assert "the key [key] may not" in error.message
    server.bodies.clear()
    quoted = fails(server, wire.error(403, "none of this"), key="none")  # a placeholder
    assert "none of this" in quoted.message


@pytest.mark.parametrize("ahead", [280, 300, 330, 360, 390, 19_990])
def test_a_key_that_lies_across_a_cut_is_not_shown_in_part(server, wire, ahead):
    key = "4f8a1c0b9d7e4f8a1c0b9d7e"
    spoken = "a " * (ahead // 2) + key + " b" * 300
    for reply in (wire.error(403, spoken), wire.stream({"type": "error", "message": spoken})):
        server.bodies.clear()
        error = fails(server, reply, key=key)
        assert key[:6] not in str(error)
        assert "[key]" in error.message or ahead > 330
        assert len(error.message) < 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("dialect", ["responses", "chat", "auto"])
def test_a_redirect_takes_the_prompt_nowhere(server, other, wire, status, dialect):
    other.play(wire.stream(delta("Hi."), DONE))
    there = other.url.replace("://", "://alice:hunter2@") + "/responses?token=s3cret"
    server.play(wire.Reply([], status, "text/plain", {"Location": there}))
    model = OpenAIModel("gpt-test", Endpoint(server.url, KEY), Service(dialect=dialect), timeout=10)

    async def run() -> None:
        async for _ in model.stream(ModelRequest("", (user("hello"),))):
            pass

    with pytest.raises(ModelError) as caught:
        asyncio.run(run())
    assert f"sends on to another address ({status}): {other.url}/responses." in caught.value.message
    assert not any(secret in str(caught.value) for secret in ("alice", "hunter2", "s3cret"))
    assert "set the base URL" in caught.value.hint
    assert (caught.value.fault, caught.value.retryable) == ("refused_request", False)
    assert (len(server.bodies), other.bodies) == (1, [])


@pytest.mark.parametrize("where", ["/v2/responses", "http://[x", "//elsewhere.invalid/v1"])
def test_a_redirect_to_anywhere_is_one_clear_line(server, wire, where):
    error = fails(server, wire.Reply([], 307, "text/plain", {"Location": where}))
    assert "sends on to another address (307): " in error.message


@pytest.mark.parametrize("told", ["-5", "1e999", "1e30", "NaN", "-1e999", '"9"', "true", "{}"])
def test_counts_that_are_none_do_not_lower_what_was_spent(server, wire, told):
    usage = f'{{"input_tokens": {told}, "output_tokens": 3, "cost": {told}}}'
    end = f'{{"type": "response.completed", "response": {{"usage": {usage}}}}}'
    server.replies = [wire.Reply([wire.sse(delta("Hi.")), f"data: {end}\n\n".encode()])]
    seen: list[ModelEvent] = []
    ask(server, seen=seen)
    assert (seen[-1].usage.input, seen[-1].usage.output) == (1 if told == "true" else 0, 3)
    assert seen[-1].dollars is None
