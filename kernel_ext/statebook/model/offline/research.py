"""The research plan: search for each question, read the best documents, keep and save what was asked, answer."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from statebook.model.extract.evidence import Evidence
from statebook.model.extract.kindred import other_words
from statebook.model.extract.themes import themes
from statebook.model.extract.words import stem, subject, term_set
from statebook.protocol.messages import ToolResult
from statebook.protocol.passages import MARK, Passage, marks_in, read_passages

from . import compose, report
from .phrases import capital
from .questions import Question, Task, understand
from .report import Finding
from .turn import Batch, Plan, Turn, Wish

_READ = {"short": 2, "survey": 6, "report": 16, "compare": 16}
"""How many documents are read at most, by the form of the answer."""
_SMALL = 16
"""A library up to this many documents is read whole for a report: others may say the same in other words."""
_LOOKED_AT, _OPENING, _THEMES, _FEW = 24, 4, 5, 8
_AT_ONCE, _MANY_AT_ONCE = 2, 4
_PAGE = 20
_RELATED = 0.3
_NAMED = 10.0  # a document with the name of a thing compared is read first
_PASSAGE_CHARACTERS = 1500
_DOCUMENT = re.compile(r"^S(\d+) ", re.MULTILINE)


@dataclass(slots=True)
class _Found:
    """What the tools gave so far: passages, what went wrong, and the list of the sources where it was asked for."""

    passages: list[Passage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    listing: str = ""

    def take(self, results: Iterable[ToolResult]) -> None:
        for result in results:
            if result.status == "ok":
                self.passages += read_passages(result.text)
                if "no readable documents" in result.text and result.text not in self.problems:
                    self.problems.append(result.text)  # the reason is the folder, not the question
            else:
                self.problems.append(compose.failed(result.name, result))

    @property
    def listed(self) -> list[int]:
        return [int(number) for number in _DOCUMENT.findall(self.listing)]


def research(turn: Turn, prompt: str) -> Plan:
    """Answers from what came with the prompt where that answers it, else from the sources."""
    task = understand(prompt, _before(turn))
    handed_over = compose.from_attachments(task, turn.attachments)
    if handed_over:
        return handed_over
    if not turn.offers("search_sources"):
        return compose.from_memory(task, turn.memories) or compose.missing("search_sources", turn.tools)
    found = _Found()
    if not task.questions:
        task = yield from _explore(turn, task, found)
    open_titles = compose.titles_in(found.listing)
    yield from _gather(turn, task, found)
    evidence = Evidence(found.passages)
    outline = report.outline(task, evidence)
    titles = open_titles
    if not outline.lead:
        titles = yield from _titles(turn, found)
    notes = [*dict.fromkeys(found.problems), *((yield from _keep(turn, outline.lead)) if task.keep else [])]
    text = report.answer(task, evidence, outline, memories=turn.memories, titles=titles)
    if task.save:
        notes += yield from _save(turn, task, text, evidence)
    return "\n\n".join(part for part in (text, "\n".join(f"_{note}_  " for note in notes).rstrip()) if part)


def _before(turn: Turn) -> str:
    """The last prompt that was answered with citations: what "it" may point to."""
    return next((prompt for prompt, said in reversed(turn.earlier) if MARK.search(said)), "")


def _explore(turn: Turn, task: Task, found: _Found) -> Generator[Batch, list[ToolResult], Task]:
    """Finds out what the documents are about: reads openings of some, evenly spread, and takes their themes."""
    if not turn.offers("list_sources") or not turn.offers("read_source"):
        return replace(task, questions=(Question(task.topic),))
    (result,) = yield Batch((Wish("list_sources"),), "See what there is, then find what the documents share.")
    if result.status != "ok":
        found.take([result])
        return replace(task, questions=(Question(task.topic),))
    found.listing = result.text
    step = max(1, math.ceil(len(found.listed) / _LOOKED_AT))
    limit = _PAGE if len(found.listed) <= _SMALL else _OPENING
    wishes = [turn.wish("read_source", source=f"S{each}", start=1, limit=limit) for each in found.listed[::step]]
    yield from _read(wishes, found, _MANY_AT_ONCE)
    if len(found.listed) <= _FEW:
        return task
    documents: dict[int, list[Passage]] = {}
    for passage in found.passages:
        documents.setdefault(passage.document, []).append(passage)
    unread = [[title] for title in compose.documents_in(found.listing) if title.document not in documents]
    shared = themes([*documents.values(), *unread], _THEMES)
    return replace(task, questions=tuple(Question(capital(phrase)) for phrase in shared))


def _gather(turn: Turn, task: Task, found: _Found) -> Generator[Batch, list[ToolResult], None]:
    """Search, then read."""
    limit = 12 if task.style != "short" else 8
    queries = _queries(task)
    wishes = [turn.wish("search_sources", query=query, limit=limit) for query in queries]
    listing = [Wish("list_sources")] if task.thorough and not found.listing and turn.offers("list_sources") else []
    explored = bool(found.listing)
    if wishes or listing:
        results = yield Batch((*listing, *wishes), _thought(task))
        found.listing = results[0].text if listing and results[0].status == "ok" else found.listing
        found.take(results[len(listing) :])
    again = _other_words(task, found)
    if again:
        results = yield Batch(
            tuple(turn.wish("search_sources", query=query, limit=limit) for query in again),
            "Once more with other words for the same things.",
        )
        found.take(results)
    if turn.offers("read_source") and not explored:
        yield from _read(_reading(turn, task, found), found, _AT_ONCE)


def _read(wishes: Sequence[Wish], found: _Found, at_once: int) -> Generator[Batch, list[ToolResult], None]:
    for place in range(0, len(wishes), at_once):
        results = yield Batch(tuple(wishes[place : place + at_once]))
        found.take(results)


def _titles(turn: Turn, found: _Found) -> Generator[Batch, list[ToolResult], list[str]]:
    """What the sources are about, for an answer that has to say no."""
    if not found.listing and turn.offers("list_sources") and not found.problems:
        (result,) = yield Batch((Wish("list_sources"),), "See what the sources are about instead.")
        found.listing = result.text if result.status == "ok" else ""
    return compose.titles_in(found.listing)


def _queries(task: Task) -> list[str]:
    asked = [question.query for question in task.questions]
    named = [" ".join(dict.fromkeys(f"{entity} {' '.join(asked)}".split())) for entity in task.entities]
    return list(dict.fromkeys(asked + named))


def _thought(task: Task) -> str:
    if not task.thorough:
        return ""
    listed = "; ".join(question.text.rstrip("?.") for question in task.questions)
    return f"Plan: search for {listed}; read the documents that match, one by one; then put together what they say."


def _other_words(task: Task, found: _Found) -> list[str]:
    """More queries: other words of an aspect where not all is read anyway, single words where nothing is near."""
    large = len(found.listed) > _SMALL
    kindred = [
        f"{question.query} {more}"
        for question in task.questions
        for word in subject(question.asked)
        if (large or task.style == "survey") and (more := other_words(word))
    ]
    missed = [question for question in task.questions if _best(question, found.passages) < _RELATED]
    picked = [word for question in missed for word in sorted(subject(question.asked), key=len, reverse=True)[:2]]
    done = set(_queries(task))
    return [query for query in dict.fromkeys([*kindred, *picked]) if query not in done][:6]


def _best(question: Question, found: Sequence[Passage]) -> float:
    return max((_share(question, passage) for passage in found), default=0.0)


def _share(question: Question, passage: Passage) -> float:
    """The share of a question's terms that a passage or its title has."""
    wanted = {stem(word) for word in question.query.split()}
    have = term_set(f"{passage.title}\n{passage.text[:_PASSAGE_CHARACTERS]}")
    return len(wanted & have) / max(1, len(wanted))


