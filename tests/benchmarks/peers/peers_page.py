"""docs/peers.md: the table, what was done to whom, and what the columns mean."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contenders import Contender
from judging import Verdict
from peers_picture import draw
from supervising import PLACES

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "peers.md"
PICTURE = DOCS / "images" / "peers.svg"

_TEMPLATE = """\
# The same workflow, killed, on statebook and its peers

Written by `python tests/benchmarks/peers/run.py`; do not edit. It installs each system in an environment of its own,
from pinned versions, takes at most six minutes after that, prints this table, and keeps the raw results in
`tests/benchmarks/peers/results.json`.

![What became of each killed workflow](images/peers.svg)

Measured on {date}: {system} {machine}, Python {python}, {cores} cores.

{table}

- **went on**: workflows that came to their answer after the death, of all that were killed.
- **lost steps**: results that the model had been shown before the death, and that the conversation no longer held
  after it.
- **silent duplicates**: letters sent again without a word to anybody. In brackets: of those, how many carried the key
  of the first, so that a service which keeps such keys would send one letter; and how many repeat a call that was
  finished, its result shown to the model. The rest were in doubt: begun, and not known to have ended.
- **duplicates after a yes**: sent again after a person was asked whether the letter may be sent. The question did not
  say that it may have been sent before; who looks outside before each yes can stop them.
- **paid twice**: requests to the model that it had answered before the death, where the process was acting on the
  answer.
- **asked**: questions "did it happen?" after the death; in brackets those that could have been known without asking.
  And questions "may it run?", over the whole workflow.
{left_out}
## What was done

A model on 127.0.0.1, which speaks Chat Completions and Responses, wants an address looked up, then two letters sent
at once, then a third, then says that all are sent. What it wants follows from the results that it is shown; like the
real API it refuses a conversation in which a call has no output. Each letter is one line in a ledger outside, written
with one system call, with the key that the system hands its tool. A supervisor kills the process with SIGKILL at one
of these places, then resumes it as the system's documentation says, up to three times, in a new process:

{places}

"Just returned" is a kill up to {longest:.0f} ms after the tool's return, or when the next model request arrives,
whichever comes first: a death around the moment at which the result is recorded. Each process is forked from one that
has only imported the system. All is judged from outside: by the ledger, by the requests that reach the model, and by
the questions that reach the person. Asked whether a letter was sent, the person looks into the ledger and says so;
asked whether it may be sent, the person says yes.

## Who took part, and how it was set up

Each with its most durable documented setting, and resumed as its documentation says. Where it hands a tool something
that tells this call from any other, that is the key.

{systems}

Not here: systems that need a server of their own (Temporal, Restate, Dapr, Prefect), those whose documentation does
not speak of going on after a process died, and packages in their first releases, of which some promise never to
repeat a call that writes. No tool here could be asked whether it acted: with a `verify` function statebook asks that
instead of the person, and a call of effect `idempotent` is made again under the same key without a question.

## What it shows, and what not

A call that was begun when its process died may have acted or not. To repeat it (at least once) and never to repeat it
(at most once) are both guesses; which is right no journal can know. Systems that repeat it rely on the tool to bear
that, and most say so in their documentation: their duplicates here are what they promise, and a service that honours
the key makes them harmless. statebook asks where a tool is not known to bear it; that costs a question also where the
letter turns out not to have been sent ("before the act"). These are {count} deaths at chosen places, {each} for each
system, with one process and SQLite or DuckDB on one disk; they say nothing of speed, of clusters, or of power cuts
([docs/reliability.md](reliability.md) has those for statebook).
"""


@dataclass(frozen=True)
class Outcome:
    """One killed workflow: whose, where (a key of `PLACES`), and what became of it."""

    system: str
    place: str
    delay: float
    verdict: Verdict
    ledger: list[dict[str, Any]]
    questions: list[dict[str, Any]]


def headings() -> tuple[str, ...]:
    """The table's first line."""
    return (
        "system",
        "versions",
        "went on",
        "lost steps",
        "silent duplicates",
        "duplicates after a yes",
        "paid twice",
        "asked: did it happen?",
        "asked: may it run?",
    )


def row(contender: Contender, outcomes: Sequence[Outcome]) -> list[str]:
    """One system's line."""
    own = [outcome.verdict for outcome in outcomes if outcome.system == contender.key]

    def total(name: str) -> int:
        return sum(getattr(verdict, name) for verdict in own)

    silent = str(total("silent"))
    if total("silent"):
        silent += f" ({total('same_key')} same key, {total('finished')} finished)"
    doubts = str(total("in_doubt"))
    if total("in_doubt"):
        doubts += f" ({total('needless')} needless)"
    return [
        contender.name,
        contender.versions,
        f"{total('finished_at_all')} of {len(own)}",
        str(total("lost")),
        silent,
        str(total("approved")),
        str(total("paid_twice")),
        doubts,
        str(total("approvals")),
    ]


def write_page(contenders: Sequence[Contender], outcomes: Sequence[Outcome], skipped: dict[Contender, str]) -> None:
    """Replace the page and its picture."""
    lines = [list(headings()), ["---"] * len(headings()), *(row(each, outcomes) for each in contenders)]
    left_out = "".join(
        f"\n{each.name} was left out: it could not be installed ({why}).\n" for each, why in skipped.items()
    )
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "count": len(outcomes),
        "each": len(outcomes) // len(contenders),
        "longest": max((outcome.delay for outcome in outcomes), default=0) * 1000,
    }
    page = _TEMPLATE.format(
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        places="\n".join(f"- {place.name} ({_at(place.signal, place.at)})" for place in PLACES),
        systems="\n".join(f"- **{each.name}** ({each.versions}). {each.settings}" for each in contenders),
        left_out=left_out,
        **facts,
    )
    PAGE.write_text(page, encoding="utf-8")
    kinds = {
        (each.key, place.key): [o.verdict.kind for o in outcomes if (o.system, o.place) == (each.key, place.key)]
        for each in contenders
        for place in PLACES
    }
    PICTURE.write_text(draw(contenders, PLACES, kinds), encoding="utf-8")


def _at(signal: str, at: str) -> str:
    wanting = {"third": "for the third letter", "answer": "for the answer"}
    return f"the request {wanting[at]}" if signal in {"request", "answering"} else f"the {at} letter"
