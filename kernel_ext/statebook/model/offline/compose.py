"""Small texts of an answer: results shown, memories listed, what came with a prompt quoted, honest words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from statebook.model.extract.evidence import ENOUGH, Evidence, choose
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
_ABILITIES = (
    ("search_sources", "answer questions from your documents with citations, compare them and write a cited synthesis"),
    ("remember", "remember and recall facts"),
    ("sql", "run SQL"),
    ("python", "run Python code you give me"),
    ("read_file", "read files"),
)


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
        body = text if "\n" not in text and not text.startswith(("#", "|")) else _fenced(text)
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
    """What was found so far (about some terms): memories, then cited sentences of earlier answers, by prompt."""
    kept = {each[4].strip().rstrip(".") for each in known}
    sections = []
    seen: set[str] = set()
    for prompt, answer in earlier:
        lines = []
        for sentence, mark in _CITED.findall(_essence(answer)):
            text = re.sub(r"^[-\s]*\*?[^*]+\*: ", "", sentence).strip(" ->")
            if text not in seen and text.rstrip(".") not in kept and (not about or about & term_set(text)):
                seen.add(text)
                lines.append(f"- {text} [{mark}]")
        if lines:
            sections.append(f"**{' '.join(prompt.split())[:120]}**\n\n" + "\n".join(lines[:_RECAP]))
    if known:
        sections.insert(0, "**Kept in memory**\n\n" + memory_list(known))
    return "\n\n".join(sections) or "Nothing was found yet: this session has no cited answer and no memory."


def _essence(answer: str) -> str:
    """The part of an answer that a recap repeats: its lead, nothing of an abstention."""
    if "sources do not answer" in answer or "**Kept in memory**" in answer:
        return ""
    lead = re.search(r"^## In short\n(.*?)(?=^## |\Z)", answer, re.DOTALL | re.MULTILINE)
    return lead[1] if lead else answer


def from_memory(task: Task, memories: Sequence[str]) -> str:
    """Recalled facts that meet the question, or ""."""
    wanted = {stem(word) for question in task.questions for word in subject(question.text)}
    close = [line for line in memories if wanted and len(wanted & term_set(line)) >= max(1, 0.6 * len(wanted))]
    return "\n".join(f"- {_memory_text(line)}" for line in close[:4])


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


def _memory_text(line: str) -> str:
    match = re.match(r"^(M(\d+)) \(([^)]*)\): (.+)$", line)
    return memory_line(match) if match else line


def _quote(passage: Passage) -> str:
    where = f"{passage.path} · {passage.place}" if passage.place else passage.path
    return f"**{passage.title}** ({where}) [{passage.mark}]\n\n> {excerpt(passage.text)}"


def _fenced(text: str) -> str:
    ticks = max((len(run) for run in re.findall(r"`{3,}", text)), default=2) + 1
    return f"{'`' * ticks}text\n{text}\n{'`' * ticks}"
