"""Crashes recorded lives at every moment of their moves, and looks whether all parts are as before or as after.

``python court.py RECORDER FOLDER SEED COUNT [FAULT]`` prints a JSON line per broken promise, and one with totals. Wants
tests/chaos on the path.
"""

import gc
import json
import os
import pickle
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import simulated
from book import WORK, Book, told
from crash import key_of, lay_out, moments
from disk import FATES, KILLS, requests_of
from faults import FAULTS, SOUND
from statebook.errors import StatebookError
from statebook.session.rewinding.move import redo

HERE = Path(__file__).parent
LIVES, AGAIN = 1, 3
"""Lives of a batch; how many crashes in their moves are gone on with, recorded and crashed again."""
SAMPLED = 0.3
"""Share of the moments of broken moves: the same fault shows at many."""
ELSEWHERE, FOLDS = 0.03, 0.06
"""Share of the moments that are crashed where nothing moves, and while a log is folded: others crash those."""
MEDDLED, UNDONE, VERIFIED = 0.15, 0.5, 0.25
"""Share of the crashes after which a file is changed by hand before the next kernel; the move is undone; all of the
store is verified."""
DRAFT = re.compile(r"(.*/)?\.[^/]*\.[0-9a-f]{8}\.part")
"""What `write_file` writes first, and renames."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One crash: its name, what was noted until then, and what the disk kept, as {name: bytes}."""

    name: str
    fate: str
    around: str
    lines: list[dict]
    state: dict[str, bytes]

    @property
    def life(self):
        """The recorded life that it is of."""
        return self.name.partition("/")[0]

    @property
    def moving(self):
        """Whether a move was at work."""
        return bool(self.lines) and self.lines[-1]["what"] == "moving"


@dataclass(slots=True)
class Found:
    """What a crash led to: broken promises, and which state it is."""

    broken: list[str] = field(default_factory=list)
    which: str = ""


def scenarios(requests, folder, seed, share=1.0, elsewhere=ELSEWHERE):
    """The crashes of a record that are judged: a share of those in moves, and one of those anywhere else."""
    lines, life = [], ""
    for moment, disk in moments(requests):
        raw = disk.world.get(f"{folder}/acknowledged", b"")
        lines = [json.loads(line) for line in raw.splitlines()] if moment.life != life or raw else []
        life = moment.life
        choose = random.Random(f"{seed}/{moment.life}/{moment.place}")
        moving = bool(lines) and lines[-1]["what"] == "moving"
        if choose.random() > (FOLDS if disk.folding else share if moving else elsewhere):
            continue
        seen = set()
        for fate in FATES[:1] if disk.quiet else FATES:
            name = f"{moment.life}/{moment.place}/{fate}"
            state = disk.after_crash(fate, random.Random(f"{seed}/{name}"))
            state = {each: data for each, data in state.items() if not each.endswith(("/acknowledged", "/life"))}
            key = key_of(state)
            if key not in seen:
                seen.add(key)
                yield Scenario(name, fate, moment.around, lines, state)


class Court:
    """Judges crashes; ``after`` are the states that moves led to where nothing crashed, by life and number."""

    def __init__(self, folder):
        self._folder = folder
        self._known = {}
        self.after = {}
        self.total = Counter()

    def learn(self, requests):
        """What moves lead to."""
        life = ""
        for request in requests:
            if request.outside and request.what == "w":
                line = json.loads(request.data)
                life = line.get("begins", life)
                if line.get("what") == "moved":
                    self.after[life, line["move"]] = line["state"]

    def take(self, scenario):
        """The promises that a crash broke."""
        key = hash((key_of(scenario.state), len(scenario.lines), scenario.life, scenario.fate in KILLS))
        if key not in self._known:
            self.total["states"] += 1
            try:
                self._known[key] = self._outcome(scenario)
            except (StatebookError, OSError, AssertionError) as error:
                self._known[key] = Found([f"breaks: {error!r}"])
        found = self._known[key]
        self.total.update({"scenarios": 1, scenario.fate: 1, scenario.around or "other": 1})
        self.total["in moves"] += scenario.moving
        self.total[found.which] += bool(found.which)
        self.total["broken"] += bool(found.broken)
        return found.broken

    def _outcome(self, scenario):
        dice = random.Random(scenario.name)
        lay_out(scenario.state, self._folder)
        if not any((self._folder / WORK).glob("*.duckdb")):
            return Found(["nothing is there"] if scenario.lines else [])
        edited = self._meddle(scenario, dice)
        book = Book(self._folder)
        try:
            book.bring_back()
            return self._compared(scenario, book, edited, dice)
        finally:
            book.close()

    def _meddle(self, scenario, dice):
        """In the middle of a move the person changes a file that it is about: {path: what they wrote}."""
        if not scenario.moving or dice.random() > MEDDLED:
            return {}
        old, new = self._sides(scenario)
        paths = sorted(
            path for path in {*old["files"], *new["files"]} if old["files"].get(path) != new["files"].get(path)
        )
        if not paths:
            return {}
        target, data = self._folder / WORK / (path := dice.choice(paths)), f"meanwhile {scenario.name}".encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.total["changed meanwhile"] += 1
        return {path: told(data)}

    def _sides(self, scenario):
        """The states before and after the move that was at work."""
        last = scenario.lines[-1]
        return last["state"], self.after.get((scenario.life, last["move"]), last["state"])

    def _compared(self, scenario, book, edited, dice):
        damage = book.store.verify().damage if dice.random() < VERIFIED else ()
        found = Found([f"damaged: {line}" for line in damage])
        left_over = [path.name for path in book.folder.rglob("*.statebook.part")]
        found.broken += [f"left over: {name}" for name in left_over]
        last = scenario.lines[-1] if scenario.lines else {"what": "acting"}
        if last["what"] == "acting":
            return found
        state, shaky = book.state(), set()
        if scenario.fate not in KILLS:  # what nobody asked the disk to keep may be gone, or be there again
            shaky = {*last["careless"], *filter(DRAFT.fullmatch, state["files"])}
        if not scenario.moving:
            found.broken += differences(last["state"], state, shaky, edited)
            return found
        old, new = self._sides(scenario)
        moved = {path for path in {*old["files"], *new["files"]} if old["files"].get(path) != new["files"].get(path)}
        told_old = min((differences(each, state, shaky, edited) for each in (old, old | last["kept"])), key=len)
        told_new = differences(new, state, shaky - moved, edited)
        found.which = "old" if not told_old else "new" if not told_new else "mixed"
        if found.which == "mixed":
            found.broken.append(f"a mix: not as before: {told_old}; nor as after: {told_new}")
        elif found.which == "new" and last["how"] != "redo" and not (shaky or edited) and dice.random() < UNDONE:
            self._undo(book, old, found)
        return found

    def _undo(self, book, old, found):
        """What was left can be returned to."""
        book.move(redo)
        self.total["undone"] += 1
        found.broken += [f"undone: {line}" for line in differences(old, book.state()) if "branch" not in line]


