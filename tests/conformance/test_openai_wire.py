"""The openai provider against a real server that misbehaves in the ways real servers do."""

from __future__ import annotations

import asyncio
import json

import pytest
from statebook.errors import ModelError
from statebook.model.openai import OpenAIModel, warm
from statebook.model.openai.settings import Endpoint, endpoint
from statebook.protocol.messages import Message, Reasoning, Text, ToolCall, ToolResult, user
from statebook.protocol.models import Completion, ModelRequest, ReasoningDelta, TextDelta
from statebook.protocol.tools import ToolSpec

ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "number"}}}, "read")
DONE = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}


def delta(text: str, **more: object) -> dict:
    return {"type": "response.output_text.delta", "delta": text, **more}


def ask(server, request: ModelRequest | None = None, *, timeout: float = 10.0):
    model = OpenAIModel("gpt-test", Endpoint(server.url, ""), timeout=timeout)

    async def run() -> list:
        seen = request or ModelRequest("", (user("hello"),))
        return [event async for event in model.stream(seen)]

    return asyncio.run(run())


def message_of(server, wire, *events: dict) -> Completion:
    server.replies = [wire.stream(*events)]
    seen = ask(server)
    last = seen[-1]
    assert isinstance(last, Completion)
    assert "".join(each.text for each in seen if isinstance(each, TextDelta)) == last.message.text
    return last


def item_done(item: dict, **more: object) -> dict:
    return {"type": "response.output_item.done", "item": item, **more}


def text_item(text: str) -> dict:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def call_item(**more: object) -> dict:
    return {"type": "function_call", "name": "add", "call_id": "c1", "arguments": '{"a": 1}', **more}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([delta("Hel"), delta("lo."), DONE], id="only deltas, without ids"),
        pytest.param([{"type": "response.output_text.done", "text": "Hello."}, DONE], id="only text.done"),
        pytest.param([item_done(text_item("Hello."), output_index=0), DONE], id="only item.done"),
        pytest.param([{**DONE, "response": {"output": [text_item("Hello.")]}}], id="only the terminal event"),
        pytest.param([delta("Hel"), item_done(text_item("Hello.")), DONE], id="a delta is missing"),
        pytest.param(
            [delta("Hello.", item_id="a"), {**DONE, "response": {"output": [{**text_item("Hello."), "id": "b"}]}}],
            id="another id at the end",
        ),
        pytest.param([delta("Hello."), item_done(text_item("")), DONE], id="an extra empty message"),
        pytest.param(
            [{"type": "response.brand_new"}, {"type": "keepalive"}, delta("Hello."), DONE], id="unknown events"
        ),
    ],
)
def test_a_text_survives(server, wire, events):
    done = message_of(server, wire, *events)
    assert done.message.parts == (Text("Hello."),)
    assert done.stop == "end"


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([item_done(call_item(id="f1"), output_index=0), DONE], id="whole arguments in one frame"),
        pytest.param([item_done(call_item(arguments={"a": 1})), DONE], id="arguments as an object"),
        pytest.param([{**DONE, "response": {"output": [call_item()]}}], id="only the terminal event"),
        pytest.param(
            [
                {"type": "response.output_item.added", "item": call_item(arguments="")},
                {"type": "response.function_call_arguments.delta", "delta": '{"a"'},
                {"type": "response.function_call_arguments.delta", "delta": ": 1}"},
                {"type": "response.function_call_arguments.done", "arguments": '{"a": 1}'},
                {**DONE, "response": {"output": [text_item(""), call_item()]}},
            ],
            id="no ids, and an empty message at the end",
        ),
    ],
)
def test_a_tool_call_survives(server, wire, events):
    done = message_of(server, wire, *events)
    assert done.stop == "tool_calls"
    assert [(each.id, each.name, json.loads(each.arguments)) for each in done.message.calls] == [
        ("c1", "add", {"a": 1})
    ]


def test_parallel_calls_that_share_index_and_lack_item_ids_stay_apart(server, wire):
    events = []
    for number in (1, 2):
        item = call_item(call_id=f"c{number}", arguments="")
        whole = json.dumps({"a": number})
        events += [
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": whole},
            item_done({**item, "arguments": whole}, output_index=0),
        ]
    done = message_of(server, wire, *events, DONE)
    assert [(each.id, json.loads(each.arguments)["a"]) for each in done.message.calls] == [("c1", 1), ("c2", 2)]


