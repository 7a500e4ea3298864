"""What a crash did: nothing acknowledged lost, nothing silently done twice, questions only where nobody could know.

Going on after a crash depends on what the disk and the world outside kept. What had been promised until then is known
to nobody who goes on, only to the judge: so crashes that differ in nothing else share their going on, and each is held
to its own promises.
"""

import json
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

from actors import WRITES, orphans
from statebook.errors import StatebookError
from statebook.protocol.calls import AgentCall
from world import ENOUGH, World

PROMISES = ("acknowledged", "drawn")
"""The judge's own notes of the world outside."""

SECONDS = 60
"""How long going on may take, in real time; it takes a tenth of a second."""


@dataclass(slots=True)
class Outcome:
    """How it went on: what was broken by that alone, counts, and what is there in the end.

    ``entries`` are the digests of the journal's entries by store and position, ``texts`` those of the model steps by
    store, run and step.
    """

    broken: list[str] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    entries: dict[tuple[str, int], str] = field(default_factory=dict)
    texts: dict[tuple[str, int, int], str] = field(default_factory=dict)


def outcome(folder):
    """Go on after the crash until every run has its answer.

    The person is there and answers truthfully, so that every run can end.
    """
    found = Outcome()
    try:
        world = World(folder, stores_in(folder), steady=True)
    except StatebookError as error:
        found.broken.append(f"can't be opened: {error}")
        return found
    try:
        with _bounded():
            _go_on(world, found)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what a person would meet
        found.broken.append(f"breaks: {error!r}")
    finally:
        world.close()
    return found


def lost(found, promises):
    """What was promised before the crash (lines by file) and is not there in the end."""
    broken = []
    for line in _lines(promises.get("acknowledged")):
        if found.entries.get((line["store"], line["seq"])) != line["digest"]:
            broken.append(f"lost: entry {line['seq']} of {line['store']} was promised")
            break
    for line in _latest(_lines(promises.get("drawn"))):
        text = found.texts.get((line["store"], line["run"], line["step"]), "")
        if not text.startswith(line["text"]):
            broken.append(f"lost: r{line['run']}.{line['step']} had shown {line['text']!r}")
    return broken


def _lines(raw):
    return [json.loads(line) for line in (raw or b"").decode().splitlines()]


def _latest(lines):
    return {(line["store"], line["run"], line["step"]): line for line in lines}.values()


def stores_in(folder):
    """The names of the sessions in a folder."""
    found = {path.name.partition(".")[0] for path in folder.glob("*.statebook.duckdb*")}
    return sorted(found | {"test"}, reverse=True)


def _go_on(world, found):
    outside = world.outside
    before, asked_before = len(outside.read("ledger")), len(outside.read("asked"))
    doubtful, finished = set(), set()
    for name in world.sessions:
        world.turn(name)
        numbers = world.unfinished()
        calls = list(_calls(world))
        doubtful |= {call.key for call in calls if call.in_doubt and call.call.name in ("send", "post")}
        finished |= {call.key for call in calls if call.result is not None}
        for number in numbers:
            told = world.resume(number, ENOUGH)
            if isinstance(told, BaseException):
                found.broken.append(f"r{number} can't go on: {told!r}")
        _look(world, found)
        found.counts["resumed"] += len(numbers)
    asked = [line for line in outside.read("asked")[asked_before:] if line["kind"] == "in_doubt"]
    found.counts["questions"] += len(asked)
    found.counts["in doubt"] += len(doubtful)
    found.broken += [f"asked without need: {line}" for line in asked if line["key"] not in doubtful]
    found.broken += _twice(outside, before, finished)
    own = {name: (outside.folder / name).read_bytes() for name in PROMISES if (outside.folder / name).exists()}
    found.broken += lost(found, own)


def _look(world, found):
    """What is there in the end, and what is wrong with it."""
    if left := world.unfinished():
        found.broken.append(f"without an answer: {left}")
    found.broken += [f"damaged: {line}" for line in world.store.verify().damage]
    window = world.session.preview(AgentCall("ask: and now?", "and now?"))  # what a next cell would send
    found.broken += [f"history: {call}" for call in orphans(window.request.messages)]
    for seq, digest in world.store.database.rows("SELECT seq, digest FROM journal"):
        found.entries[world.name, seq] = bytes(digest).hex()
    for run in _runs(world):
        found.texts |= {(world.name, run.number, model.step): model.text for model in run.models}


def _runs(world):
    for (number,) in world.store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0"):
        yield world.session.run(number)


def _calls(world):
    for run in _runs(world):
        yield from run.calls


def _twice(outside, before, finished):
    """Acts that were repeated: a write under its key, or a call whose result was on disk already.

    A person who says "retry" of a call that has happened repeats it themselves.
    """
    acts = outside.read("ledger")
    knowing = Counter(line["key"] for line in outside.read("asked") if line["choice"] == "retry" and line["done"])
    acted = Counter((line["tool"], line["key"]) for line in acts if line["tool"] in WRITES)
    broken = [f"done twice: {tool} {key}" for (tool, key), count in acted.items() if count > 1 + knowing[key]]
    return broken + [f"done again after its result: {line}" for line in acts[before:] if line["key"] in finished]


class _Hangs(Exception):
    pass


@contextmanager
def _bounded():
    def ring(*_):
        raise _Hangs(f"not within {SECONDS} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