def differences(expected, state, shaky=(), edited=()):
    """How a state differs from what is expected, ``shaky`` files left out, ``edited`` ones as they were written."""
    found = [
        f"{part} {state[part]}, not {expected[part]}"
        for part in expected
        if part != "files" and state[part] != expected[part]
    ]
    here, there = state["files"], expected["files"] | dict(edited)
    return found + [
        f"files: {path} is {here.get(path)}, not {there.get(path)}"
        for path in sorted({*here, *there} - set(shaky))
        if here.get(path) != there.get(path)
    ]


class Lane:
    """Batches of lives in one folder, until enough crashes of them are judged."""

    def __init__(self, recorder, folder, fault):
        self._recorder, self._folder, self._fault = recorder, folder, fault
        self._now = folder / "now"
        self.total = Counter()

    def go(self, seed, count):
        """Judge at least that many; stop where a promise is broken."""
        while self.total["scenarios"] < count and not self.total["broken"]:
            court = Court(self._now)
            with FAULTS[self._fault].made():
                self._batch(court, seed)
            self.total.update(court.total)
            seed += 1

    def _batch(self, court, seed):
        record = self._record("going_back", LIVES, seed, self._fault)
        requests = list(requests_of(record))
        court.learn(requests)
        cut_off = self._judge(court, requests, seed, 1)
        if court.total["broken"] and self._fault != SOUND:
            return
        chosen = random.Random(seed).sample(cut_off, min(AGAIN, len(cut_off)))
        states = self._folder / "states"
        states.write_bytes(pickle.dumps(chosen))
        record.unlink()
        record = self._record("going_on", states, self._fault)
        self._judge(court, list(requests_of(record)), seed, 2)
        record.unlink()

    def _judge(self, court, requests, seed, generation):
        """Judge a record; crashes by a kill in the middle of a move that came to its end, as (name, files)."""
        found = []
        shares = (1.0, ELSEWHERE) if self._fault == SOUND else (SAMPLED, 0.0)
        for scenario in scenarios(requests, self._now, seed, *shares):
            before = court.total["new"]
            broken = court.take(scenario)
            court.total[f"of generation {generation}"] += 1
            if scenario.fate == "killed" and scenario.moving and court.total["new"] > before:
                noted = "".join(json.dumps(line) + "\n" for line in scenario.lines).encode()
                found.append((scenario.name, scenario.state | {f"{self._now}/acknowledged": noted}))
            for said in broken:
                print(json.dumps({"scenario": scenario.name, "broken": said}), flush=True)
            if broken and self._fault != SOUND:  # that is all that is wanted to know
                break
        return found

    def _record(self, program, *arguments):
        record = self._folder / "record"
        self._now.mkdir(exist_ok=True)
        environment = {"LD_PRELOAD": self._recorder, "DISK_RECORD": record, "DISK_FOLDER": self._now}
        command = [sys.executable, HERE / f"{program}.py", self._now, *map(str, arguments)]
        # without a timeout, which would be polled for in a world where waiting takes no time; our caller has one
        subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=sys.stderr, cwd=self._folder)
        return record


def main(recorder, folder, seed, count, fault=SOUND):
    simulated.install()
    gc.freeze()
    gc.set_threshold(50_000)
    lane = Lane(recorder, Path(folder), fault)
    lane.go(int(seed), int(count))
    print(json.dumps({"total": lane.total}))


if __name__ == "__main__":
    main(*sys.argv[1:])
