"""Every event survives the way to JSON and back, in bytes that do not depend on how it was made."""

import dataclasses
import json
import typing

import pytest
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.calls import AnswerForm, Attachment, Limits
from statebook.protocol.journal.codec import KINDS, canonical, decode_event, encode_event
from statebook.protocol.journal.events import ModelAnswered, RunStarted, ToolFinished
from statebook.protocol.journal.lines import FileChange, Lost
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult
from statebook.protocol.models import Usage
from statebook.protocol.passages import Passage

ODD = 'Ünïcode 🎈 "quoted" \\ back \n line \x00 null {{braces}}'
PASSAGE = Passage(3, 7, "Title", "a/b.md", "p. 4", 10, 20)
PARTS = (
    Text(ODD),
    Reasoning("why", {"id": "rs_1", "deep": [{"n": 1.5}]}),
    ToolCall("c1", "look", '{"word": "x"}', {"google": {"thought_signature": "sig=="}}),
    ToolResult("c1", "look", ODD, "error", ("d1", "d2")),
    File("d", "image/png", "n"),
)
VALUES = {
    Message: Message("assistant", PARTS),
    Usage: Usage(1, 2, 3, 4),
    Attachment: Attachment("n", ODD),
    Limits: Limits(1, None, 2.5),
    AnswerForm: AnswerForm("json", "Name", {"type": "object"}),
    ToolCall: PARTS[2],
    ToolResult: PARTS[3],
    Grant: Grant("t", "a*", "once"),
    Rule: Rule("t", "deny", "x"),
    Passage: PASSAGE,
    FileChange: FileChange("a/b.txt", "d1", "d2"),
    Lost: Lost("x", ODD, "1-1"),
}


def example(hint):
    """A value of a field's type that differs from every default."""
    if hint in VALUES:
        return VALUES[hint]
    if typing.get_origin(hint) is tuple:
        return (
            (Attachment("n", ODD),) if typing.get_args(hint)[0] is Attachment else (example(typing.get_args(hint)[0]),)
        )
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)[-1]
    if typing.get_origin(hint) is dict:
        return {"key": [1, None, {"deep": ODD}], "other": 1.5}
    if typing.get_args(hint):  # X | None
        return example(typing.get_args(hint)[0])
    return {str: ODD, int: 7, float: 1.25, bool: True}[hint]


def full(cls):
    hints = typing.get_type_hints(cls)
    return cls(**{field.name: example(hints[field.name]) for field in dataclasses.fields(cls)})


def bare(cls):
    hints = typing.get_type_hints(cls)
    needed = [
        field
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return cls(**{field.name: example(hints[field.name]) for field in needed})


@pytest.mark.parametrize("make", [full, bare])
@pytest.mark.parametrize("kind", KINDS)
def test_every_event_comes_back_equal(kind, make):
    event = make(KINDS[kind])
    body = encode_event(event)
    again = decode_event(kind, body)
    assert again == event
    assert type(again) is KINDS[kind]
    assert encode_event(again) == body
    assert body == canonical(json.loads(body))


@pytest.mark.parametrize("kind", KINDS)
def test_fields_that_a_newer_version_added_are_left_aside(kind):
    event = full(KINDS[kind])
    body = json.loads(encode_event(event))
    body["from_the_future"] = {"any": ["thing"]}
    assert decode_event(kind, canonical(body)) == event


def test_the_bytes_are_pinned():
    event = ToolFinished(ToolResult("c", "t", "é", artifacts=("d",)), 0.5, (PASSAGE,))
    assert encode_event(event) == (
        '{"passages":[{"document":3,"end":20,"ordinal":7,"path":"a/b.md","place":"p. 4","start":10,"title":"Title"}],'
        '"result":{"artifacts":["d"],"call_id":"c","name":"t","text":"é"},"seconds":0.5}'
    )


def test_defaults_are_left_out():
    event = RunStarted("p", "s", "c", "k", "m", Limits())
    assert json.loads(encode_event(event)) == {
        "prompt": "p", "source": "s", "cell_id": "c", "key": "k", "model": "m", "limits": {},
    }  # fmt: skip


def test_lone_surrogates_become_question_marks():
    event = ModelAnswered(Message("assistant", (Text("a\ud800b"),)), Usage(), "end", 0.1)
    assert decode_event("model_answered", encode_event(event)).message.text == "a?b"


@pytest.mark.parametrize("body", ["[]", "{}", '"text"', "null", "not json", '{"message": 1}'])
def test_a_body_that_does_not_fit_is_a_value_error(body):
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kind
        decode_event("model_answered", body)


def test_an_unknown_kind_is_a_key_error():
    with pytest.raises(KeyError):
        decode_event("cheese_eaten", "{}")


def test_nan_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))
