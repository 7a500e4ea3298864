"""The older part of a conversation in short: what `%agent compact` has summed up, and an outline made by rules.

Nothing is taken away by it: the runs stay in the journal, and a request that shows them in short says which they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from statebook.ids import run_name
from statebook.protocol.journal.events import ConversationCompacted
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import Message, assistant, user

from .tokens import estimate

OUTLINE = 3_000
"""Most tokens of an outline; a tenth of the room where that is less."""
_PROMPT = 140
_ANSWER = 420
_FACTS = 3
_FACT = 160

_SENTENCE = re.compile(r"\S.*?[.!?:](?:\s*\[S\d+\.\d+\])*(?=\s|$)|\S.+")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_RULED = re.compile(r"^\s*(?:#+\s.*|\|.*|[-=*]{3,})$", re.MULTILINE)

INSTRUCTION = """\
Sum up our conversation up to {last}, so that the work can go on from your text alone: the runs themselves will no \
longer be shown to you.

Keep, in this order:
1. what the person wants, and what they have decided or ruled out
2. what was found, each finding with its citation mark such as [S3.7] exactly as it stands, and exact figures and names
3. names of variables, files, tables and tools that matter, and what was done to them
4. what is still open

Write plain Markdown of at most 800 words. Leave out pleasantries and steps that led nowhere. Add nothing that was \
not said.
"""
"""What `%agent compact` asks the model; ``last`` is the newest run that is summed up."""


def leading(
    compacted: ConversationCompacted | None, outlined: Sequence[int], load: Callable[[int], Run], room: int
) -> list[Message]:
    """The messages in which the older part of a conversation is shown in short; none where all of it is shown whole.

    ``outlined`` are the runs, oldest first, that are neither compacted nor shown whole; ``room`` is the tokens that
    input may take.
    """
    parts, names = [], []
    if compacted is not None:
        names.append(f"up to {run_name(compacted.upto)}")
        parts.append(_clipped(compacted.text, room // 4))
    if outlined:
        names.append(span(outlined))
        parts.append(outline(outlined, load, outline_room(room)))
    if not parts:
        return []
    which = " and ".join(names)
    asked = f"[The older part of this conversation ({which}) follows in short; the notebook keeps it whole.]"
    return [user(asked), assistant("\n\n".join(parts))]


def span(numbers: Sequence[int]) -> str:
    """``r1 to r9``, for runs oldest first."""
    first, last = run_name(numbers[0]), run_name(numbers[-1])
    return first if first == last else f"{first} to {last}"


def outline_room(room: int) -> int:
    """Most tokens of an outline, where input may take ``room``."""
    return min(OUTLINE, room // 10)


def outline(numbers: Sequence[int], load: Callable[[int], Run], room: int = OUTLINE) -> str:
    """An outline of runs (numbers oldest first) in at most ``room`` tokens; the oldest leave when it is full."""
    entries: list[str] = []
    left = list(numbers)
    while left:
        entry = _entry(load(left[-1]))
        room -= estimate(entry)
        if room < 0 and entries:
            break
        entries.append(entry)
        left.pop()
    if left:
        entries.append(f"({len(left)} older run{'s' * (len(left) > 1)}, {span(left)}, not shown.)")
    return "\n\n".join(reversed(entries))


def _entry(run: Run) -> str:
    lines = [f"{run_name(run.number)} asked: {_words(run.started.prompt, _PROMPT)}"]
    so_far = _beginning(run.answer) if run.answer else ""
    if run.status == "done":
        lines.append(f"Answer: {so_far}")
    else:
        lines.append(f"No answer: {run.error or run.status}." + (f" So far: {so_far}" if so_far else ""))
    results = [(call, call.result) for call in run.calls if call.result is not None and call.result.status == "ok"]
    made = [(call.call.name, call.effect, result.text) for call, result in results]
    lines += [_words(text, _FACT) for name, _, text in made if name == "remember"][:_FACTS]
    if done := _tally(name for name, effect, _ in made if effect in ("write", "idempotent") and name != "remember"):
        lines.append(f"Did: {done}")
    return "\n".join(lines)


def _tally(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in Counter(names).items())


def _beginning(answer: str) -> str:
    """The first sentences of an answer with their citation marks; headings, tables and code are passed over."""
    prose = " ".join(_RULED.sub("", _FENCE.sub("", answer)).split())
    if not prose:
        return _words(answer, _ANSWER)
    taken = ""
    for match in _SENTENCE.finditer(prose):
        if taken and len(taken) + len(match[0]) > _ANSWER:
            break
        taken = f"{taken} {match[0]}".strip()
    return _words(taken, _ANSWER)


def _words(text: str, limit: int) -> str:
    """At most ``limit`` characters on one line, cut between words, so that no citation mark is halved."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    return f"{flat[:limit].rpartition(' ')[0] or flat[:limit]} …"


def _clipped(text: str, room: int) -> str:
    """A text that a larger model wrote, shortened for a smaller one's room."""
    if estimate(text) <= room:
        return text
    pieces, used = [], 0
    for line in text.splitlines():
        used += estimate(line) + 1
        if used > room:
            break
        pieces.append(line)
    return "\n".join([*pieces, "[The rest of this summary does not fit.]"])
