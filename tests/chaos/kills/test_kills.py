"""Real kernels, really killed, over both APIs: nothing lost, repeated or paid twice, and nothing asked in vain.

``STATEBOOK_KILLS`` sets how many kills there are in all, ``STATEBOOK_KILLS_SEED`` which.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .cells import BOASTFUL, CARELESS, FORGETFUL, MEDDLING, STUCK, WASTEFUL
from .instants import Instant
from .kernels import Zygote
from .life import KINDS, Life, Scenario
from .server import ModelServer

KILLS = int(os.environ.get("STATEBOOK_KILLS", "40"))
SEED = int(os.environ.get("STATEBOOK_KILLS_SEED") or random.randrange(10**6))
EACH, WORKERS = 5, 3
"""Kills per scenario, and scenarios at a time."""
ENOUGH = 50
"""Kills of one API among which everything that is counted is found, also where the machine is busy."""
PLACES = ("mid-stream", "in a tool", "between", "at a commit", "in a move")
COLUMNS = ("kills", *PLACES, "in doubt", "questions", "lost", "duplicates")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + 3 * KILLS),
    pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork"),
]


@pytest.fixture(scope="module")
def zygote():
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def folder():
    """The folder of scenarios; those in which a promise was broken are kept."""
    made = Path(tempfile.mkdtemp(prefix="kills-"))
    yield made
    if not any(made.iterdir()):
        made.rmdir()


@pytest.fixture
def server(request):
    made = ModelServer(request.param)
    yield made
    made.close()


def live(scenario, folder, server, zygote):
    """Live through a scenario; (its broken promises, counts). Its folder stays where promises were broken."""
    place = folder / f"s{scenario.number}"
    life = Life(scenario, place, server, zygote)
    try:
        broken, counts = life.live()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the folder it left
        broken, counts = [*life.broken, repr(error)], Counter()
    counts["locked"] = life.locked
    if not broken:
        shutil.rmtree(place)
    return [f"{place} (seed {scenario.seed}): {line}" for line in broken], counts


@pytest.mark.parametrize("server", ["responses", "chat"], indirect=True)
def test_no_kill_breaks_a_promise(folder, server, zygote, record_property):
    began, share = time.monotonic(), max(EACH, KILLS // 2)
    many = max(3, share // EACH)
    scenarios = [
        Scenario(number, SEED, share * (number + 1) // many - share * number // many, KINDS[number % len(KINDS)])
        for number in range(many)
    ]
    broken, total = [], Counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        for lines, counts in pool.map(lambda each: live(each, folder, server, zygote), scenarios):
            broken += lines
            total.update(counts)
    row = "  ".join(f"{name} {total[name]}" for name in COLUMNS)
    told = f"{server.api:9}  {row}  ({time.monotonic() - began:.0f} s, seed {SEED})"
    print(f"\n{told}")
    record_property("told at the end", told)
    assert broken == []
    assert server.wrong == []
    assert total["kills"] == share
    if share >= ENOUGH:  # else none of a kind need be among them
        assert total["drawn as done"] > 0
        assert total["locked"] > 0
        assert all(total[place] for place in PLACES)


@pytest.mark.parametrize("server", ["responses"], indirect=True)
@pytest.mark.parametrize(
    ("sabotage", "told", "instants"),
    [
        (FORGETFUL, "was done twice", [Instant("ledger", n, 0.0) for n in (1, 2, 3) * 4]),
        (MEDDLING, "settled without asking", [Instant("ledger", n, 0.0) for n in (1, 2, 3) * 4]),
        (CARELESS, "was done twice", [Instant("ledger", n, 0.0) for n in (1, 2, 3) * 4]),
        (BOASTFUL, "lost: ", [Instant("piece", 9, 0.02)] * 4),
        (WASTEFUL, "was paid again", [Instant("ledger", 1, 0.0)] * 4),
    ],
    ids=[
        "keeps no intents",
        "settles doubts itself",
        "takes a write for a read",
        "draws what is not on disk",
        "forgets answers",
    ],
)
def test_a_kernel_that_breaks_a_promise_is_found_out(tmp_path, server, zygote, *, sabotage, told, instants):
    scenario = Scenario(1, 1, len(instants), sabotage=sabotage, instants=tuple(instants))
    broken, _ = live(scenario, tmp_path, server, zygote)
    assert any(told in line for line in broken), broken


@pytest.mark.parametrize("server", ["responses"], indirect=True)
def test_a_kernel_that_leaves_a_move_in_its_middle_is_found_out(tmp_path, server, zygote):
    broken, _ = live(Scenario(1, 1, 1, kind="moving", sabotage=STUCK), tmp_path, server, zygote)
    assert any("a mix: " in line for line in broken), broken
