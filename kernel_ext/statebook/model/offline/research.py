"""The research plan: search for each question, read the best documents, keep and save what was asked, answer."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence

from statebook.model.extract.evidence import Evidence, Hit
from statebook.model.extract.words import stem, subject, term_set
from statebook.protocol.messages import ToolResult
from statebook.protocol.passages import MARK, Passage, marks_in, read_passages

from . import compose, report
from .questions import Question, Task, understand
from .turn import Batch, Plan, Turn, Wish

_DOCUMENTS_SHORT, _DOCUMENTS_THOROUGH = 2, 12
_AT_ONCE = 2
_PAGE = 20
_RELATED = 0.3
_PASSAGE_CHARACTERS = 1500
_DOCUMENT = re.compile(r"^S(\d+) ", re.MULTILINE)


def research(turn: Turn, prompt: str) -> Plan:
    """Answers from what came with the prompt where that answers it, else from the sources."""
    task = understand(prompt, _before(turn))
    handed_over = compose.from_attachments(task, turn.attachments)
    if handed_over:
        return handed_over
    if not turn.offers("search_sources"):
        return compose.from_memory(task, turn.memories) or compose.missing("search_sources", turn.tools)
    found, problems = yield from _gather(turn, task)
    evidence = Evidence(found)
    lead = report.findings(task, evidence)
    notes = [*problems, *((yield from _keep(turn, task, lead)) if task.keep else [])]
    text = report.answer(task, evidence, lead, turn.memories)
    if task.save:
        notes += yield from _save(turn, task, text, evidence)
    return "\n\n".join(part for part in (text, "\n".join(f"_{note}_  " for note in notes).rstrip()) if part)


def _before(turn: Turn) -> str:
    """The last prompt that was answered with citations: what "it" may point to."""
    return next((prompt for prompt, said in reversed(turn.earlier) if MARK.search(said)), "")


def _gather(turn: Turn, task: Task) -> Generator[Batch, list[ToolResult], tuple[list[Passage], list[str]]]:
    """Search, then read: the passages found, and what went wrong."""
    found: list[Passage] = []
    problems: list[str] = []
    queries = _queries(task)
    limit = 12 if task.thorough else 8
    wishes = [turn.wish("search_sources", query=query, limit=limit) for query in queries]
    listing = [Wish("list_sources")] if task.thorough and turn.offers("list_sources") else []
    results = yield Batch((*listing, *wishes), _thought(task))
    listed = _DOCUMENT.findall(results[0].text) if listing else []
    _collect(results[len(listing) :], found, problems)
    again = _other_words(task, found)
    if again:
        results = yield Batch(
            tuple(turn.wish("search_sources", query=query, limit=5) for query in again),
            "Nothing close yet: once more with single words.",
        )
        _collect(results, found, problems)
    if turn.offers("read_source"):
        reading = _reading(turn, task, found, [int(number) for number in listed])
        for place in range(0, len(reading), _AT_ONCE):
            results = yield Batch(tuple(reading[place : place + _AT_ONCE]))
            _collect(results, found, problems)
    return found, problems


def _queries(task: Task) -> list[str]:
    asked = [question.query for question in task.questions]
    named = [" ".join(dict.fromkeys(f"{entity} {' '.join(asked)}".split())) for entity in task.entities]
    return list(dict.fromkeys(asked + named))


def _thought(task: Task) -> str:
    if not task.thorough:
        return ""
    listed = "; ".join(question.text.rstrip("?.") for question in task.questions)
    return f"Plan: search for {listed}; read the documents that match, one by one; then put together what they say."


def _collect(results: Iterable[ToolResult], found: list[Passage], problems: list[str]) -> None:
    for result in results:
        if result.status == "ok":
            found += read_passages(result.text)
            if "no readable documents" in result.text and result.text not in problems:
                problems.append(result.text)  # the reason is the folder, not the question
        else:
            problems.append(compose.failed(result.name, result))


def _other_words(task: Task, found: Sequence[Passage]) -> list[str]:
    """The longest words of questions that nothing covers yet, to be searched one at a time."""
    missed = [question for question in task.questions if _best(question, found) < _RELATED]
    picked = [word for question in missed for word in sorted(subject(question.text), key=len, reverse=True)[:2]]
    done = set(_queries(task))
    return [word for word in dict.fromkeys(picked) if word not in done][:6]


def _best(question: Question, found: Sequence[Passage]) -> float:
    return max((_share(question, passage) for passage in found), default=0.0)


def _share(question: Question, passage: Passage) -> float:
    """The share of a question's terms that a passage or its title has."""
    wanted = {stem(word) for word in question.query.split()}
    have = term_set(f"{passage.title}\n{passage.text[:_PASSAGE_CHARACTERS]}")
    return len(wanted & have) / max(1, len(wanted))


