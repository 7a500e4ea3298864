"""What the demo's notebook asks: written by hand for the built-in briefs, made from the documents for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .survey import Survey

_FINGERPRINTED = 4
"""Calls of the notebook's own tool; each takes a moment, and one of them will be caught by the kill."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: the heading above its cell, a sentence of explanation, and the prompt."""

    heading: str
    explanation: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Script:
    """``title`` of the notebook and the report, the questions, the prompt of the synthesis, files to fingerprint."""

    title: str
    asks: tuple[Ask, ...]
    synthesis: str
    files: tuple[str, ...]


def write(survey: Survey, folder: str, questions: Sequence[str], *, own: bool) -> Script:
    """The script for these documents; ``questions`` of a person take the place of ours."""
    files = survey.files[:_FINGERPRINTED]
    if questions:
        return Script(f"Questions to {folder}", _asked(questions), _list_of(questions), files)
    if own:
        return Script(_TITLE, _ASKS, _SYNTHESIS, files)
    topics = survey.topics or survey.titles[:4]
    return Script(f"What the documents in {folder} say", _about(topics), _report_on(topics), files)


def _asked(questions: Sequence[str]) -> tuple[Ask, ...]:
    headings = [f"Question {number}" for number in range(1, len(questions) + 1)]
    asks = [Ask(heading, "", question) for heading, question in zip(headings, questions, strict=True)]
    last = asks[-1]
    kept = f"{last.prompt.rstrip()} Keep the findings."
    return (*asks[:-1], Ask(last.heading, _KEEPING, kept))


def _list_of(questions: Sequence[str]) -> str:
    if len(questions) == 1:
        return f"Write a report: {questions[0]}"
    return "Write a report that answers these questions:\n" + "\n".join(f"- {question}" for question in questions)


def _about(topics: Sequence[str]) -> tuple[Ask, ...]:
    first, second, third = (*topics, *topics, *topics)[:3]
    other = second if second != first else "everything else"
    return (
        Ask("A first question", _FIRST, f"What do these documents say about {first}?"),
        Ask("A comparison", _COMPARING, f"Compare what these documents say about {first} and {other}."),
        Ask("Findings to keep", _KEEPING, f"What do these documents say about {third}? Keep the findings."),
    )


def _report_on(topics: Sequence[str]) -> str:
    if len(topics) == 1:
        return f"Write a report on what these documents say about {topics[0]}."
    return "Write a report on what these documents say:\n" + "\n".join(f"- {topic}" for topic in topics[:4])


_FIRST = "The agent searches the documents, reads around what it finds, and cites the passages that it uses."
_COMPARING = "A comparison becomes a table; each cell leads back to its passage."
_KEEPING = (
    "What is kept goes into the session's memory, with the passage that it rests on. Later cells are handed what bears "
    "on them, in this kernel or in the next."
)
_TITLE = "How agent runtimes keep state, and how they fail"
_ASKS = (
    Ask("A first question", _FIRST, "What happens to a tool call that is in doubt after a SIGKILL?"),
    Ask("A comparison", _COMPARING, "Compare LangGraph, DBOS and openai-agents on repeated tool calls."),
    Ask("Findings to keep", _KEEPING, "Are checkpoints cheap in a long session? Keep the findings."),
)
_SYNTHESIS = """Write a report on how agent runtimes keep state:
- checkpoint growth
- tool calls in doubt after a crash
- memory extraction
- server-side conversation state"""
