"""Small texts of an answer: results shown, memories listed, what came with a prompt quoted, honest words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from statebook.model.extract.evidence import ENOUGH, Evidence, Hit, alike_texts, choose
from statebook.model.extract.words import stem, subject, term_set
from statebook.protocol.messages import ToolResult
from statebook.protocol.passages import Passage, read_passages

from .questions import Task
from .turn import Wish

HONEST = "_offline: extracts sentences, it does not reason; connect a model with `-m provider:model`_"
_MARK = re.compile(r"S\d+\.\d+")
_CITED = re.compile(r"(?:^|(?<=[\]>:|]\s)|(?<=[-*]\s))([^\[\]|\n]{20,400}?[.!?]) \[(S\d+\.\d+)\]", re.MULTILINE)
_SOURCE = re.compile(
    r"^(?P<mark>S\d+)\s+(?:(?P<title>.+) \((?P<path>[^()]+)\)|(?P<path_first>.+?) · (?P<title_last>.+?))"
    r" · (?P<count>[\d,]+) passages?\b.*$"
)
_LONGEST_SHOWN = 4000
_EXCERPT = 240
_RECAP = 6
_TITLE = 70
_MOSTLY, _NEAR = 0.6, 0.3
_ANY_HEADING = re.compile(
    r"^(?:v?\d[\d.]*\b.*|about|abstract|installation|install|installing|introduction|overview|features?|usage|description"
    r"|documentation|readme|sponsors?|quick ?start|getting started|code of conduct|quick links?|links?|compatibility"
    r"|contents|table of contents|changelog|changes|summary|background|license|requirements|who is using .*"
    r"|welcome.*|notes?|untitled.*|index|home|preface)\W*$",
    re.IGNORECASE,
)
_ABILITIES = (
    ("search_sources", "answer questions from your documents with citations, compare them and write a cited synthesis"),
    ("remember", "remember and recall facts"),
    ("sql", "run SQL"),
    ("python", "run Python code you give me"),
    ("read_file", "read files"),
)


_TABLE = re.compile(r"[^|\n]*\n\n?(\|[^\n]*\|\n?)+")
"""A line that says how much there is, then a Markdown table: it is shown as a table."""


def shown(wish: Wish, result: ToolResult, *, alone: bool) -> str:
    """A tool's result as it is, in a form that Markdown leaves alone; passages as quotes with their marks."""
    if result.status != "ok":
        return failed(wish.name, result)
    passages = read_passages(result.text)
    if passages:
        body = "\n\n".join(_quote(passage) for passage in passages)
    else:
        text = result.text.strip() or "(no output)"
        text = f"{text[:_LONGEST_SHOWN]}\n..." if len(text) > _LONGEST_SHOWN else text
        plain = "\n" not in text and not text.startswith(("#", "|"))
        body = text if plain or _TABLE.fullmatch(text) else _fenced(text)
    return body if alone else f"`{wish.name}`:\n\n{body}"


def failed(name: str, result: ToolResult) -> str:
    """One line on a call that gave no result."""
    reason = " ".join(result.text.split())[:300].rstrip(".") or "no reason given"
    word = {"denied": "was not allowed", "interrupted": "was interrupted", "in_doubt": "is in doubt"}
    return f"`{name}` {word.get(result.status, 'failed')}: {reason}."


def missing(name: str, tools: Iterable[str]) -> str:
    """One line on a tool that would be needed."""
    offered = names(tools)
    return f"This needs the tool `{name}`, which is not offered here." + (f" Offered are {offered}." if offered else "")


def names(tools: Iterable[str]) -> str:
    """Tool names as a list in a sentence."""
    return ", ".join(f"`{name}`" for name in sorted(tools))


def abilities(tools: Mapping[str, object]) -> str:
    """What can be done with the tools at hand."""
    can = [text for name, text in _ABILITIES if name in tools]
    if not can:
        return "Without tools there is nothing I can look up."
    last = f"{', '.join(can[:-1])} and {can[-1]}" if len(can) > 1 else can[0]
    return f"I can {last}; a line like `tool(argument=1)` calls any tool."


