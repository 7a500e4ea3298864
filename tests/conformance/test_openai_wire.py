"""What the openai provider sends to a Responses server: bodies, items, keys, and what may go back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from statebook.errors import ModelError
from statebook.model.openai import OpenAIModel
from statebook.model.openai.presets import OPENAI
from statebook.model.openai.settings import Endpoint
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult, user
from statebook.protocol.models import ModelRequest, ReasoningDelta
from statebook.protocol.tools import ToolSpec

ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "number"}}}, "read")
DONE = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}


def delta(text: str, **more: object) -> dict:
    return {"type": "response.output_text.delta", "delta": text, **more}


def ask(server, *requests: ModelRequest, model: str = "gpt-test"):
    """The last of the requests' events; one model asks them all."""
    made = OpenAIModel(model, Endpoint(server.url, ""), timeout=10)

    async def run() -> list:
        for request in requests or (ModelRequest("", (user("hello"),)),):
            seen = [event async for event in made.stream(request)]
        return seen

    return asyncio.run(run())


def item_done(item: dict, **more: object) -> dict:
    return {"type": "response.output_item.done", "item": item, **more}


def call_item(**more: object) -> dict:
    return {"type": "function_call", "name": "add", "call_id": "c1", "arguments": '{"a": 1}', **more}


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
    kept = {"type": "responses.reasoning", "source": f"{server.url} gpt-test", "item": item}
    assert answer.parts[0] == Reasoning("Think.", kept)
    result = Message("tool", (ToolResult("c1", "add", "2"),))
    ask(server, ModelRequest("", (user("hello"), answer, result)))
    sent = server.bodies[1]["input"]
    assert [each["type"] for each in sent] == ["message", "reasoning", "function_call", "function_call_output"]
    assert sent[1] == item


def kept(server, item: dict, model: str = "gpt-test") -> Reasoning:
    return Reasoning("x", {"type": "responses.reasoning", "source": f"{server.url} {model}", "item": item})


@pytest.mark.parametrize("name", ["no item", "only an id", "another model's", "another api's", "led nowhere"])
def test_reasoning_that_can_not_go_back_stays_home(server, wire, name):
    whole = {"type": "reasoning", "id": "rs", "encrypted_content": "gAAA"}
    part = {
        "no item": Reasoning("x"),
        "only an id": kept(server, {"type": "reasoning", "id": "rs"}),
        "another model's": kept(server, whole, "gpt-other"),
        "another api's": Reasoning("x", {"type": "chat.reasoning", "source": f"{server.url} gpt-test"}),
        "led nowhere": kept(server, whole),
    }[name]
    parts = (Text("Hi."), part) if name == "led nowhere" else (part, Text("Hi."))
    server.replies = [wire.stream(delta("ok"), DONE)]
    ask(server, ModelRequest("", (user("a"), Message("assistant", parts), user("b"))))
    assert [each["type"] for each in server.bodies[0]["input"]] == ["message"] * 3


