"""Every moment of every recorded life, and what a crash there may leave: the scenarios, and their judgement."""

import json
import random
from collections import Counter
from dataclasses import dataclass

from disk import FATES, Disk
from judge import PROMISES, lost, outcome

_IN_FOLDS = 2
"""Fates tried at a moment in a fold, beside the kill: there are many such moments, and they are much alike."""

BOUNDARIES = ("commit", "gap", "fold", "")
"""Just after a commit is on disk; between an act outside and the commit of its result; in a fold; anywhere else."""


@dataclass(frozen=True, slots=True)
class Moment:
    """After a request of a life that changed something; ``place`` counts from 1, 0 is before the first."""

    life: str
    place: int
    around: str
    """One of `BOUNDARIES`."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One crash: the moment, and what the disk and the world outside kept, as {name: bytes}."""

    moment: Moment
    fate: str
    state: dict[str, bytes]

    @property
    def name(self):
        """What the scenario is reproduced by."""
        return f"{self.moment.life}/{self.moment.place}/{self.fate}"


def moments(requests):
    """(moment, disk as it is then) for each request of each life that changed something."""
    disk, life, place = Disk(), "", 0
    for request in requests:
        changed = disk.take(request)
        if request.outside and request.name.endswith("/life") and request.what == "w":
            life, place = json.loads(request.data).get("begins", ""), 0
            disk.settle()
            if life:
                yield Moment(life, 0, ""), disk
        elif life and changed:
            place += 1
            yield Moment(life, place, _around(request, disk)), disk


def _around(request, disk):
    if request.outside:
        return "gap" if request.name.endswith("/ledger") else ""
    if request.what == "s" and request.name.endswith(".wal"):
        return "commit"
    return "fold" if disk.folding else ""


def scenarios(requests, seed):
    """All that differ at their moment."""
    for moment, disk in moments(requests):
        seen = set()
        choose = random.Random(f"{seed}/{moment.life}/{moment.place}")
        for fate in _fates(disk, choose):
            state = disk.after_crash(fate, random.Random(f"{seed}/{moment.life}/{moment.place}/{fate}"))
            key = key_of(state)
            if key not in seen:
                seen.add(key)
                yield Scenario(moment, fate, state)


def _fates(disk, choose):
    if disk.quiet:
        return FATES[:1]
    return (FATES[0], *choose.sample(FATES[1:], _IN_FOLDS)) if disk.folding else FATES


def key_of(state):
    """Equal for states that are equal byte for byte."""
    return hash(tuple(sorted(state.items())))


def lay_out(state, folder):
    """Make a folder hold what a crash left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.mkdir(exist_ok=True)
    for name, data in state.items():
        target = folder.joinpath(name.removeprefix(f"{folder}/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class Judge:
    """Judges scenarios in the folder where they were lived; what is equal byte for byte is gone on with once."""

    def __init__(self, folder):
        self._folder = folder
        self._known = {}
        self.total = Counter()

    def take(self, scenario):
        """The promises that a scenario broke."""
        promises, state = {}, {}
        for name, data in scenario.state.items():
            last = name.rpartition("/")[2]
            (promises if last in PROMISES else state)[last if last in PROMISES else name] = data
        state.pop(f"{self._folder}/life", None)
        key = key_of(state)
        if key not in self._known:
            lay_out(state, self._folder)
            self._known[key] = outcome(self._folder)
            self.total["states"] += 1
        found = self._known[key]
        broken = [*found.broken, *lost(found, promises)]
        self.total.update(found.counts, scenarios=1, broken=bool(broken), **{scenario.fate: 1})
        return broken
