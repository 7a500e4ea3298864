"""What is sent to a chat server: the same bytes for the same request, and everything a server wants back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from statebook.model.openai.chat.accumulate import Accumulator
from statebook.model.openai.chat.wire import OPTIONAL, body
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from statebook.protocol.models import Completion, ModelRequest
from statebook.protocol.tools import ToolSpec

OPEN = {"type": "object", "properties": {"a": {"type": "number"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
ADD = ToolSpec("add", "Adds.", OPEN, "read")
CALL = Message("assistant", (Text("I look."), ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "add", "{}")))
RESULTS = Message("tool", (ToolResult("c1", "add", "2"), ToolResult("c2", "add", "", "denied")))


def sent(*messages: Message, source: str = "", **fields) -> list[dict]:
    return body("m", ModelRequest("", messages, **fields), source=source)["messages"]


def answered(*deltas: dict, source: str = "", finish: str = "stop") -> Completion:
    grown = Accumulator(source)
    for delta in (*deltas, {"content": "ok"}):
        list(grown.feed({"choices": [{"index": 0, "delta": delta}]}))
    list(grown.feed({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))
    return grown.completion()


def test_the_whole_body_with_what_rarely_changes_first():
    request = ModelRequest(
        "Be brief.", (user("a"),), (ADD,), 100, 0.5, AnswerForm("json"), cache_key="s1", idempotency_key="i1"
    )
    made = body("m", request, cache_key=True)
    function = {"name": "add", "description": "Adds.", "parameters": OPEN}
    assert list(made.items()) == [
        ("model", "m"),
        ("tools", [{"type": "function", "function": function}]),
        ("parallel_tool_calls", True),
        ("response_format", {"type": "json_object"}),
        ("stream", True),
        ("stream_options", {"include_usage": True}),
        ("prompt_cache_key", "s1"),
        ("temperature", 0.5),
        ("messages", [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]),
        ("max_completion_tokens", 100),
    ]


def test_a_longer_conversation_begins_with_the_same_bytes():
    first = ModelRequest("Be brief.", (user("a"), CALL, RESULTS), (ADD,))
    longer = replace(first, messages=(*first.messages, assistant("b"), user("c")))
    short, long = (json.dumps(body("m", each)).removesuffix("]}") for each in (first, longer))
    assert long.startswith(short)


def test_the_cache_key_is_sent_only_where_it_is_known():
    request = ModelRequest("", (user("a"),), cache_key="s1")
    assert "prompt_cache_key" not in body("m", request)
    assert body("m", request, cache_key=True)["prompt_cache_key"] == "s1"


@pytest.mark.parametrize("option", OPTIONAL)
def test_an_option_that_a_server_refuses_is_left_out(option):
    tools = (replace(ADD, parameters=CLOSED),)
    request = ModelRequest("", (user("a"),), tools, 100, answer=AnswerForm("json", "A", CLOSED), cache_key="s1")
    assert f'"{option}"' in json.dumps(body("m", request, cache_key=True))
    made = body("m", request, cache_key=True, without=frozenset({option}))
    assert f'"{option}"' not in json.dumps(made)
    assert made.get("max_tokens") == (100 if option == "max_completion_tokens" else None)
    assert made["stream"] is True


def test_text_calls_and_their_results():
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{}"}},
    ]
    assert sent(user("q"), CALL, RESULTS) == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "tool", "tool_call_id": "c2", "content": "(denied)"},
    ]


def test_a_call_without_text_has_null_content():
    assert sent(Message("assistant", (ToolCall("c", "t", "{}"),)))[0]["content"] is None


@pytest.mark.parametrize("rest", [(), (user("next"),), (assistant("next"),)])
def test_every_call_is_answered_before_anything_else_is_said(rest):
    made = sent(user("q"), CALL, Message("tool", RESULTS.parts[:1]), *rest)
    assert [each["role"] for each in made[:4]] == ["user", "assistant", "tool", "tool"]
    assert made[3] == {"role": "tool", "tool_call_id": "c2", "content": "(no result)"}
    assert len(made) == 4 + len(rest)


def test_a_result_nobody_called_for_is_told_as_text():
    assert sent(user("q"), RESULTS)[1] == {"role": "user", "content": "[result of add]\n2"}


@pytest.mark.parametrize(
    "written", ['{"a": ', "[1]", "7", "nonsense", '{"a": NaN}', '{"a":' + "[" * 100_000], ids=str.__len__
)
def test_arguments_that_are_no_object_go_back_readable(written):
    made = sent(user("q"), Message("assistant", (ToolCall("c", "add", written),)))[1]["tool_calls"][0]["function"]
    assert json.loads(made["arguments"]) == {"unreadable": written}


def test_an_answer_without_a_word_is_not_sent():
    assert sent(user("q"), Message("assistant", (Reasoning("Hm."),)), user("r")) == sent(user("q"), user("r"))


# -- what goes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_goes_back_under_its_name_while_its_question_is_worked_on(field):
    done = answered({field: "Hm"}, {field: "."})
    assert sent(user("q"), done.message)[1][field] == "Hm."
    assert field not in sent(user("q"), done.message, user("next"))[1]


def test_reasoning_details_go_back_whole_and_in_order():
    text = {"type": "reasoning.text", "format": "f", "index": 0, "id": None}
    sealed = {"type": "reasoning.encrypted", "data": "AAA", "index": 1}
    other, last = {**text, "index": 2, "text": "Next."}, {**text, "index": 3, "text": "Last."}
    done = answered(
        {"reasoning_details": [{**text, "text": "H"}]},
        {"reasoning_details": [{**text, "text": "m."}], "reasoning": "m."},
        {"reasoning_details": [{**text, "text": "", "signature": "S"}, sealed, {**sealed, "data": "BBB"}]},
        {"reasoning_details": [other]},
        {"reasoning_details": [last]},
    )
    signed = {**text, "text": "Hm.", "signature": "S"}
    expected = [signed, sealed, {**sealed, "data": "BBB"}, other, last]
    for messages in ((user("q"), done.message), (user("q"), done.message, user("next"))):
        entry = sent(*messages)[1]
        assert entry["reasoning_details"] == expected
        assert "reasoning" not in entry


def test_a_thought_signature_goes_back_with_its_call():
    extra = {"google": {"thought_signature": "sig=="}}
    function = {"name": "add", "arguments": "{}"}
    done = answered({"tool_calls": [{"id": "c1", "function": function, "extra_content": extra}]}, {}, source="g")
    call = sent(user("q"), done.message, RESULTS, user("next"), source="g")[1]["tool_calls"][0]
    assert call == {"id": "c1", "type": "function", "function": function, "extra_content": extra}


SIGNED = {"id": "c1", "function": {"name": "add"}, "extra_content": {"google": {"thought_signature": "s"}}}


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm."},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "A"}]},
        {"tool_calls": [SIGNED]},
    ],
)
def test_what_one_provider_wants_back_goes_to_no_other(delta):
    done = answered(delta, source="one")
    plain = Message("assistant", tuple(
        replace(part, extra=None) if isinstance(part, ToolCall) else part
        for part in done.message.parts if not isinstance(part, Reasoning)
    ))  # fmt: skip
    assert sent(user("q"), done.message, source="two") == sent(user("q"), plain, source="two")
    assert sent(user("q"), done.message, source="one") != sent(user("q"), plain, source="one")


def test_reasoning_of_the_other_api_stays_away():
    foreign = Message("assistant", (Reasoning("Hm.", {"type": "reasoning", "encrypted_content": "x"}), Text("Hi.")))
    assert sent(user("q"), foreign)[1] == {"role": "assistant", "content": "Hi."}


# -- files, strictness, forms --------------------------------------------------------------------------------------


def test_pictures_and_documents_go_as_bytes():
    files = {"p": b"\x89PNG", "d": b"%PDF"}
    parts = (Text("See."), File("p", "image/png", "a.png"), File("d", "application/pdf", "b.pdf"))
    png, pdf = (base64.b64encode(each).decode() for each in files.values())
    assert sent(Message("user", parts), files=files)[0]["content"] == [
        {"type": "text", "text": "See."},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
    ]


@pytest.mark.parametrize("file", [File("gone", "image/png", "a.png"), File("z", "application/zip", "a.zip")])
def test_what_can_not_go_is_named(file):
    content = sent(Message("user", (Text("See."), file)), files={"z": b"PK"})[0]["content"]
    assert content == f"See.\n\n[file {file.name}, {file.media_type}: not sent]"


NESTED = {
    "type": "object", "required": ["rows", "k"], "additionalProperties": False,
    "properties": {"rows": {"type": "array", "items": {"$ref": "#/$defs/R"}},
                   "k": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "$defs": {"R": CLOSED},
}  # fmt: skip
NOT_STRICT = {
    "open": OPEN,
    "optional": {**CLOSED, "required": []},
    "open inside": {**NESTED, "$defs": {"R": OPEN}},
    "free inside": {**CLOSED, "properties": {"a": {"description": "anything"}}},
    "a list without items": {**CLOSED, "properties": {"a": {"type": "array"}}},
    "a map": {**CLOSED, "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}},
    "one of": {**CLOSED, "properties": {"a": {"type": "string", "oneOf": [{"const": "x"}]}}},
    "a default": {**CLOSED, "properties": {"a": {"type": "string", "default": "x"}}},
    "no object": {"type": "array", "items": {"type": "string"}},
    "nothing": {},
}


@pytest.mark.parametrize("name", ["closed", "nested", *NOT_STRICT])
def test_a_tool_is_strict_where_its_schema_allows_it(name):
    schema = {"closed": CLOSED, "nested": NESTED, **NOT_STRICT}[name]
    strict = None if name in NOT_STRICT else True
    made = body("m", ModelRequest("", (user("a"),), (replace(ADD, parameters=schema),)))["tools"][0]["function"]
    assert made.get("strict") is strict
    assert made["parameters"] == schema


def form(answer: AnswerForm) -> dict | None:
    return body("m", ModelRequest("", (user("a"),), answer=answer)).get("response_format")


def test_the_wished_form_of_the_answer():
    assert form(AnswerForm()) is None
    assert form(AnswerForm("code")) is None
    assert form(AnswerForm("json")) == {"type": "json_object"}
    strict = {"name": "My_Class", "schema": CLOSED, "strict": True}
    assert form(AnswerForm("json", "My Class!", CLOSED)) == {"type": "json_schema", "json_schema": strict}
    assert form(AnswerForm("table", "", OPEN)) == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": OPEN},
    }
    assert form(AnswerForm("table")) is None
    assert form(AnswerForm("json", "L", NOT_STRICT["no object"])) is None
