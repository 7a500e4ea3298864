"""Kills one workflow at fixed places on statebook and its peers, resumes it, and prints one table of what became of it.

python tests/benchmarks/peers/run.py                       all; installs them first, then takes at most six minutes
python tests/benchmarks/peers/run.py statebook langgraph   only these; docs/peers.md stays as it is

Needs a system that forks (Linux, macOS), and a package registry the first time.
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
from functools import partial
from pathlib import Path

from contenders import CONTENDERS, HERE, Contender
from environments import interpreter
from judging import judge
from model_server import ModelServer
from peers_page import PICTURE, Outcome, headings, row, write_page
from supervising import PLACES, Peer, Place

AT_ONCE = 4
"""Workflows at a time: they wait for disks, polls and the supervisor more than they compute."""

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
    turns = [place for number in range(flags.rounds) for place in _places(number)]
    if flags.quick:
        turns = [place for place in PLACES if place.key in QUICK]
    outcomes = _measure(pythons, turns, flags.seconds)
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


def _measure(pythons: dict[Contender, Path], turns: Sequence[Place], seconds: float) -> list[Outcome]:
    """Kill everybody once at each place of ``turns``, as far as there is time: all at the same places, as often."""
    server = ModelServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    began = time.monotonic()
    longest = 0.0
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="statebook-peers-") as folder:
        peers = {contender: Peer(server, python, contender.script) for contender, python in pythons.items()}
        try:
            for number, place in enumerate(turns):
                now = time.monotonic()
                if now - began + longest > seconds:
                    _say(f"The time is up: {len(turns) - number} of {len(turns)} turns were left out, for everybody.")
                    break
                turn = partial(_turn, Path(folder) / str(number), place)
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    outcomes += pool.map(turn, peers, peers.values())
                longest = max(longest, time.monotonic() - now)
        finally:
            for peer in peers.values():
                peer.close()
            server.shutdown()
    return outcomes


def _turn(folder: Path, place: Place, contender: Contender, peer: Peer) -> Outcome:
    workflow = peer.run(f"{folder.name}-{contender.key}", folder / contender.key, place)
    verdict = judge(workflow)
    _say(f"{contender.name}: {place.name}: {verdict.kind}")
    return Outcome(contender.key, place.key, place.delay, verdict, workflow.ledger(), workflow.questions())


def _places(number: int) -> list[Place]:
    """All places once; then, where the moment matters, again for each other delay of this round."""
    first, *others = DELAYS[number % len(DELAYS)]
    moments = [place for place in PLACES if place.signal == "returning"]
    return [replace(place, delay=first if place in moments else 0.0) for place in PLACES] + [
        replace(place, delay=delay) for delay in others for place in moments
    ]


def _print(rows: list[list[str]]) -> None:
    table = [list(headings()), *rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