def _reading(turn: Turn, task: Task, found: Sequence[Passage], listed: Sequence[int]) -> list[Wish]:
    """Which documents to read: around the best passages for one question, whole ones for a report.

    A report on a small library reads all of it, as other documents may say the same in other words.
    """
    relevance: dict[int, float] = {}
    best: dict[int, tuple[float, int]] = {}
    for question in task.questions:
        here: dict[int, float] = {}
        for passage in found:
            share = _share(question, passage)
            here[passage.document] = max(here.get(passage.document, 0.0), share)
            if share > best.get(passage.document, (-1.0, 0))[0]:
                best[passage.document] = (share, passage.ordinal)
        for document, share in here.items():
            relevance[document] = relevance.get(document, 0.0) + (share if share >= _RELATED else 0.0)
    ordered = sorted(relevance, key=lambda each: (-relevance[each], each))
    if task.thorough:
        small = len(listed) <= _DOCUMENTS_THOROUGH and any(relevance.values())
        picked = [*ordered, *(each for each in listed if small and each not in relevance)][:_DOCUMENTS_THOROUGH]
        return [
            turn.wish("read_source", source=f"S{each}", start=_start(best.get(each, (0.0, 1))[1]), limit=_PAGE)
            for each in picked
        ]
    picked = [each for each in ordered if relevance[each] > 0][:_DOCUMENTS_SHORT]
    return [turn.wish("read_source", source=f"S{each}", start=max(1, best[each][1] - 1), limit=4) for each in picked]


def _start(ordinal: int) -> int:
    """Read from the beginning where that reaches the passage, else from a little before it."""
    return 1 if ordinal <= _PAGE else ordinal - 2


def _keep(turn: Turn, task: Task, lead: Sequence[Hit]) -> Generator[Batch, list[ToolResult], list[str]]:
    """Remember the findings, each with the passage it rests on."""
    if not turn.offers("remember"):
        return [compose.missing("remember", turn.tools)]
    if not lead:
        return ["Nothing was kept: the sources gave no finding."]
    tags = list(subject(task.topic)[:2])
    wishes = [
        turn.wish("remember", text=hit.candidate.text, tags=tags, mark=hit.candidate.passage.mark) for hit in lead
    ]
    results = yield Batch(tuple(wishes), "Keep the findings.")
    kept = sum(result.status == "ok" for result in results)
    notes = [compose.failed("remember", result) for result in results if result.status != "ok"][:1]
    return [f"Kept {kept} {'finding' if kept == 1 else 'findings'} in memory.", *notes]


def _save(turn: Turn, task: Task, text: str, evidence: Evidence) -> Generator[Batch, list[ToolResult], list[str]]:
    if not turn.offers("write_file"):
        return [compose.missing("write_file", turn.tools)]
    title = re.sub(r"[.?!]+$", "", task.topic)
    whole = f"# {title}\n\n{text}\n\n{report.references(marks_in(text), evidence)}\n"
    (result,) = yield Batch((turn.wish("write_file", path=task.save, text=whole),))
    return [f"Saved as {task.save}." if result.status == "ok" else compose.failed("write_file", result)]
