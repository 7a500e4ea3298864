"""A newcomer's first try: one or two tiny files, plainly asked; what they say is told, the rest is not made up."""

from __future__ import annotations

import pytest
from statebook.protocol.messages import ToolResult

PENGUINS = "# Penguins\n\nPenguins live in Antarctica and eat fish.\n"
BEARS = "# Bears\n\nPolar bears live in the Arctic and hunt seals on the ice.\n"
CITIES = "city | population\nBerlin | 3700000\nParis | 2100000"
NO = "The sources do not answer this."


@pytest.fixture
def say(make_library, make_talk):
    def ask(question: str, *texts: str) -> str:
        documents = {f"{place}.md": (f"Notes {place}", text) for place, text in enumerate(texts)}
        return make_talk(make_library(documents)).ask(question)

    return ask


@pytest.mark.parametrize(
    ("question", "texts", "expected"),
    [
        ("Where do penguins live?", [PENGUINS], "Penguins live in Antarctica and eat fish. [S1.1]"),
        ("What do penguins eat?", [PENGUINS], "Penguins live in Antarctica and eat fish. [S1.1]"),
        (
            "Where do penguins live?",
            ["# A\n\nPenguins live in Antarctica. They swim.\n"],
            "Penguins live in Antarctica. [S1.1]",
        ),
        ("Where do penguins live?", ["Penguins live in Antarctica"], "Penguins live in Antarctica. [S1.1]"),
        (
            "What is the capital of France?",
            ["The capital of France is Paris"],
            "The capital of France is Paris. [S1.1]",
        ),
        ("What do penguins eat?", ["Penguins eat fish."], "Penguins eat fish. [S1.1]"),
        (
            "What do penguins eat?",
            ["# Facts\n\n- Penguins usually eat fish\n- Bears eat seals\n"],
            "Penguins usually eat fish. [S1.1]",
        ),
        ("Where do penguins live?", [PENGUINS, BEARS], "Penguins live in Antarctica and eat fish. [S1.1]"),
        (
            "Where do polar bears live?",
            [PENGUINS, BEARS],
            "Polar bears live in the Arctic and hunt seals on the ice. [S2.1]",
        ),
        ("Who hunts seals?", [PENGUINS, BEARS], "Polar bears live in the Arctic and hunt seals on the ice. [S2.1]"),
        ("Who won the battle?", ["Napoleon won the battle."], "Napoleon won the battle. [S1.1]"),
        ("What is the population of Berlin?", [CITIES], "city: Berlin; population: 3700000. [S1.1]"),
        (
            "What is the population of Paris?",
            ["# Cities\n\n| City | Population |\n|---|---:|\n| **Berlin** | 3.7 |\n| Paris | 2.1 |\n"],
            "City: Paris; Population: 2.1. [S1.1]",
        ),
    ],
)
def test_what_a_tiny_corpus_says_is_told(say, question, texts, expected):
    assert say(question, *texts) == expected


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("What is the capital of France?", [PENGUINS, BEARS]),
        ("Where do lions live?", [PENGUINS, BEARS]),
        ("How old do penguins get?", ["Tools for penguins."]),
        ("How fast do penguins swim?", [PENGUINS]),
        ("What is the population of Madrid?", [CITIES]),
        ("What is the area of Berlin?", [CITIES]),
        ("Which city is the largest?", [CITIES]),
        ("What is the population of Berlin?", ["city | population\n" + "Berlin | 1\n" * 9]),
    ],
)
def test_what_a_tiny_corpus_does_not_say_is_not_made_up(say, question, texts):
    assert say(question, *texts).startswith(NO)


def test_a_wide_row_is_cut_to_what_was_asked(say):
    wide = "city | a | b | c | d | e | population\nBerlin | 1 | 2 | 3 | 4 | 5 | 3700000"
    assert say("What is the population of Berlin?", wide) == "city: Berlin; population: 3700000. [S1.1]"


def test_what_the_documents_are_about_is_said_in_grammar(say):
    assert "The only document is about: *Notes 0*." in say("What is the capital of France?", PENGUINS)
    assert "The 2 documents are about: *Notes 0*; *Notes 1*." in say("What is the capital of France?", PENGUINS, BEARS)


@pytest.mark.parametrize(
    ("answers", "note"),
    [
        (["Kept with S1.1: ...", "Kept with S2.1: ..."], "Kept 2 findings in memory."),
        (
            ["Kept with S1.1: ...", "Already kept as M1; nothing was added."],
            "Kept 1 finding in memory; 1 was there already.",
        ),
        (["Already kept as M1; nothing was added."] * 2, "Nothing new to keep: all 2 findings were in memory already."),
    ],
)
def test_only_what_was_really_kept_is_said_to_be_kept(make_library, make_talk, answers, note):
    library = make_library({"a.md": ("Penguins", PENGUINS), "b.md": ("Bears", BEARS)})
    plain, left = library.call, list(answers)

    def call(name: str, arguments: dict) -> ToolResult:
        return ToolResult("", name, left.pop(0)) if name == "remember" else plain(name, arguments)

    library.call = call
    answer = make_talk(library).ask("Where do penguins live, and where do polar bears live? Keep the findings.")
    assert f"_{note}_" in answer
    assert not left
