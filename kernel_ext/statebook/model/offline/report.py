"""Writes the answer of a research task: a few sentences, a list by document, a report with sections, or a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from statebook.model.extract.contradict import Dispute, disputes
from statebook.model.extract.evidence import ENOUGH, Candidate, Evidence, Hit, alike, choose
from statebook.model.extract.rows import rows as table_rows
from statebook.model.extract.sections import Topic, sections, telling, told
from statebook.model.extract.standing import standing
from statebook.model.extract.themes import themes
from statebook.model.extract.words import stem, subject, words
from statebook.protocol.passages import Passage

from .compose import HONEST, cell, from_memory, nearest, titled, titled_name
from .phrases import capital
from .questions import Question, Task

_LEAD = 5
_SECTION = 4
_SURVEYED = 8
_FLOOR = 0.8 * ENOUGH  # a table's cell may hold what is near its question; an answer must meet it
_NEAR = 0.33  # coverage of a criterion, where the thing compared is named beside it
_COLUMNS = 3
_ALONE = 16
_TOUCHES = 0.25
_THEMES = 4
_VOICES = 2
_POOL = 400
_TITLES = 16

Section: TypeAlias = tuple[str, list[Hit]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence worth keeping, the heading it stands under, and words to find it by."""

    hit: Hit
    heading: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """What an answer will hold: its findings, its sections, what nobody answers, and who contradicts whom."""

    lead: tuple[Finding, ...]
    sections: tuple[Section, ...] = ()
    gaps: tuple[Question, ...] = ()
    disputes: tuple[Dispute, ...] = ()


def outline(task: Task, evidence: Evidence) -> Outline:
    """Chooses the sentences of an answer; an empty ``lead`` means that the sources do not answer."""
    if not task.thorough:
        return Outline(tuple(_short_findings(task, evidence)))
    opposed = tuple(_disputes(task, evidence))
    if task.style == "compare":
        return Outline(tuple(_compared(task, evidence)), gaps=tuple(_uncompared(task, evidence)), disputes=opposed)
    if task.open and not task.questions:
        return _by_titles(evidence, opposed)
    topics = [Topic(each.asked, each.topic, opening=task.open) for each in task.questions]
    chosen = sections(evidence, topics, _SECTION + 1)
    gaps = tuple(question for question, hits in zip(task.questions, chosen, strict=True) if not hits)
    if len(topics) == 1 and chosen[0]:
        lead = chosen[0][: _SECTION - 1]
        hits = told(evidence, topics[0])
        rest = [hit for hit in hits if not any(alike(hit.candidate, each.candidate) for each in lead)]
        parts = _one_topic(task.questions[0], rest, evidence)
        return Outline(tuple(Finding(hit, "", _tags(task.questions[0])) for hit in lead), tuple(parts), gaps, opposed)
    pairs = [(question, hits) for question, hits in zip(task.questions, chosen, strict=True) if hits]
    return Outline(tuple(_leading(pairs)), tuple((each.heading, hits) for each, hits in pairs), gaps, opposed)


def answer(
    task: Task, evidence: Evidence, plan: Outline, *, memories: Sequence[str] = (), titles: Sequence[str] = ()
) -> str:
    """The answer as Markdown, each sentence with its citation; says plainly what the sources do not answer."""
    if not plan.lead and not plan.disputes:
        text = _abstain(task, evidence, titles)
    elif task.style in {"short", "survey"}:
        text = _short(task, evidence) if task.style == "short" else _by_document(_hits_of(plan))
    else:
        text = "\n\n".join([*_body(task, evidence, plan, titles), *_closing(task, evidence, plan)])
    remembered = from_memory(task, memories, text)
    return f"{text}\n\nFrom memory:\n\n{remembered}" if remembered else text


def references(marks: Sequence[str], evidence: Evidence) -> str:
    """The passages behind the marks, as a section for a reader without the session at hand."""
    known = {passage.mark: passage for passage in evidence.passages}
    cited = sorted((known[mark] for mark in marks if mark in known), key=lambda each: (each.document, each.ordinal))
    lines = [f"- [{each.mark}] {each.title} ({each.path}{f' · {each.place}' if each.place else ''})" for each in cited]
    return "## Sources\n\n" + "\n".join(lines) if lines else ""


def _hits_of(plan: Outline) -> list[Hit]:
    return [finding.hit for finding in plan.lead]


def _tags(question: Question) -> tuple[str, ...]:
    return subject(question.asked)[:3] or subject(question.topic)[:3]