def test_phases_of_messages_go_back_with_them(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    said = Message(
        "assistant", (Text("Look.", "commentary"), Text("And ", "final_answer"), Text("so.", "final_answer"))
    )
    ask(server, ModelRequest("", (user("a"), said, user("b"))))
    assert [(each.get("phase"), len(each["content"])) for each in server.bodies[0]["input"]] == [
        (None, 1), ("commentary", 1), ("final_answer", 2), (None, 1)
    ]  # fmt: skip


def test_a_session_that_goes_on_sends_the_same_bytes_and_more(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    first = ModelRequest("Be brief.", (user("a"),), (ADD,), 500, 0.5, cache_key="s1", idempotency_key="i1")
    said = Message("assistant", (Text("b"), ToolCall("c1", "add", '{"a":1}')))
    result = Message("tool", (ToolResult("c1", "add", "1"),))
    second = replace(first, messages=(*first.messages, said, result), max_output_tokens=400, idempotency_key="i2")
    ask(server, first, second)
    shared = server.raw[0][: server.raw[0].index(b'],"max_output_tokens"')]
    assert shared.endswith(b"}")
    assert server.raw[1].startswith(shared)


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
    keys = [headers["idempotency-key"] for headers in server.headers]
    assert keys[0].startswith("i1:")
    assert keys[0] == keys[1]


def test_an_idempotency_key_stands_for_its_bytes(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    request = ModelRequest("", (user("a"),), idempotency_key="i1")
    ask(server, request, replace(request, messages=(user("b"),)))
    first, second = (headers["idempotency-key"] for headers in server.headers)
    assert first != second


CLOSED = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        (AnswerForm(), None),
        (AnswerForm("text"), None),
        (AnswerForm("json"), {"type": "json_object"}),
        (
            AnswerForm("json", "My answer!", CLOSED),
            {"type": "json_schema", "name": "My_answer", "schema": CLOSED, "strict": True},
        ),
        (
            AnswerForm("json", "", {**CLOSED, "required": []}),
            {"type": "json_schema", "name": "answer", "schema": {**CLOSED, "required": []}, "strict": False},
        ),
    ],
)
def test_the_form_of_the_answer_is_asked_for(server, wire, form, sent):
    server.replies = [wire.stream(delta("ok"), DONE)]
    ask(server, ModelRequest("", (user("a"),), answer=form))
    assert server.bodies[0].get("text", {}).get("format") == sent


def test_tools_are_strict_where_their_schema_leaves_nothing_open(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    ask(server, ModelRequest("", (user("a"),), (ADD, replace(ADD, name="closed", parameters=CLOSED))))
    assert [(each["name"], each["strict"]) for each in server.bodies[0]["tools"]] == [("add", False), ("closed", True)]
    assert server.bodies[0]["parallel_tool_calls"] is True


def test_files_go_as_what_they_are_or_are_named(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    parts = (
        Text("Look."),
        File("d1", "image/png", "plot.png"),
        File("d2", "application/pdf", "paper.pdf"),
        File("d3", "audio/wav", "talk.wav"),
        File("d4", "image/png", "gone.png"),
    )
    files = {"d1": b"PNG", "d2": b"PDF", "d3": b"WAV"}
    ask(server, ModelRequest("", (Message("user", parts),), files=files))
    assert server.bodies[0]["input"][0]["content"] == [
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,UE5H"},
        {"type": "input_file", "filename": "paper.pdf", "file_data": "data:application/pdf;base64,UERG"},
        {"type": "input_text", "text": "[file talk.wav, audio/wav: not sent]"},
        {"type": "input_text", "text": "[file gone.png, image/png: not sent]"},
    ]


@pytest.mark.parametrize(("model", "asks"), [("gpt-5.5", True), ("o4-mini", True), ("openai/gpt-5.5", True),
                                             ("gpt-4o", False), ("qwen3", False)])  # fmt: skip
def test_a_summary_is_asked_of_models_that_think(server, wire, model, asks):
    server.replies = [wire.stream(delta("ok"), DONE)]
    ask(server, model=model)
    assert (server.bodies[0].get("reasoning") == {"summary": "auto"}) is asks


def test_half_a_character_in_a_prompt_is_sent_as_a_question_mark(server, wire):
    server.replies = [wire.stream(delta("ok"), DONE)]
    assert ask(server, ModelRequest("", (user("a\ud800b"),)))[-1].message.text == "ok"
    assert server.bodies[0]["input"][0]["content"][0]["text"] == "a?b"


def test_without_a_key_only_a_local_server_is_asked():
    assert OPENAI.endpoint("http://127.0.0.1:1/v1", {}).usable_key()
    assert OPENAI.endpoint("http://192.168.0.4:1/v1", {}).usable_key()
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        OPENAI.endpoint("", {}).usable_key()
    assert "secret" not in repr(OPENAI.endpoint("", {"OPENAI_API_KEY": "secret"}))
