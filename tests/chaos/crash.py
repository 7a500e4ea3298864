"""Crash recorded sessions: read a record, lay out what crashes at many of its moments leave, and judge each.

Run as a program, it prints one JSON line per broken promise and one with the counts:

- ``python crash.py judge RECORD FOLDER COUNT SEED [BEFORE]``: judge COUNT crashes of the sessions in FOLDER. BEFORE
  holds what lay in FOLDER when the record began.
- ``python crash.py lay RECORD FOLDER COUNT SEED TARGET``: lay out COUNT crashes below TARGET instead.
- ``python crash.py go FOLDER``: go on with all sessions in FOLDER, as after a crash.
"""

import json
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

from disk import Disk, requests_of
from judge import judge, lay_out

TRIES = 4
"""How often a moment is tried for a state that was not seen yet."""


def sessions_in(record, folder):
    """{name: requests} of the sessions, each in a folder of its own."""
    sessions = {}
    for request in requests_of(record):
        sessions.setdefault(Path(request.name).relative_to(folder).parts[0], []).append(request)
    return sessions


def crashes(record, folder, count, seed, before=None):
    """(session, moment, whether in a fold, {name: bytes}) of states that all differ."""
    choose = random.Random(seed)
    sessions = sessions_in(record, folder)
    for number, (name, requests) in enumerate(sessions.items()):
        share = count * (number + 1) // len(sessions) - count * number // len(sessions)
        yield from _crashes(name, requests, share, choose, _found(before, folder, name))


def _found(before, folder, name):
    if before is None:
        return {}
    found = (path for path in (before / name).rglob("*") if path.is_file())
    return {str(folder / path.relative_to(before)): path.read_bytes() for path in found}


def _crashes(name, requests, count, choose, found):
    moments = _moments(requests, count, choose, found)
    disk, seen = Disk(found), set()
    for moment in range(len(requests) + 1):
        for _ in range(moments[moment]):
            state = next((s for s in (disk.after_crash(choose) for _ in range(TRIES)) if _key(s) not in seen), None)
            if state is not None:
                seen.add(_key(state))
                yield name, moment, disk.folding, state
        if moment < len(requests):
            disk.take(requests[moment])


def _moments(requests, count, choose, found):
    """A third anywhere, a third in folds, which are short, a third just after something was done outside."""
    disk, folds, acts = Disk(found), [], []
    for moment, request in enumerate(requests, 1):
        disk.take(request)
        if disk.folding:
            folds.append(moment)
        if request.name.endswith("/ledger"):
            acts += [moment, min(moment + 1, len(requests))]
    anywhere = range(len(requests) + 1)
    kinds = (folds or anywhere, acts or anywhere, anywhere)
    return Counter(choose.choice(kinds[number % 3]) for number in range(count))


def _key(state):
    return hash(tuple(sorted(state.items())))


def judge_all(record, folder, count, seed, before=None):
    """Judge each crash in a folder that is used again; broken ones are kept beside it."""
    total = Counter()
    for name, moment, folding, state in crashes(record, folder, count, seed, before):
        place = folder.with_name(f"{folder.name}-crashed")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        lay_out(state, folder / name, place)
        broken, counts = judge(place)
        total.update(counts, scenarios=1, folds=int(folding), broken=len(broken))
        if broken:
            kept = folder.with_name(f"{folder.name}-broken-{name}-{moment}")
            kept.mkdir(exist_ok=True)
            lay_out(state, folder / name, kept)
            print(json.dumps({"session": name, "moment": moment, "kept": str(kept), "broken": broken}))
    print(json.dumps({"total": total}))


def main(what, *given):
    if what == "go":
        for place in sorted(Path(given[0]).iterdir()):
            judge(place)
        return
    record, folder, count, seed, *rest = given
    arguments = Path(record), Path(folder), int(count), int(seed)
    if what == "judge":
        judge_all(*arguments, *map(Path, rest))
        return
    for number, (name, _moment, _folding, state) in enumerate(crashes(*arguments)):
        lay_out(state, Path(folder) / name, Path(rest[0]) / f"s{number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
