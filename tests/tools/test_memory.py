"""Memory as tools: what is kept, what is refused, what is found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from statebook.errors import ToolError
from statebook.protocol.memories import Memory
from statebook.protocol.passages import Passage
from statebook.protocol.tools import MemoryDraft
from statebook.tools.memory import Memories

PASSAGE = Passage(3, 7, "Title", "a.md", "lines 1-2", 0, 9)


def _memory(number: int, text: str, **values) -> Memory:
    return Memory(number, text, "agent", datetime(2026, 11, 20, 9, tzinfo=UTC), **values)


@pytest.fixture
def records() -> list[Memory]:
    return [
        _memory(1, "A commit costs one fsync."),
        _memory(4, "DuckDB holds a lock on the file.", passage=PASSAGE, tags=("store",)),
        _memory(5, "The parser is safe."),
    ]


@pytest.fixture
def tools(records):
    return Memories(lambda: list(records)).tools()


def test_remember_asks_the_session_to_keep_a_fact(call, tools):
    outcome = call(tools, "remember", text="  Runs  resume. ", tags=["runs", "runs", " "], mark="[S3.7]")
    assert outcome.keep == (MemoryDraft("Runs resume.", ("runs",), "S3.7"),)
    assert outcome.text == "Kept with S3.7: Runs resume."


@pytest.mark.parametrize(
    "text",
    [
        "A commit costs one fsync.",
        "the commit costs one fsync",
        "M1 (2026-11-20): A commit costs one fsync.",
        "- M1 (2026-11-20, S3.7): A commit costs one fsync. [S3.7]",
    ],
)
def test_what_is_kept_is_not_kept_again(call, tools, text):
    outcome = call(tools, "remember", text=text)
    assert outcome.keep == ()
    assert "M1" in outcome.text


@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ("The parser is safe.", "The parser is not safe."),
        ("It costs 5", "It costs -5"),
        ("It costs 1.5", "It costs 15"),
        ("A beats B", "B beats A"),
        ("x > 5", "x < 5"),
    ],
)
def test_another_fact_is_another_fact(call, kept, other):
    tools = Memories(lambda: [_memory(1, kept)]).tools()
    assert call(tools, "remember", text=other).keep


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"text": " "}, "empty"),
        ({"text": "x" * 3000}, "3,000"),
        ({"text": "x", "mark": "page 3"}, "S3.7"),
        ({}, "'text'"),
        ({"text": 3}, "a string"),
        ({"text": "x", "tags": "a"}, "a list of strings"),
        ({"text": "x", "tags": [1]}, "a list of strings"),
        ({"txt": "x"}, "Did you mean 'text'"),
    ],
)
def test_remember_says_what_it_expects(call, tools, arguments, word):
    with pytest.raises(ToolError) as error:
        call(tools, "remember", **arguments)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_recall_finds_by_words_and_shows_where_from(call, tools):
    outcome = call(tools, "recall", query="who locks the file?")
    assert outcome.text.splitlines()[1:] == ["M4 (2026-11-20, S3.7): DuckDB holds a lock on the file."]
    assert outcome.passages == (PASSAGE,)


def test_recall_finds_by_tag(call, tools):
    assert "M4" in call(tools, "recall", query="store").text


def test_recall_without_words_gives_the_newest(call, tools):
    lines = call(tools, "recall", limit=2).text.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["M5", "M4"]


def test_recall_says_when_nothing_matches_and_when_nothing_is_kept(call, tools):
    assert call(tools, "recall", query="zebra").text == "None of 3 kept facts matches 'zebra'."
    assert call(Memories(list).tools(), "recall", query="zebra").text == "Nothing is kept yet."


def test_recall_follows_a_rewind(call, tools, records):
    assert "M4" in call(tools, "recall", query="lock").text
    gone = records.pop(1)
    assert "M4" not in call(tools, "recall", query="lock").text
    assert call(tools, "remember", text=gone.text).keep
    records.append(gone)
    assert "M4" in call(tools, "recall", query="lock").text


def test_a_long_recall_is_cut_and_says_so(call):
    facts = [_memory(number, f"fact {number} " + "x" * 1500) for number in range(1, 21)]
    outcome = call(Memories(lambda: facts).tools(), "recall", limit=20)
    assert len(outcome.text) < 13_000
    assert "more; ask for fewer" in outcome.text


def test_forget_names_what_it_forgets(call, tools):
    outcome = call(tools, "forget", memory="m4")
    assert outcome.forget == (4,)
    assert "DuckDB holds a lock" in outcome.text
    with pytest.raises(ToolError, match="There is no memory M9"):
        call(tools, "forget", memory="9")
    with pytest.raises(ToolError, match="is not a memory"):
        call(tools, "forget", memory="the lock")


def test_effects_and_schemas(tools):
    assert {tool.spec.name: tool.spec.effect for tool in tools} == {
        "remember": "idempotent",
        "recall": "read",
        "forget": "idempotent",
    }
    for tool in tools:
        assert tool.spec.parameters["additionalProperties"] is False
        assert all(schema["description"] for schema in tool.spec.parameters["properties"].values())