def source_list(text: str) -> str:
    """The lines of `list_sources` as a Markdown table, or "" where they have another form."""
    rows = [match for line in text.splitlines() if (match := _SOURCE.match(line.strip()))]
    if not rows:
        return ""
    lines = [
        f"| {each['mark']} | {cell(each['title'] or each['title_last'])} | `{each['path'] or each['path_first']}` "
        f"| {each['count']} |"
        for each in rows
    ]
    head = f"{len(rows)} documents can be cited.\n\n| | title | file | passages |\n|---|---|---|---|"
    return "\n".join([head, *lines])


def memory_list(known: Sequence[re.Match[str]]) -> str:
    """Recalled memories as a list, each with its number, date and citation."""
    return "\n".join(f"- {memory_line(each)}" for each in known)


def memory_line(each: re.Match[str]) -> str:
    """``M4 (2026-11-20, S3.7): fact`` -> the fact with its citation, its number and its date."""
    mark = _MARK.search(each[3])
    date = each[3].split(",")[0].strip()
    when = f", {date}" if date and not _MARK.fullmatch(date) else ""
    return f"{each[4]}{f' [{mark[0]}]' if mark else ''} ({each[1]}{when})"


def recap(earlier: Sequence[tuple[str, str]], known: Sequence[re.Match[str]], about: frozenset[str]) -> str:
    """What was found so far (about some terms): memories, then cited sentences of earlier answers, by prompt; or ""."""
    told = {text: labels for _, answer in earlier for text, labels, _ in _cited(answer)}
    kept = [each for each in known if _concerns(f"{each[4]} {told.get(each[4], '')}", about)]
    sections = [f"**Kept in memory**\n\n{memory_list(kept)}"] if kept else []
    seen = {each[4].strip() for each in known}
    for prompt, answer in earlier:
        lines = []
        for text, label, mark in _cited(answer if about else _essence(answer)):
            if text not in seen and _concerns(f"{text} {label}", about):
                seen.add(text)
                lines.append(f"- {text} [{mark}]")
        if lines:
            sections.append(f"**{' '.join(prompt.split())[:120]}**\n\n" + "\n".join(lines[:_RECAP]))
    return "\n\n".join(sections)


def _concerns(text: str, about: frozenset[str]) -> bool:
    return not about or len(about & term_set(text)) >= _MOSTLY * len(about)


def _cited(answer: str) -> list[tuple[str, str, str]]:
    """(sentence, the labels it stands under, mark) of what an answer cites; nothing of an abstention."""
    if "sources do not answer" in answer or "**Kept in memory**" in answer:
        return []
    found = []
    for section in re.split(r"^(?=## )", answer, flags=re.MULTILINE):
        title = section.partition("\n")[0] if section.startswith("## ") else ""
        for line in section.splitlines():
            label = re.match(r"- \*\*(.+?):\*\*", line)
            body = re.sub(r"^- (?:\*\*.+?:\*\* |\*[^*]+\*: )?", "", line)
            name = label[1] if label else title.strip("# ")
            found += [(text.strip(), name, mark) for text, mark in _CITED.findall(body)]
    return found


def _essence(answer: str) -> str:
    """The part of an answer that a recap repeats: its lead."""
    lead = re.search(r"^## In short\n(.*?)(?=^## |\Z)", answer, re.DOTALL | re.MULTILINE)
    return lead[1] if lead else answer


def from_memory(task: Task, memories: Sequence[str], said: str = "") -> str:
    """Recalled facts that meet the question and are not in ``said`` already, or ""."""
    wanted = {stem(word) for question in task.questions for word in subject(question.text)}
    least = max(1 if len(wanted) == 1 else 2, 0.6 * len(wanted))  # one shared word of several is chance
    close = [line for line in memories if wanted and not task.thorough and len(wanted & term_set(line)) >= least]
    fresh = [line for line in close if not any(alike_texts(_fact(line), each) for each in said.split("]"))]
    return "\n".join(f"- {_memory_text(line)}" for line in fresh[:4])


def nearest(hits: Sequence[Hit], asked: frozenset[str]) -> str:
    """Passages that share two telling words with what was asked, as a list; or ""."""
    close: dict[int, Hit] = {}
    for hit in sorted(hits, key=lambda each: -each.coverage):
        if len(hit.candidate.terms & asked) >= 2 and hit.coverage >= _NEAR:  # noqa: PLR2004 (one word is chance)
            close.setdefault(hit.candidate.passage.document, hit)
    return "\n".join(
        f"- {excerpt(each.candidate.text)} [{each.candidate.passage.mark}]" for each in list(close.values())[:3]
    )


