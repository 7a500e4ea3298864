"""Crashes recorded lives at every moment, and looks whether what was promised can be read.

``python judging.py RECORDER FOLDER SEED COUNT [BROKEN]`` prints a JSON line per broken promise, and one with totals.
Wants tests/chaos and tests/store on the path.
"""

import gc
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import simulated
from crash import key_of, lay_out, moments
from disk import FATES, requests_of
from living import opened
from shelf import Rewriter, held, keep, read
from statebook.errors import StatebookError, StoreError
from statebook.store.upkeep.vacuum import perform, plan

HERE = Path(__file__).parent
LIVES = 6
"""Lives of a batch."""

_GO_ON = 3
"""One in so many states is gone on with."""

ABOUT = 1_500
"""Scenarios of a batch, all in all."""


def scenarios(record, seed, share):
    """(moment, fate, {name: bytes}) at a share of the moments: the kill, and two of the power cuts."""
    for moment, disk in moments(requests_of(record)):
        choose = random.Random(f"{seed}/{moment.life}/{moment.place}")
        if choose.random() > (share / 10 if disk.folding else share):  # what becomes of a fold is tried elsewhere
            continue
        fates = FATES[:1] if disk.quiet else (FATES[0], *choose.sample(FATES[1:], 2))
        for fate in fates:
            yield moment, fate, disk.after_crash(fate, random.Random(f"{seed}/{moment.life}/{moment.place}/{fate}"))


def promised(state, folder):
    """What was acknowledged: {name: content}, and the names that a vacuum was about to let go of."""
    lines = [json.loads(line) for line in state.get(f"{folder}/acknowledged", b"").splitlines()]
    let_go = {name for line in lines for name in line.get("let_go", ())}
    return {line["row"]: line["state"] for line in lines if "row" in line}, let_go


def broken_promises(state, folder, *, on):
    """Lay a state out, open it, and hold it to what was promised; then go on with it, if so."""
    kept, let_go = promised(state, folder)
    lay_out({name: data for name, data in state.items() if not name.endswith(("/acknowledged", "/life"))}, folder)
    path = folder / "book.statebook.duckdb"
    if not path.exists():
        return [f"nothing is there of {sorted(kept)}"] if kept else []
    try:
        store = opened(path)
    except StatebookError as error:
        return [f"can't be opened: {error}"]
    try:
        found = _broken(store, kept, let_go)
        return found or (_gone_on(store) if on else [])
    except (StatebookError, AssertionError) as error:
        return [f"breaks: {error!r}"]
    finally:
        store.close()


def _broken(store, kept, let_go):
    found = []
    named = [
        name
        for (body,) in store.database.rows("SELECT body FROM journal WHERE kind = 'checkpoint_made'")
        for name in (json.loads(body).get("snapshot"), json.loads(body).get("files"))
        if name
    ]
    found += [f"lost: {name}" for name in kept.keys() - set(named)]
    for name in named:
        try:
            read(store, name)
        except StoreError as error:
            if not (name in let_go and "was let go of" in str(error)):
                found.append(f"unreadable: {name}: {error}")
            continue
        if name in kept and {key: tuple(value) for key, value in kept[name].items()} != held(store, name):
            found.append(f"other content: {name}")
    return found + [f"verify: {line}" for line in store.verify().damage]


def _gone_on(store):
    """The next kernel takes a snapshot with all that there ever was, lets go of the rest, and can read it again."""
    names = [name for (name,) in store.database.rows("SELECT name FROM snapshots WHERE kept")]
    sound = {name: read(store, name) for name in names}
    state = {f"{name} {key}": data for name, each in sound.items() for key, data in each.items()} | {"new": b"new" * 99}
    row, _ = keep(store, state)
    planned = plan(store, keep=1, rewriter=Rewriter())
    perform(store, planned, rewriter=Rewriter())
    found = [] if read(store, row.name) == state else ["what was taken after the crash is other content"]
    gone = {each.name for each in planned.let_go}
    found += [f"vacuumed away: {name}" for name in sound if name not in gone and read(store, name) != sound[name]]
    return found + [f"verify, later: {line}" for line in store.verify().damage]


def judge(recorder, folder, seed, count, how=""):
    """Batches of lives until so many crashes are judged."""
    total, now = Counter(), folder / "now"
    while total["scenarios"] < count:
        record = folder / "record"
        environment = {"LD_PRELOAD": recorder, "DISK_RECORD": record, "DISK_FOLDER": now}
        now.mkdir(exist_ok=True)
        program = [sys.executable, HERE / "living.py", now, str(LIVES), str(seed), *([how] if how else [])]
        # without a timeout, which would be polled for in a world where waiting takes no time; our caller has one
        subprocess.run(program, env={**os.environ, **environment}, check=True, stdout=sys.stderr)
        known = set()
        for moment, fate, state in scenarios(record, seed, min(1, count / ABOUT)):
            key = key_of({name: data for name, data in state.items() if not name.endswith("/life")})
            total.update({"scenarios": 1, fate: 1, moment.around or "other": 1, "states": key not in known})
            if key not in known:
                known.add(key)
                for said in broken_promises(state, now, on=len(known) % _GO_ON == 0):
                    total["broken"] += 1
                    name = f"{seed}.{moment.life}/{moment.place}/{fate}"
                    print(json.dumps({"scenario": name, "broken": said}), flush=True)
        record.unlink()
        seed += 1
        if total["broken"]:
            break
    print(json.dumps({"total": total}))


def main(recorder, folder, seed, count, *how):
    simulated.install()
    gc.freeze()
    judge(recorder, Path(folder), int(seed), int(count), *how)


if __name__ == "__main__":
    main(*sys.argv[1:])