def test_interleaved_parallel_calls_are_told_apart_by_item_id(server, wire):
    events = [
        {
            "type": "response.output_item.added",
            "output_index": n,
            "item": call_item(id=f"f{n}", call_id=f"c{n}", arguments=""),
        }
        for n in (0, 1)
    ]
    for piece in ('{"a": ', "{n}}}"):
        events += [
            {
                "type": "response.function_call_arguments.delta",
                "item_id": f"f{n}",
                "delta": piece.replace("{n}}", str(n)),
            }
            for n in (0, 1)
        ]
    done = message_of(server, wire, *events, DONE)
    assert [json.loads(each.arguments)["a"] for each in done.message.calls] == [0, 1]


def test_reasoning_is_shown_kept_whole_and_sent_back(server, wire):
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Think."}],
        "encrypted_content": "gAAA",
        "new_field": 7,
    }
    server.replies = [
        wire.stream(
            {"type": "response.output_item.added", "item": {**item, "encrypted_content": "early", "summary": []}},
            {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "summary_index": 0, "delta": "Think."},
            item_done(item, output_index=0),
            item_done(call_item(id="f"), output_index=1),
            DONE,
        ),
        wire.stream(delta("ok"), DONE),
    ]
    seen = ask(server)
    assert [each.text for each in seen if isinstance(each, ReasoningDelta)] == ["Think."]
    answer = seen[-1].message
    assert answer.parts[0] == Reasoning("Think.", item)
    result = Message("tool", (ToolResult("c1", "add", "2"),))
    ask(server, ModelRequest("", (user("hello"), answer, result)))
    sent = server.bodies[1]["input"]
    assert [each["type"] for each in sent] == ["message", "reasoning", "function_call", "function_call_output"]
    assert sent[1] == item


