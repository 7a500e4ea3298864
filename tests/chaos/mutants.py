"""Short lives of broken sessions, and what the judge says of their crashes.

``python mutants.py live FOLDER`` lives them, under the recorder. ``python mutants.py judge FOLDER RECORD`` prints, for
each of `broken.BREAKS`, how many crashes were judged and the first broken promises.
"""

import json
import random
import sys
from collections import defaultdict
from pathlib import Path

import simulated
from broken import BREAKS
from crash import Judge, scenarios
from disk import requests_of
from lives import begin, end
from statebook.protocol.approvals import Rule
from world import World

MOST = 50
"""Crashes of a life that are judged at most."""


def live(folder):
    """The same short life, with each promise broken."""
    for name, each in BREAKS.items():
        with each.made():
            begin(folder, name)
            world = World(folder)
            world.session.permissions.set(Rule("*", "allow"))
            world.ask("5 do look send tell put")
            world.close()
            end(folder)


def judge(folder, record):
    """Until a promise is found broken as it should be; the same crashes where nothing is broken."""
    lives = defaultdict(list)
    for request in requests_of(record):
        life = _begins(request) or (list(lives)[-1] if lives else "")
        lives[life].append(request)
    for name, each in BREAKS.items():
        with each.made():
            court, said = Judge(folder), []
            for scenario in _telling(lives[name]):
                said += court.take(scenario)
                if each.said and any(each.said in line for line in said):
                    break
        print(json.dumps({"name": name, "scenarios": court.total["scenarios"], "broken": said}), flush=True)


def _telling(requests):
    """A few dozen crashes: all those after an act, then any."""
    found = list(scenarios(requests, 1))
    random.Random(1).shuffle(found)
    return sorted(found, key=lambda scenario: scenario.moment.around != "gap")[:MOST]


def _begins(request):
    marks = request.outside and request.name.endswith("/life") and request.what == "w"
    return json.loads(request.data).get("begins", "") if marks else ""


if __name__ == "__main__":
    simulated.install()
    if sys.argv[1] == "live":
        live(Path(sys.argv[2]))
    else:
        judge(Path(sys.argv[2]), Path(sys.argv[3]))