def _reading(turn: Turn, task: Task, found: _Found) -> list[Wish]:
    """Which documents to read: around the best passages for one question, whole ones for a report."""
    relevance: dict[int, float] = {}
    best: dict[int, tuple[float, int]] = {}
    for question in task.questions:
        here: dict[int, float] = {}
        for passage in found.passages:
            share = _share(question, passage)
            here[passage.document] = max(here.get(passage.document, 0.0), share)
            if share > best.get(passage.document, (-1.0, 0))[0]:
                best[passage.document] = (share, passage.ordinal)
        for document, share in here.items():
            relevance[document] = relevance.get(document, 0.0) + (share if share >= _RELATED else 0.0)
    for passage in found.passages:
        if any(term_set(entity) <= term_set(f"{passage.title} {passage.path}") for entity in task.entities):
            relevance[passage.document] = max(relevance.get(passage.document, 0.0), _NAMED)
    ordered = sorted(relevance, key=lambda each: (-relevance[each], each))
    most = _READ[task.style]
    if task.thorough:
        small = len(found.listed) <= _SMALL and any(relevance.values())
        picked = [*ordered, *(each for each in found.listed if small and each not in relevance)][:most]
        return [
            turn.wish("read_source", source=f"S{each}", start=_start(best.get(each, (0.0, 1))[1]), limit=_PAGE)
            for each in picked
        ]
    picked = [each for each in ordered if relevance[each] > 0][:most]
    return [turn.wish("read_source", source=f"S{each}", start=max(1, best[each][1] - 1), limit=4) for each in picked]


