"""Kills one workflow at fixed places on statebook and its peers, resumes it, and prints one table of what became of it.

python tests/benchmarks/peers/run.py                       all; installs them first, then takes at most six minutes
python tests/benchmarks/peers/run.py statebook langgraph   only these; docs/peers.md stays as it is
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path

from contenders import CONTENDERS, HERE, Contender
from environments import interpreter
from judging import judge
from model_server import ModelServer
from peers_page import PICTURE, Outcome, headings, row, write_page
from supervising import PLACES, Peer, Place

AT_ONCE = 2
QUICK = ("before", "in-beside", "sent", "answering")
DELAYS = ((0.0, 0.005, 0.02, 0.08), (0.002, 0.01, 0.04, 0.12), (0.001, 0.003, 0.03, 0.06))
"""Seconds after the return, four for each round: a result is recorded somewhere in between."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [each.key for each in CONTENDERS]
    parser.add_argument("only", nargs="*", choices=[[], *keys], metavar="NAME", help=", ".join(keys))
    parser.add_argument("--rounds", type=int, default=3, help="times that each place is tried, at most (%(default)s)")
    parser.add_argument("--seconds", type=float, default=330, help="no death begins later than this (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="once, at four places")
    parser.add_argument("--json", type=Path, help="where raw results go (default: beside this file, for a whole run)")
    shared = Path(tempfile.gettempdir()) / "statebook-peers"
    parser.add_argument("--environments", type=Path, default=shared, help="where peers are installed (%(default)s)")
    flags = parser.parse_args()
    wanted = [each for each in CONTENDERS if not flags.only or each.key in flags.only]
    pythons, skipped = _install(wanted, flags.environments)
    rounds = [_places(number) for number in range(flags.rounds)]
    if flags.quick:
        rounds = [[place for place in PLACES if place.key in QUICK]]
    outcomes = _measure(pythons, rounds, flags.seconds)
    _print([row(each, outcomes) for each in pythons])
    for contender, why in skipped.items():
        print(f"{contender.name}: left out, as it can't be installed here ({why})")
    whole = not (flags.only or flags.quick)
    target = flags.json or (HERE / "results.json" if whole else None)
    if target:
        lines = [json.dumps(asdict(outcome), sort_keys=True) for outcome in outcomes]
        target.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    if whole:
        write_page(list(pythons), outcomes, skipped)
        print(f"docs/peers.md and {PICTURE.name} are written.")


def _install(wanted: Sequence[Contender], folder: Path) -> tuple[dict[Contender, Path], dict[Contender, str]]:
    """The interpreter of each contender that can be installed, and why the others can't."""
    pythons: dict[Contender, Path] = {}
    skipped: dict[Contender, str] = {}
    for contender in wanted:
        if not contender.requirements:
            pythons[contender] = Path(sys.executable)
            continue
        _say(f"{contender.name}: installing")
        try:
            pythons[contender] = interpreter(contender.pins, folder)
        except RuntimeError as error:
            skipped[contender] = str(error)
    return pythons, skipped


def _measure(pythons: dict[Contender, Path], rounds: Sequence[Sequence[Place]], seconds: float) -> list[Outcome]:
    server = ModelServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end = time.monotonic() + seconds
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="statebook-peers-") as place:
        folder = Path(place)
        peers = {contender: Peer(server, python, contender.script) for contender, python in pythons.items()}
        try:
            for number, places in enumerate(rounds):
                began = time.monotonic()
                with ThreadPoolExecutor(AT_ONCE) as pool:  # a peer's own deaths come one after another
                    work = [
                        pool.submit(_round, peer, contender, folder / f"{number}-{contender.key}", places, end)
                        for contender, peer in peers.items()
                    ]
                    for done in zip_longest(*(each.result() for each in work)):
                        outcomes += [outcome for outcome in done if outcome]
                if 2 * time.monotonic() - began > end:  # another round would not be over in time for all
                    break
        finally:
            for peer in peers.values():
                peer.close()
            server.shutdown()
    return outcomes


def _round(peer: Peer, contender: Contender, folder: Path, places: Sequence[Place], end: float) -> list[Outcome]:
    """One peer, once through all places; what there is time for."""
    outcomes = []
    for number, place in enumerate(places):
        if time.monotonic() > end:
            break
        workflow = peer.run(f"{folder.name}-{number}", folder / str(number), place)
        verdict = judge(workflow)
        seen = (verdict, workflow.ledger(), workflow.questions())
        outcomes.append(Outcome(contender.key, place.key, place.delay, *seen))
        _say(f"{contender.name}: {place.name}: {verdict.kind}")
    return outcomes


def _places(number: int) -> list[Place]:
    """All places; where the moment matters, once for each delay of this round."""
    places: list[Place] = []
    for place in PLACES:
        delays = DELAYS[number % len(DELAYS)] if place.signal == "returning" else (0.0,)
        places += [replace(place, delay=delay) for delay in delays]
    return places


def _print(rows: list[list[str]]) -> None:
    table = [list(headings()), *rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