def documents_in(listing: str) -> list[Passage]:
    """The documents in the text of `list_sources`, each as a passage without text."""
    rows = [match for line in listing.splitlines() if (match := _SOURCE.match(line.strip()))]
    found = []
    for row in rows:
        title, path = row["title"] or row["title_last"], row["path"] or row["path_first"]
        found.append(Passage(int(row["mark"][1:]), 1, titled_name(title, path), path, "", 0, 0))
    return found


def titles_in(listing: str) -> list[str]:
    """The documents' names in the text of `list_sources`."""
    return [each.title for each in documents_in(listing)]


def titled(titles: Sequence[str], most: int) -> str:
    """``The 14 sources are about other things, such as ...``: some titles, taken evenly from all."""
    if not titles:
        return ""
    names = list(dict.fromkeys(titles))
    step = max(1, len(names) // most)
    some = names[::step][:most]
    count = f"The {len(titles)} documents" if len(titles) > 1 else "The only document"
    listed = "; ".join(f"*{name}*" for name in some)
    verb = "are" if len(titles) > 1 else "is"
    return f"{count} {verb} about{':' if len(some) == len(names) else ' such things as'} {listed}."


def titled_name(title: str, path: str) -> str:
    """What a document is called: its title up to the colon, or its file's name where the title is any heading."""
    name = re.split(r":\s|\s[-–—]{1,2}\s", " ".join(title.replace("*", "").split()), maxsplit=1)[0].strip()
    stem_of_file = re.sub(r"\.\w+$", "", path.rsplit("/", 1)[-1])
    if not name or _ANY_HEADING.match(name) or not name[0].isalnum():
        return stem_of_file
    return name if len(name) <= _TITLE else name[:_TITLE].rsplit(" ", 1)[0] + " ..."


def from_attachments(task: Task, attachments: Mapping[str, str]) -> str:
    """The answer out of what was handed over with ``@name`` or ``@file:``, or "" where that does not answer it."""
    if not attachments:
        return ""
    answers = []
    for question in task.questions:
        passages = [Passage(0, 0, name, name, "", 0, 0, text) for name, text in attachments.items()]
        hits = choose(Evidence(passages).rank(question.text), 3, per_document=3)
        if hits:
            answers.append(" ".join(f"{hit.candidate.text} (`@{hit.candidate.passage.path}`)" for hit in hits))
            continue
        lines = _matching_lines(question.text, attachments)
        answers += [lines] if lines else []
    if answers:
        return "\n\n".join(dict.fromkeys(answers))
    named = [name for name in attachments if f"@{name}" in task.topic or name.lower() in task.topic.lower()]
    whole = [f"`@{name}`:\n\n{_fenced(attachments[name][:_LONGEST_SHOWN])}" for name in named]
    return "\n\n".join([*whole, HONEST]) if whole else ""


def cell(text: str) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(re.sub(r"[#>*|`_]+", " ", text).split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT].rsplit(" ", 1)[0] + " ..."


def _matching_lines(question: str, attachments: Mapping[str, str]) -> str:
    """Lines of tables and listings that hold most of the question's words."""
    aside = {stem(word) for name in attachments for word in subject(name)}
    wanted = {stem(word) for word in subject(question)} - aside
    if not wanted:
        return ""
    found = [
        f"{line.strip()} (`@{name}`)"
        for name, text in attachments.items()
        for line in text.splitlines()
        if len(wanted & term_set(line)) >= max(1, ENOUGH * len(wanted))
    ]
    return "\n".join(f"- {line}" for line in found[:4])


def _fact(line: str) -> str:
    return re.sub(r"^M\d+ \([^)]*\): ", "", line)


def _memory_text(line: str) -> str:
    match = re.match(r"^(M(\d+)) \(([^)]*)\): (.+)$", line)
    return memory_line(match) if match else line


def _quote(passage: Passage) -> str:
    where = f"{passage.path} · {passage.place}" if passage.place else passage.path
    return f"**{passage.title}** ({where}) [{passage.mark}]\n\n> {excerpt(passage.text)}"


def _fenced(text: str) -> str:
    ticks = max((len(run) for run in re.findall(r"`{3,}", text)), default=2) + 1
    return f"{'`' * ticks}text\n{text}\n{'`' * ticks}"