def _start(ordinal: int) -> int:
    """Read from the beginning where that reaches the passage, else from a little before it."""
    return 1 if ordinal <= _PAGE else ordinal - 2


def _keep(turn: Turn, lead: Sequence[Finding]) -> Generator[Batch, list[ToolResult], list[str]]:
    """Remember the findings, each with the passage it rests on."""
    if not turn.offers("remember"):
        return [compose.missing("remember", turn.tools)]
    if not lead:
        return ["Nothing was kept: the sources gave no finding."]
    wishes = [
        turn.wish("remember", text=each.candidate.text, tags=list(finding.tags), mark=each.candidate.passage.mark)
        for finding in lead
        for each in [finding.hit]
    ]
    results = yield Batch(tuple(wishes), "Keep the findings.")
    return [*_told_of_keeping([result.text for result in results if result.status == "ok"]), *_first_failure(results)]


def _first_failure(results: Sequence[ToolResult]) -> list[str]:
    return [compose.failed("remember", result) for result in results if result.status != "ok"][:1]


def _told_of_keeping(answers: Sequence[str]) -> list[str]:
    """What was added to memory, and what was in it already, by what the tool said of each."""
    known = sum(text.startswith("Already kept") for text in answers)
    kept = len(answers) - known
    if kept:
        also = f"; {known} {'was' if known == 1 else 'were'} there already" if known else ""
        return [f"Kept {kept} {'finding' if kept == 1 else 'findings'} in memory{also}."]
    if known:
        return [
            "Nothing new to keep: "
            + ("the finding was" if known == 1 else f"all {known} findings were")
            + " in memory already."
        ]
    return []


def _save(turn: Turn, task: Task, text: str, evidence: Evidence) -> Generator[Batch, list[ToolResult], list[str]]:
    if not turn.offers("write_file"):
        return [compose.missing("write_file", turn.tools)]
    title = re.sub(r"[.?!]+$", "", task.topic)
    whole = f"# {title}\n\n{text}\n\n{report.references(marks_in(text), evidence)}\n"
    (result,) = yield Batch((turn.wish("write_file", path=task.save, text=whole),))
    return [f"Saved as {task.save}." if result.status == "ok" else compose.failed("write_file", result)]
