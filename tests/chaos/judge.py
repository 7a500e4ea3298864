"""What a crash did: nothing acknowledged lost, nothing silently done twice, questions only where nobody could know."""

import json
from collections import Counter
from pathlib import Path

from statebook.errors import StatebookError
from statebook.protocol.calls import Limits
from world import World


def lay_out(state, old, new):
    """Write what a crash left (bytes by name below ``old``) into the folder ``new``."""
    for name, data in state.items():
        target = new / Path(name).relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def judge(folder):
    """Go on after the crash until every run has its answer; the list of broken promises, and counts of what happened.

    The person is there and answers truthfully, so that every run can end.
    """
    broken, counts = [], Counter()
    before = _outside(folder, "ledger")
    promised = max((line["seq"] for line in _outside(folder, "acknowledged")), default=0)
    try:
        world = World(folder, steady=True)
    except StatebookError as error:
        return [f"can't be opened: {error}"], counts
    try:
        broken += _gone_on(folder, world, before, promised, counts)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what a person would meet
        broken.append(f"breaks: {error!r}")
    finally:
        world.close()
    return broken, counts


def _gone_on(folder, world, before, promised, counts):
    broken = _whole(world.session.store, promised)
    doubtful = _doubtful(world)
    settled = _settled(world)
    asked_before = len(_outside(folder, "asked"))
    for number in world.unfinished():
        told = world.resume(number, Limits(200))
        if isinstance(told, Exception):
            broken.append(f"r{number} can't go on: {told}")
    asked = [line for line in _outside(folder, "asked")[asked_before:] if line["kind"] == "in_doubt"]
    counts["questions"] += len(asked)
    counts["in doubt"] += len(doubtful)
    broken += [f"asked without need: {line}" for line in asked if line["key"] not in doubtful]
    broken += _twice(folder, before, settled)
    broken += [] if world.session.store.verify().whole else ["damaged after going on"]
    return broken


def _outside(folder, name):
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _whole(store, promised):
    report = store.verify()
    broken = [] if report.whole else [f"damaged: {line}" for line in report.damage]
    if store.journal.last_seq < promised:
        broken.append(f"lost: entry {promised} was promised, the last is {store.journal.last_seq}")
    return broken


def _calls(world):
    for (number,) in world.session.store.database.rows("SELECT DISTINCT run FROM journal WHERE run > 0"):
        run = world.session.session.run(number)
        for call in run.calls:
            yield f"{world.session.store.session_id}:{number}.{call.step}", call


def _doubtful(world):
    """Keys of the writes whose intent is on disk, whose result is not, and that nothing but the person can tell."""
    return {key for key, call in _calls(world) if call.in_doubt and call.call.name == "send"}


def _settled(world):
    """Keys of the calls whose result is on disk."""
    return {key for key, call in _calls(world) if call.result is not None}


def _twice(folder, before, settled):
    """Acts that were repeated: a write under the same key, or a call whose result was on disk already."""
    after = _outside(folder, "ledger")
    acted = Counter((line["tool"], line["key"]) for line in after)
    broken = [f"done twice: {tool} {key}" for (tool, key), n in acted.items() if tool in ("send", "tell") and n > 1]
    again = [line for line in after[len(before) :] if line["key"] in settled]
    return broken + [f"done again after its result: {line}" for line in again]
