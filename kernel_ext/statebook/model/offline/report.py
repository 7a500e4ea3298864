"""Writes the answer of a research task: a few sentences, a report with sections, or a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from statebook.model.extract.contradict import disputes
from statebook.model.extract.evidence import ENOUGH, Candidate, Evidence, Hit, alike, choose
from statebook.model.extract.words import stem, words
from statebook.protocol.passages import Passage

from .compose import HONEST, cell, excerpt, from_memory
from .questions import Question, Task

_LEAD = 4
_SECTION = 6
_FLOOR = 0.8 * ENOUGH  # a section may hold what is near its question; an answer must meet it
_BROAD, _WIDE = 0.2, 0.2
_TITLE = 70
_THEMES = 4


def findings(task: Task, evidence: Evidence) -> list[Hit]:
    """The best cited sentences, one per question first, no two alike."""
    ranked = [choose(_hits(evidence, each), 3, floor=_floor(task, evidence, each)) for each in task.questions]
    if task.entities:
        ranked += [_about(evidence, entity, task.questions[0])[:1] for entity in task.entities]
    lead: list[Hit] = []
    for place in range(3):
        for hits in ranked:
            if place < len(hits) and not any(alike(hits[place].candidate, other.candidate) for other in lead):
                lead.append(hits[place])
    return lead[: max(_LEAD, min(6, len(task.questions)))]


def answer(task: Task, evidence: Evidence, lead: Sequence[Hit], memories: Sequence[str]) -> str:
    """The answer as Markdown, each sentence with its citation; says plainly what the sources do not answer."""
    remembered = from_memory(task, memories)
    aside = f"From memory:\n\n{remembered}" if remembered else ""
    if not lead:
        return "\n\n".join(part for part in (aside, _abstain(task, evidence)) if part)
    if task.style == "short":
        text = _short(task, evidence)
    elif task.style == "compare":
        text = _comparison(task, evidence)
    else:
        text = _report(task, evidence, lead)
    return "\n\n".join(part for part in (text, aside) if part)


def references(marks: Sequence[str], evidence: Evidence) -> str:
    """The passages behind the marks, as a section for a reader without the session at hand."""
    known = {passage.mark: passage for passage in evidence.passages}
    cited = sorted((known[mark] for mark in marks if mark in known), key=lambda each: (each.document, each.ordinal))
    lines = [f"- [{each.mark}] {each.title} ({each.path}{f' · {each.place}' if each.place else ''})" for each in cited]
    return "## Sources\n\n" + "\n".join(lines) if lines else ""


def _hits(evidence: Evidence, question: Question) -> list[Hit]:
    return evidence.rank(question.text, question.topic)


def _floor(task: Task, evidence: Evidence, question: Question) -> float:
    """The coverage a sentence must have: less for the broad topic of a report, which no one sentence holds."""
    broad = task.thorough and evidence.meets(question.text, question.topic)
    return _BROAD if broad else ENOUGH


def _short(task: Task, evidence: Evidence) -> str:
    parts = []
    for question in task.questions:
        hits = choose(_hits(evidence, question), 3 if len(task.questions) == 1 else 2)
        close = max((hit.coverage for hit in hits), default=0.0)
        near = [hit for hit in hits if hit.score >= 0.6 * hits[0].score and hit.coverage >= 0.75 * close]
        text = " ".join(hit.candidate.cited for hit in near)
        if len(task.questions) > 1:
            text = f"**{question.text}**\n\n{text or _not_answered(evidence, question)}"
        parts.append(text)
    return "\n\n".join(parts)


def _report(task: Task, evidence: Evidence, lead: Sequence[Hit]) -> str:
    sections, gaps = _sections(task, evidence)
    shown = {hit.candidate.text for hit in lead}
    parts = ["## In short\n\n" + "\n".join(f"- {hit.candidate.cited}" for hit in lead)]
    for title, hits in sections:
        fresh = [hit for hit in hits if hit.candidate.text not in shown]
        body = fresh if len(fresh) > 1 else hits
        parts.append(f"## {title}\n\n{_by_document([hit.candidate for hit in body])}")
    return "\n\n".join([*parts, *_closing(task, evidence, gaps)])


def _sections(task: Task, evidence: Evidence) -> tuple[list[tuple[str, list[Hit]]], list[Question]]:
    """A section per question that the sources meet, and the questions they do not."""
    sections: list[tuple[str, list[Hit]]] = []
    gaps = []
    used: list[Candidate] = []
    for question in task.questions:
        ranked = _hits(evidence, question)
        floor = _floor(task, evidence, question)
        if not choose(ranked, 1, floor=floor):
            gaps.append(question)
            continue
        if len(task.questions) == 1:
            return _themes(question, ranked, min(floor, _FLOOR)), gaps
        fresh = [hit for hit in ranked if not any(alike(hit.candidate, other) for other in used)]
        hits = choose(fresh or ranked, _SECTION, floor=min(floor, _FLOOR), near=_WIDE)
        used += [hit.candidate for hit in hits]
        if hits:
            sections.append((question.text, hits))
    return sections, gaps


def _themes(question: Question, ranked: Sequence[Hit], floor: float) -> list[tuple[str, list[Hit]]]:
    """One question's sentences, grouped by the words that several documents share beyond the question's own."""
    pool = choose(ranked, 40, per_document=5, floor=floor, near=_WIDE)
    asked = {stem(word) for word in question.query.split()}
    spread: dict[str, set[int]] = {}
    written: dict[str, Counter[str]] = {}
    for hit in pool:
        for word in words(hit.candidate.text):
            key = stem(word)
            if key in hit.candidate.terms and key not in asked and len(key) > 3 and key.isalpha():  # noqa: PLR2004
                spread.setdefault(key, set()).add(hit.candidate.passage.document)
                written.setdefault(key, Counter())[word] += 1
    left = list(pool)
    sections: list[tuple[str, list[Hit]]] = []
    for key in sorted(spread, key=lambda each: (-len(spread[each]), -sum(written[each].values()), each)):
        here = [hit for hit in left if key in hit.candidate.terms]
        if len(spread[key]) > 1 and len(here) > 1 and len(sections) < _THEMES:
            sections.append((written[key].most_common(1)[0][0].capitalize(), here[:_SECTION]))
            left = [hit for hit in left if hit not in here]
    rest = left[:_SECTION]
    return [*sections, *([("Further findings" if sections else "Findings", rest)] if rest else [])]


def _comparison(task: Task, evidence: Evidence) -> str:
    """A table: a row per thing compared, a column per criterion."""
    columns = task.questions[:3]
    gaps = [question for question in columns if not choose(_hits(evidence, question), 1, floor=_FLOOR)]
    heads = [cell(question.text) for question in columns] if len(columns) > 1 else ["What the sources say"]
    rows = []
    if task.entities:
        for entity in task.entities:
            found = [_about(evidence, entity, question)[: 1 if len(columns) > 1 else 2] for question in columns]
            rows.append((entity, found))
            if not any(found):
                gaps.append(Question(entity))
    else:
        rows = _document_rows(evidence, columns)
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, found in rows:
        cells = [cell(" ".join(hit.candidate.cited for hit in hits)) or "—" for hits in found]
        lines.append(f"| **{cell(name)}** | {' | '.join(cells)} |")
    return "\n\n".join(["\n".join(lines), *_closing(task, evidence, gaps)])


def _document_rows(evidence: Evidence, columns: Sequence[Question]) -> list[tuple[str, list[list[Hit]]]]:
    titles = {passage.document: _short_title(passage) for passage in evidence.passages}
    rows = []
    for document, title in titles.items():
        found = [
            choose(
                [hit for hit in _hits(evidence, column) if hit.candidate.passage.document == document], 1, floor=_FLOOR
            )
            for column in columns
        ]
        if any(found):
            rows.append((title, found))
    return rows


def _about(evidence: Evidence, entity: str, question: Question) -> list[Hit]:
    """Hits on a question that speak of one thing: in the sentence, under its heading, or in its document."""
    name = {stem(word) for word in words(entity)}
    here = [
        hit
        for hit in evidence.rank(question.text, question.topic)
        if name <= (hit.candidate.terms | hit.candidate.heading | hit.candidate.title)
    ]
    return choose(here, 2, floor=_FLOOR)


def _closing(task: Task, evidence: Evidence, gaps: Sequence[Question]) -> list[str]:
    """Where the sources disagree, what they do not say, and which they are."""
    parts = []
    near = [
        hit for question in task.questions for hit in _hits(evidence, question)[:60] if hit.coverage >= 0.6 * _FLOOR
    ]
    pool = list({hit.candidate.text: hit.candidate for hit in near if not hit.candidate.sentence.boilerplate}.values())
    opposed = disputes(pool)
    if opposed:
        rows = [f"| {_attributed(each.left)} | {_attributed(each.right)} |" for each in opposed]
        parts.append(
            "## Where the sources disagree\n\n" + "\n".join(["| one says | another says |", "|---|---|", *rows])
        )
    if gaps:
        lines = [f"- {question.text.rstrip('.')}" for question in gaps]
        parts.append("## What the sources do not say\n\n" + "\n".join(lines))
    documents = {passage.document: passage for passage in evidence.passages}
    parts.append(f"_Read for this: {len(documents)} documents, {len(evidence.passages)} passages._")
    return parts


def _abstain(task: Task, evidence: Evidence) -> str:
    """An honest no, with the nearest passages."""
    one = len(task.questions) == 1
    nearest: dict[int, Hit] = {}
    for question in task.questions:
        for hit in _hits(evidence, question):
            nearest.setdefault(hit.candidate.passage.document, hit)
    listed = sorted(nearest.values(), key=lambda hit: -hit.coverage)[:3]
    said = f"The sources do not answer {'this' if one else 'these questions'}."
    if not listed:
        return f"{said} No passage comes near it.\n\n{HONEST}"
    lines = [
        f"- *{_short_title(hit.candidate.passage)}*: {excerpt(hit.candidate.text)} [{hit.candidate.passage.mark}]"
        for hit in listed
    ]
    return f"{said} The nearest passages:\n\n" + "\n".join(lines) + f"\n\n{HONEST}"


def _not_answered(evidence: Evidence, question: Question) -> str:
    hits = _hits(evidence, question)[:1]
    near = f" The nearest passage: {excerpt(hits[0].candidate.text)} [{hits[0].candidate.passage.mark}]" if hits else ""
    return f"The sources do not answer this.{near}"


def _by_document(candidates: Sequence[Candidate]) -> str:
    """A bullet per document, in the order of relevance; its sentences in the order of its text."""
    groups: dict[int, list[Candidate]] = {}
    for each in candidates:
        groups.setdefault(each.passage.document, []).append(each)
    lines = []
    for group in groups.values():
        ordered = sorted(group, key=lambda each: (each.passage.ordinal, each.sentence.block, each.sentence.place))
        lines.append(f"- *{_short_title(group[0].passage)}*: {' '.join(each.cited for each in ordered)}")
    return "\n".join(lines)


def _attributed(candidate: Candidate) -> str:
    return cell(f"*{_short_title(candidate.passage)}*: {candidate.cited}")


def _short_title(passage: Passage) -> str:
    title = " ".join(passage.title.split()).replace("*", "") or passage.path
    return title if len(title) <= _TITLE else title[:_TITLE].rsplit(" ", 1)[0] + " ..."