def _by_titles(evidence: Evidence, opposed: tuple[Dispute, ...]) -> Outline:
    """Of a few documents each by itself, under its title."""
    firsts = {passage.document: passage for passage in reversed(evidence.passages)}
    found = {capital(_name(first)): telling(evidence, document, _SECTION) for document, first in sorted(firsts.items())}
    parts = [(name, hits) for name, hits in found.items() if hits]
    lead = [Finding(hits[0], name, subject(name)[:3]) for name, hits in parts]
    return Outline(tuple(lead[:_LEAD]), tuple(parts), (), opposed)


def _short_findings(task: Task, evidence: Evidence) -> list[Finding]:
    found: list[Finding] = []
    for question in task.questions:
        if task.style == "survey":
            close = told(evidence, Topic(question.asked, question.topic))
            hits = choose(close, _SURVEYED, floor=0.0, near=0.3)
        else:
            hits = _answering(task, question, evidence, evidence.rank(question.asked, question.topic))
        found += [Finding(hit, question.heading, _tags(question)) for hit in hits]
    return found


_SOMEBODYS_VIEW = re.compile(
    r"\b(argues?|believes?|claims?|holds?|hopes?|says?|said|thinks?)\b( that\b|\.$)", re.IGNORECASE
)
"""A sentence that reports what somebody holds is no summary of what the sources found."""


def _leading(pairs: Sequence[tuple[Question, list[Hit]]]) -> list[Finding]:
    """The best sentence of each of the strongest sections, in the sections' order, no two alike."""
    strongest = sorted(
        pairs, key=lambda pair: -pair[1][0].coverage * standing(pair[1][0].candidate.text, pair[1][0].candidate.terms)
    )
    lead: dict[str, Finding] = {}
    for question, hits in strongest:
        fresh = [hit for hit in hits if not any(alike(hit.candidate, each.hit.candidate) for each in lead.values())]
        if fresh and len(lead) < _LEAD:
            plain = [hit for hit in fresh if not _SOMEBODYS_VIEW.search(hit.candidate.text)]
            lead[question.heading] = Finding((plain or fresh)[0], question.heading, _tags(question))
    return [lead[question.heading] for question, _ in pairs if question.heading in lead]


def _one_topic(question: Question, hits: Sequence[Hit], evidence: Evidence) -> list[Section]:
    """A report on one thing: by what several documents say of it where they share that, else one list."""
    pool = choose(hits, _ALONE, per_document=6, floor=0.0, near=0.3)
    passages: dict[int, list[Passage]] = {}
    marks = {hit.candidate.passage.mark for hit in pool}
    for passage in evidence.passages:
        if passage.mark in marks:
            passages.setdefault(passage.document, []).append(passage)
    left = list(pool)
    found: list[Section] = []
    for phrase in themes(passages.values(), 12):
        stems = {stem(word) for word in phrase.split()}
        here = [hit for hit in left if stems <= hit.candidate.terms]
        if stems <= question.terms or len(here) < _VOICES or len(found) == _THEMES or " " not in phrase:
            continue
        found.append((phrase.capitalize(), here[:_SECTION]))
        left = [hit for hit in left if hit not in here]
    rest = ("More on it" if found else "What the sources say", left[: 2 * _SECTION])
    return [*found, rest] if rest[1] else found


def _short(task: Task, evidence: Evidence) -> str:
    parts = []
    for question in task.questions:
        ranked = evidence.rank(question.asked, question.topic)
        hits = _answering(task, question, evidence, ranked)
        close = max((hit.coverage for hit in hits), default=0.0)
        near = [hit for hit in hits if hit.score >= 0.6 * hits[0].score and hit.coverage >= 0.75 * close]
        said = [hit.candidate for hit in near]
        text = " ".join(each.cited for each in [*said, *_other_side(said, ranked)])
        if len(task.questions) > 1:
            text = f"**{question.text}**\n\n{text or 'The sources do not answer this.'}"
        parts.append(text)
    return "\n\n".join(parts)


def _answering(task: Task, question: Question, evidence: Evidence, ranked: Sequence[Hit]) -> list[Hit]:
    """The sentences that meet a question, else the rows of tables that do."""
    return choose(ranked, 3 if len(task.questions) == 1 else 2) or table_rows(evidence, question.asked, question.topic)


def _other_side(said: Sequence[Candidate], ranked: Sequence[Hit]) -> list[Candidate]:
    """Who contradicts the answer on the same question: an honest answer gives both."""
    near = [hit.candidate for hit in ranked[:_ALONE] if hit.coverage >= _FLOOR]
    texts = {each.text for each in said}
    pairs = [(each.left, each.right) for each in disputes(near)]
    return [
        other for pair in pairs for one, other in (pair, pair[::-1]) if one.text in texts and other.text not in texts
    ]


