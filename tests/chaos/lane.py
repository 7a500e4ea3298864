"""One of the processes that crash lives: record some, judge every crash of them, crash the going on, and so forth.

``python lane.py RECORDER FOLDER SEED COUNT`` prints JSON lines: one per broken scenario, and one with the totals.
``python lane.py RECORDER FOLDER 0 0 SCENARIO`` judges the one of that name.
"""

import gc
import json
import os
import pickle
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import simulated
from crash import Judge, lay_out, moments, scenarios
from disk import requests_of

HERE = Path(__file__).parent
SMALL, LARGE = (2, 1, 1), (6, 5, 4)
"""Lives of a batch; how many of their crashes are gone on with, recorded and crashed again; and once more."""


class Lane:
    """Batches of lives in one folder, until enough crashes of them are judged."""

    def __init__(self, recorder, folder, only=""):
        self._recorder, self._folder, self._only = recorder, folder, only
        self._now = folder / "now"
        self.total = Counter()

    def go(self, seed, count):
        """Judge at least that many scenarios. Batches of an even seed are small."""
        while not self.total["batches"] or self.total["scenarios"] < count:
            self._batch(seed + 2 * self.total["batches"])
            self.total["batches"] += 1

    def _batch(self, seed):
        judge = Judge(self._now)
        lives, *again = LARGE if seed % 2 else SMALL
        record = self._record("workflows", lives, seed)
        for generation, wanted in enumerate((*again, 0), start=1):
            following = self._judge(judge, record, seed, wanted, generation)
            record.unlink()
            if not following:
                break
            states = self._folder / "states"
            states.write_bytes(pickle.dumps(following))
            record = self._record("going", states, seed)
        self.total.update(judge.total)

    def _record(self, program, *arguments):
        record = self._folder / "record"
        environment = {"LD_PRELOAD": self._recorder, "DISK_RECORD": record, "DISK_FOLDER": self._now}
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = self._folder / "hypothesis"
        command = [sys.executable, HERE / f"{program}.py", self._now, *map(str, arguments)]
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=sys.stderr)
        watchdog = threading.Timer(300, process.kill)  # a timeout of subprocess polls, and sleeping takes no time here
        watchdog.start()
        try:
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
        finally:
            watchdog.cancel()
        return record

    def _judge(self, judge, record, seed, wanted, generation):
        """Judge all scenarios of a record; those that are to be gone on with, as (name, state)."""
        requests = list(requests_of(record))
        every = {moment: None for moment, _ in moments(requests)}
        chosen = _chosen(list(every), seed, wanted)
        self.total.update(f"{moment.around or 'other'} all" for moment in every)
        self.total[f"lives {generation}"] += len({moment.life for moment in every})
        following, hit = [], set()
        for scenario in scenarios(requests, seed):
            if scenario.moment in chosen and scenario.fate == "killed":
                following.append((scenario.name, scenario.state))
            if self._only in ("", scenario.name):
                hit.add(scenario.moment)
                judge.total[f"scenarios {generation}"] += 1
                self._told(scenario, judge.take(scenario))
        self.total.update(f"{moment.around or 'other'} hit" for moment in hit)
        return following

    def _told(self, scenario, broken):
        if broken:
            kept = self._folder / f"broken-{self.total['kept']}"
            self.total["kept"] += 1
            lay_out({name.replace(str(self._now), str(kept)): data for name, data in scenario.state.items()}, kept)
            print(json.dumps({"scenario": scenario.name, "kept": str(kept), "broken": broken}), flush=True)


def _chosen(every, seed, wanted):
    """Moments whose crash is gone on with: most of them between an act and its result."""
    dice = random.Random(f"{seed}/{wanted}")
    gaps = [moment for moment in every if moment.around == "gap"] or every
    return {dice.choice(gaps if number % 3 else every) for number in range(wanted)}


def main(recorder, folder, seed, count, only=""):
    simulated.install()
    gc.freeze()
    gc.set_threshold(50_000)  # thousands of sessions come and go here, and each is small
    lane = Lane(recorder, Path(folder), only)
    lane.go(int(only.partition(".")[0] or seed), int(count))
    print(json.dumps({"total": lane.total}))


if __name__ == "__main__":
    main(*sys.argv[1:])
