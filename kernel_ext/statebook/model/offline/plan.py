"""The plan for a prompt: one short plan per intent, run in the prompt's order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from statebook.model.extract.words import subject, term_set

from . import compose
from .prompt import Intent, intents
from .research import research
from .turn import Batch, Plan, Turn, Wish

_MEMORY = re.compile(r"^(M(\d+)) \(([^)]*)\): (.+)$")
_NUMBERED = re.compile(r"^(?:memory\s+)?[Mm]?(\d+)$")


def plan(turn: Turn) -> Plan:
    """Everything a prompt asks for; returns the answer's Markdown."""
    texts: list[str] = []
    wanted = intents(turn.prompt, turn.tools)
    place = 0
    while place < len(wanted):
        intent = wanted[place]
        if intent.kind == "call":  # neighbouring calls may depend on each other, so each has its own batch
            assert intent.wish is not None
            results = yield Batch((intent.wish,))
            texts.append(compose.shown(intent.wish, results[0], alone=len(wanted) == 1))
        else:
            texts.append((yield from _PLANS[intent.kind](turn, intent)))
        place += 1
    return "\n\n".join(text for text in texts if text) or _about_me(turn)


def _unknown_tool(turn: Turn, intent: Intent) -> Plan:
    yield from ()
    near = difflib.get_close_matches(intent.text, turn.tools, n=1)
    advice = f"Did you mean `{near[0]}`?" if near else f"Offered are {compose.names(turn.tools)}."
    return f"No tool named `{intent.text}` is offered here. {advice}"


def _python(turn: Turn, intent: Intent) -> Plan:
    return (yield from _one(turn, "python", code=intent.text))


def _sql(turn: Turn, intent: Intent) -> Plan:
    return (yield from _one(turn, "sql", query=intent.text))


def _sources(turn: Turn, intent: Intent) -> Plan:  # noqa: ARG001 (all plans have one form)
    if not turn.offers("list_sources"):
        return compose.missing("list_sources", turn.tools)
    (result,) = yield Batch((Wish("list_sources"),))
    listed = compose.source_list(result.text)
    return listed or compose.shown(Wish("list_sources"), result, alone=True)


def _files(turn: Turn, intent: Intent) -> Plan:
    return (yield from _one(turn, "list_files", pattern=intent.text or "*"))


def _read_file(turn: Turn, intent: Intent) -> Plan:
    return (yield from _one(turn, "read_file", path=intent.text))


def _one(turn: Turn, name: str, **arguments: str) -> Plan:
    """One call, and its result as the answer."""
    if not turn.offers(name):
        return compose.missing(name, turn.tools)
    wish = turn.wish(name, **arguments)
    (result,) = yield Batch((wish,))
    return compose.shown(wish, result, alone=True)


def _remember(turn: Turn, intent: Intent) -> Plan:
    if not turn.offers("remember"):
        return compose.missing("remember", turn.tools)
    (result,) = yield Batch((turn.wish("remember", text=intent.text),))
    if result.status != "ok":
        return compose.failed("remember", result)
    return f"Remembered: {intent.text}"


def _forget(turn: Turn, intent: Intent) -> Plan:
    if not turn.offers("forget"):
        return compose.missing("forget", turn.tools)
    numbered = _NUMBERED.match(intent.text)
    if numbered:
        return (yield from _forget_one(int(numbered[1]), f"M{numbered[1]}"))
    if not turn.offers("recall"):
        return "Tell me which memory to forget by its number, as in `forget M4`."
    query = " ".join(subject(intent.text)) or intent.text
    (result,) = yield Batch((turn.wish("recall", query=query),))
    known = _memories(result.text)
    about = term_set(intent.text)
    known = [each for each in known if about & term_set(each[4])]
    # forgetting takes something away, so a guess must be a good one
    meant = [each for each in known if len(about & term_set(each[4])) > len(about) / 2]
    if len(meant) == 1:
        return (yield from _forget_one(int(meant[0][2]), meant[0][4]))
    if not known:
        return f"There is no memory about {intent.text}."
    return "Which one? Say `forget M4` with its number.\n\n" + compose.memory_list(meant or known)


def _forget_one(number: int, text: str) -> Plan:
    (result,) = yield Batch((Wish("forget", {"memory": number}),))
    return compose.failed("forget", result) if result.status != "ok" else f"Forgotten: {text}"


def _recall(turn: Turn, intent: Intent) -> Plan:
    if not turn.offers("recall"):
        return compose.missing("recall", turn.tools)
    (result,) = yield Batch((turn.wish("recall", query=" ".join(subject(intent.text))),))
    if result.status != "ok":
        return compose.failed("recall", result)
    known = _memories(result.text)
    said = _said(turn, intent.text)
    if not known and not said:
        return f"Nothing is remembered about {intent.text.strip() or 'anything yet'}."
    return "\n\n".join(part for part in (compose.memory_list(known), said) if part)


def _so_far(turn: Turn, intent: Intent) -> Plan:
    """A recap: what was kept, and the cited sentences of earlier answers; the sources where nothing was found yet."""
    known: list[re.Match[str]] = []
    about = list(subject(intent.text))
    if turn.offers("recall"):
        topic = about or [word for prompt, _ in turn.earlier for word in subject(prompt)]
        query = " ".join(dict.fromkeys(topic[-40:])) or "findings"
        (result,) = yield Batch((turn.wish("recall", query=query),))
        known = _memories(result.text) if result.status == "ok" else []
    found = compose.recap(turn.earlier, known, term_set(" ".join(about)))
    if found:
        return found
    if not about:
        return "Nothing was found yet: this session has no cited answer and no memory."
    if not turn.offers("search_sources"):
        return f"Nothing was found about {' '.join(about)} yet."
    answer = yield from research(turn, f"What do the sources say about {' '.join(about)}?")
    return f"Nothing was kept about this so far. From the sources:\n\n{answer}"


def _said(turn: Turn, about: str) -> str:
    """Earlier prompts that speak of something, quoted."""
    wanted = term_set(" ".join(subject(about)))
    lines = [f"> {' '.join(prompt.split())[:300]}" for prompt, _ in turn.earlier if wanted & term_set(prompt)]
    return "You wrote earlier:\n\n" + "\n>\n".join(lines[-3:]) if lines and wanted else ""


def _cannot(turn: Turn, intent: Intent) -> Plan:  # noqa: ARG001 (all plans have one form)
    yield from ()
    return f"That takes a model that writes and reasons. {compose.abilities(turn.tools)}\n\n{compose.HONEST}"


def _about_me_plan(turn: Turn, intent: Intent) -> Plan:  # noqa: ARG001 (all plans have one form)
    yield from ()
    return _about_me(turn)


def _about_me(turn: Turn) -> str:
    return f"I am the offline research assistant. {compose.abilities(turn.tools)}\n\n{compose.HONEST}"


def _research(turn: Turn, intent: Intent) -> Plan:
    return (yield from research(turn, intent.text))


def _memories(text: str) -> list[re.Match[str]]:
    return [match for line in text.splitlines() if (match := _MEMORY.match(line.strip(" -")))]


_PLANS: dict[str, Callable[[Turn, Intent], Plan]] = {
    "unknown_tool": _unknown_tool,
    "python": _python,
    "sql": _sql,
    "remember": _remember,
    "forget": _forget,
    "recall": _recall,
    "so_far": _so_far,
    "sources": _sources,
    "files": _files,
    "read_file": _read_file,
    "about_me": _about_me_plan,
    "cannot": _cannot,
    "research": _research,
}