def _body(task: Task, evidence: Evidence, plan: Outline, titles: Sequence[str]) -> list[str]:
    parts: list[str] = []
    if task.disputed and not task.prose and task.style == "report":
        return parts
    if plan.lead and (task.style == "report" or task.prose):
        about = f"{titled(titles, _TITLES)}\n\n" if titles else ""
        parts.append(f"## In short\n\n{about}" + "\n".join(_lead_line(each) for each in plan.lead))
    if task.style == "compare" and plan.lead:
        table = _table(task, evidence)
        parts.append(f"## Side by side\n\n{table}" if task.prose else table)
    shown = {finding.hit.candidate.text for finding in plan.lead}
    for title, hits in plan.sections:
        fresh = [hit for hit in hits if hit.candidate.text not in shown]
        body = fresh if len(fresh) > 1 or len(plan.sections) == 1 else hits
        if not body:
            continue
        parts.append(f"## {title}\n\n{_by_document(body[: 2 * _SECTION if len(plan.sections) == 1 else _SECTION])}")
    return parts


def _lead_line(finding: Finding) -> str:
    name = finding.heading.rstrip("?")
    return f"- **{name}:** {finding.hit.candidate.cited}" if name else f"- {finding.hit.candidate.cited}"


def _by_document(hits: Sequence[Hit]) -> str:
    """A bullet per document, the most telling first; its sentences in the order of its text."""
    groups: dict[int, list[Candidate]] = {}
    for hit in hits:
        groups.setdefault(hit.candidate.passage.document, []).append(hit.candidate)
    lines = []
    for group in groups.values():
        ordered = sorted(group, key=lambda each: (each.passage.ordinal, each.sentence.block, each.sentence.place))
        lines.append(f"- {_naming(ordered[0])}{' '.join(each.cited for each in ordered)}")
    return "\n".join(lines)


def _naming(first: Candidate) -> str:
    """``*jinja2*: `` before a sentence that does not say what it is about."""
    name = _name(first.passage)
    parts = name.split()
    own = {stem(word) for word in words(name)}
    named = len(parts) <= 2 or all(part[0].isupper() for part in parts[:4])  # noqa: PLR2004 (longer ones are sentences)
    return f"*{name}*: " if named and not own <= {stem(word) for word in words(first.text)} else ""


def _name(passage: Passage) -> str:
    """What a document is called: its title up to the colon, or its file's name where the title is any heading."""
    return titled_name(passage.title, passage.path)


def _disputes(task: Task, evidence: Evidence) -> list[Dispute]:
    """The disagreements on what was asked; in a comparison they name what is compared, or its criterion."""
    found = disputes(_pool(task, evidence), 2 * _LEAD)
    if task.entities:
        named = [frozenset(stem(word) for word in words(name)) for name in task.entities]
        asked = frozenset(term for question in task.questions for term in question.terms)
        found = [
            each
            for each in found
            if asked & each.left.terms & each.right.terms
            or any(name <= side.terms | side.heading | side.title for name in named for side in (each.left, each.right))
        ]
    return found[:_LEAD]


def _pool(task: Task, evidence: Evidence) -> list[Candidate]:
    """What may contradict each other: sentences that touch what was asked, everything where nothing was."""
    if task.open:
        return [each for each in evidence.candidates if not each.sentence.boilerplate][:_POOL]
    near: dict[str, tuple[float, Candidate]] = {}
    for question in task.questions:
        for hit in evidence.rank(question.asked, f"{question.topic} {' '.join(task.entities)}", widely=True):
            each = hit.candidate
            if hit.coverage >= _TOUCHES and not each.sentence.boilerplate:
                near[each.text] = max(near.get(each.text, (0.0, each)), (hit.coverage, each), key=lambda pair: pair[0])
    return [each for _, each in sorted(near.values(), key=lambda pair: -pair[0])][:_POOL]


def _row_hits(task: Task, evidence: Evidence) -> list[tuple[str, list[list[Hit]]]]:
    """(name, hits per criterion) of each thing compared, or of each document that says something."""
    columns = task.questions
    if task.entities:
        return [(capital(name), _cells(task, evidence, name)) for name in task.entities]
    rows = []
    for document, first in {passage.document: passage for passage in reversed(evidence.passages)}.items():
        found = [
            choose([hit for hit in told(evidence, Topic(column.asked, column.topic, opening=True))
                    if hit.candidate.passage.document == document], 1, floor=0.0)
            for column in columns
        ]  # fmt: skip
        if any(found):
            rows.append((_name(first), found, document))
    best = sorted(rows, key=lambda row: -sum(hits[0].score for hits in row[1] if hits))[:_ALONE]
    return [(name, found) for name, found, document in sorted(best, key=lambda row: row[2])]


def _cells(task: Task, evidence: Evidence, name: str) -> list[list[Hit]]:
    """A row: for each criterion the best that is said of one thing, no sentence twice where there is another."""
    used: set[str] = set()
    row = []
    for question in task.questions:
        hits = _about(evidence, task, name, question)
        fresh = [hit for hit in hits if hit.candidate.text not in used] or hits
        row.append(fresh[: 2 if len(task.questions) == 1 else 1])
        used |= {hit.candidate.text for hit in row[-1]}
    return row