def test_reasoning_that_only_points_into_the_servers_storage_stays_home(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    foreign = Message(
        "assistant", (Reasoning("x", None), Reasoning("y", {"type": "reasoning", "id": "rs"}), Text("Hi."))
    )
    ask(server, ModelRequest("", (user("a"), foreign, user("b"))))
    assert [each["type"] for each in server.bodies[0]["input"]] == ["message"] * 3


def test_a_refusal_is_text_with_its_own_stop(server, wire):
    done = message_of(server, wire, {"type": "response.refusal.delta", "delta": "I can't."}, DONE)
    assert (done.stop, done.message.text) == ("refusal", "I can't.")


def test_a_cut_answer_stops_by_length_and_drops_a_half_written_call(server, wire):
    half = {"type": "response.output_item.added", "item": call_item(arguments='{"a": ')}
    ending = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
    done = message_of(server, wire, delta("So"), half, {"type": "response.incomplete", "response": ending})
    assert (done.stop, done.message.text, done.message.calls) == ("length", "So", ())


def test_two_messages_are_two_paragraphs(server, wire):
    first = item_done({**text_item("One."), "id": "m1"}, output_index=0)
    second = item_done({**text_item("Two."), "id": "m2"}, output_index=1)
    assert message_of(server, wire, first, second, DONE).message.text == "One.\n\nTwo."


def test_plain_json_instead_of_a_stream_is_taken(server, wire):
    whole = json.dumps({"id": "r9", "status": "completed", "output": [text_item("Hello.")]}).encode()
    server.replies = [wire.Reply([whole], media_type="application/json")]
    assert ask(server)[-1].message.text == "Hello."


def test_details_that_are_null_count_as_zero(server, wire):
    spent = {"input_tokens": 5, "output_tokens": 2, "input_tokens_details": None, "output_tokens_details": None}
    done = message_of(server, wire, delta("x"), {**DONE, "response": {"usage": spent, "output": None}})
    assert (done.usage.input, done.usage.output, done.usage.cached) == (5, 2, 0)


def test_the_same_request_is_the_same_bytes_with_its_key_in_the_header(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    history = (
        user("a"),
        Message("assistant", (Text("b"), ToolCall("c1", "add", '{"a":1}'))),
        Message("tool", (ToolResult("c1", "add", ""),)),
    )
    request = ModelRequest("Be brief.", history, (ADD,), 100, 0.5, cache_key="s1", idempotency_key="i1")
    ask(server, request)
    ask(server, request)
    assert server.raw[0] == server.raw[1]
    body = server.bodies[0]
    assert (body["store"], body["stream"], body["prompt_cache_key"]) == (False, True, "s1")
    assert (body["temperature"], body["max_output_tokens"]) == (0.5, 100)
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["tools"][0]["parameters"] == ADD.parameters
    assert list(body).index("tools") < list(body).index("input")
    assert body["input"][-1]["output"]
    assert server.headers[0]["idempotency-key"] == "i1"


def test_a_model_without_reasoning_is_asked_again_without_the_wish_for_it(server, wire):
    refused = wire.error(400, "Encrypted content is not supported with this model.")
    server.replies = [refused, wire.stream(delta("ok"), DONE)]
    assert ask(server)[-1].message.text == "ok"
    assert "include" not in server.bodies[1]


@pytest.mark.parametrize(
    ("status", "message", "code", "says", "hint", "retryable"),
    [
        (
            401,
            "Incorrect API key provided: sk-abcdef123456",
            "invalid_api_key",
            "refused the key",
            "OPENAI_API_KEY",
            False,
        ),
        (403, "Country not supported", "", "does not allow this", "key", False),
        (404, "The model does not exist", "model_not_found", "knows no model 'gpt-test'", "-m", False),
        (429, "Rate limit reached", "rate_limit_exceeded", "too many requests", "in 7 s", True),
        (429, "You exceeded your quota", "insufficient_quota", "no quota left", "billing", False),
        (500, "boom", "server_error", "a fault of its own (500)", "Ask again", True),
        (503, "busy", "", "is overloaded (503)", "Ask again", True),
        (400, "maximum context length is 8 tokens", "context_length_exceeded", "longer than", "larger context", False),
        (400, "the request exceeds the context", "exceed_context_size_error", "longer than", "larger context", False),
        (400, "Unsupported parameter: temperature", "unsupported", "refused the request (400)", "Change", False),
    ],
)
def test_a_status_becomes_one_line(server, wire, status, message, code, says, hint, retryable):  # noqa: PLR0917 (a column per fact)
    server.replies = [wire.error(status, message, code, Retry_After="7")]
    with pytest.raises(ModelError) as caught:
        ask(server)
    line = str(caught.value)
    assert says in line
    assert hint in line
    assert caught.value.retryable is retryable
    assert "\n" not in line
    assert "sk-abc" not in line


def _failed(code: str, message: str) -> dict:
    return {"type": "response.failed", "response": {"status": "failed", "error": {"code": code, "message": message}}}


@pytest.mark.parametrize(
    ("events", "then", "says", "retryable"),
    [
        ([delta("Hel")], "end", "broke off", True),
        ([delta("Hel")], "cut", "broke off", True),
        ([delta("Hel")], "reset", "broke off", True),
        ([delta("Hel"), _failed("server_error", "boom")], "end", "boom", True),
        ([delta("Hel"), _failed("invalid_prompt", "flagged")], "end", "flagged", False),
        ([delta("Hel"), {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}], "end", "slow", True),
        ([{"error": {"message": "out of memory", "code": "internal_error"}}], "end", "out of memory", True),
        ([_failed("context_length_exceeded", "8 tokens")], "end", "longer than the model's context", False),
        ([], "end", "ended its answer before it began", True),
    ],
)
def test_a_stream_that_fails_is_an_error_and_is_not_asked_for_again(server, wire, events, then, says, retryable):  # noqa: PLR0917 - one column a parameter
    server.replies = [wire.stream(*events, then=then)]
    with pytest.raises(ModelError, match=says) as caught:
        ask(server)
    assert caught.value.retryable is retryable
    assert len(server.bodies) == 1


def test_a_web_page_instead_of_a_stream_names_the_base_url(server, wire):
    server.replies = [wire.Reply([b"<html><body>Sign in</body></html>"], media_type="text/html; charset=utf-8")]
    with pytest.raises(ModelError, match=r"a web page.*base URL"):
        ask(server)


def test_malformed_json_in_the_stream_is_told(server, wire):
    server.replies = [wire.Reply([b'data: {"type": "response.outp\n\n'])]
    with pytest.raises(ModelError, match="not JSON"):
        ask(server)


def test_silence_ends_with_a_timeout(server, wire):
    server.replies = [wire.stream(delta("Hel"), then="wait")]
    with pytest.raises(ModelError, match="did not answer in time") as caught:
        ask(server, timeout=0.3)
    assert caught.value.retryable


def test_a_server_that_is_not_there_is_told(server):
    server.close()
    with pytest.raises(ModelError, match="can't be reached") as caught:
        ask(server)
    assert caught.value.retryable


def test_without_a_key_only_a_local_server_is_asked():
    assert endpoint("http://127.0.0.1:1/v1", {}).usable_key()
    assert endpoint("http://192.168.0.4:1/v1", {}).usable_key()
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        endpoint("", {}).usable_key()
    assert "secret" not in repr(endpoint("", {"OPENAI_API_KEY": "secret"}))


def test_warming_imports_the_sdk_on_another_thread():
    thread = warm()
    thread.join(20)
    assert not thread.is_alive()