def _compared(task: Task, evidence: Evidence) -> list[Finding]:
    """The best cell of each criterion first, then of each row."""
    rows = _row_hits(task, evidence)
    found: list[Finding] = []
    for place, question in enumerate(task.questions):
        for name, cells in rows:
            for hit in cells[place][:1]:
                title = f"{name}, {question.heading.lower()}" if task.entities else question.heading
                found.append(Finding(hit, title[:1].upper() + title[1:], (*_tags(question), *words(name)[:1])))
    best: list[Finding] = []
    for finding in sorted(found, key=lambda each: -each.hit.score):
        if not any(alike(finding.hit.candidate, other.hit.candidate) for other in best):
            best.append(finding)
    kept = {id(finding) for finding in best[: _LEAD if len(best) > 2 * _LEAD else _COLUMNS]}
    return [finding for finding in found if id(finding) in kept]


def _uncompared(task: Task, evidence: Evidence) -> list[Question]:
    rows = _row_hits(task, evidence)
    gaps = [question for place, question in enumerate(task.questions) if not any(cells[place] for _, cells in rows)]
    return gaps + [Question(name) for name, cells in rows if task.entities and not any(cells)]


def _table(task: Task, evidence: Evidence) -> str:
    """A row per thing compared and a column per criterion; turned where there are many criteria."""
    rows = _row_hits(task, evidence)
    columns = [question.heading for question in task.questions]
    heads = columns if len(columns) > 1 else ["What the sources say"]
    cells = [
        (name, [cell(" ".join(hit.candidate.cited for hit in hits)) or "—" for hits in found]) for name, found in rows
    ]
    if len(columns) > _COLUMNS and len(cells) <= _COLUMNS:
        turned = zip(*(row for _, row in cells), strict=True)
        heads, cells = [name for name, _ in cells], list(zip(columns, map(list, turned), strict=True))
    lines = [f"| | {' | '.join(map(cell, heads))} |", "|---" * (len(heads) + 1) + "|"]
    return "\n".join([*lines, *(f"| **{cell(name)}** | {' | '.join(row)} |" for name, row in cells)])


def _about(evidence: Evidence, task: Task, entity: str, question: Question) -> list[Hit]:
    """Hits on a criterion that speak of one thing: in the sentence, or above it where nothing else is named."""
    name = {stem(word) for word in words(entity)}
    others = [{stem(word) for word in words(each)} for each in task.entities if each != entity]
    near = []
    for hit in told(evidence, Topic(question.asked, f"{question.topic} {entity}"), _NEAR):
        each = hit.candidate
        rivals = any(other <= each.terms for other in others)
        above = [part for part in (each.heading, each.title) if name <= part and not any(o <= part for o in others)]
        if name <= each.terms or (above and not rivals):
            own = 1.3 if name <= each.title else 1.0
            near.append((hit.score * own * (1.0 if name <= each.terms and not rivals else 0.7), hit))
    ordered = [hit for _, hit in sorted(near, key=lambda pair: -pair[0])]
    return choose(ordered, 3, floor=0.0, near=0.0)


def _closing(task: Task, evidence: Evidence, plan: Outline) -> list[str]:
    """Where the sources disagree, what they do not say, and which they are."""
    parts = []
    if plan.disputes:
        rows = [
            f"| {cell(each.about)} | {cell(each.left.cited)} | {cell(each.right.cited)} |" for each in plan.disputes
        ]
        table = "\n".join(["| On | One says | Another says |", "|---|---|---|", *rows])
        parts.append(f"## Where the sources disagree\n\n{table}")
    elif task.disputed:
        parts.append("## Where the sources disagree\n\nNo two sentences on this plainly contradict each other.")
    if plan.gaps:
        parts.append("## What the sources do not say\n\n" + "\n".join(f"- {each.heading}" for each in plan.gaps))
    documents = {passage.document for passage in evidence.passages}
    parts.append(f"_Read for this: {len(documents)} documents, {len(evidence.passages)} passages._")
    return parts


def _abstain(task: Task, evidence: Evidence, titles: Sequence[str]) -> str:
    """An honest no, with passages that are really near, and what the sources are about."""
    said = f"The sources do not answer {'this' if len(task.questions) == 1 else 'these questions'}."
    hits = [hit for question in task.questions for hit in evidence.rank(question.asked, question.topic)]
    asked = frozenset(stem(word) for question in task.questions for word in subject(question.asked))
    close = nearest(hits, asked)
    parts = [said + (" The nearest passages:" if close else ""), close, titled(titles, 5), HONEST]
    return "\n\n".join(part for part in parts if part)
