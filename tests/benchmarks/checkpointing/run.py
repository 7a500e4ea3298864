"""Runs the same cells with statebook, Kishu, dill and cloudpickle after each cell, and prints what each added and kept.

python tests/benchmarks/checkpointing/run.py                    all, in full; installs peers first, then some minutes
python tests/benchmarks/checkpointing/run.py --only frame small      only these; the page stays as it is
python tests/benchmarks/checkpointing/run.py --quick            small sizes, nothing written

Needs a package registry the first time, and git for the files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "peers"))

from cost_page import Contender, Taken, table, write_page  # noqa: E402 - the path is set first
from environments import interpreter  # noqa: E402 - from the peers' folder
from scenarios import FULL, QUICK, Scenario, Size, scenarios  # noqa: E402 - the path is set first

CONTENDERS = (
    Contender("statebook", "statebook", "statebook_cells", ""),
    Contender("kishu", "Kishu", "kishu_cells", "kishu"),
    Contender("dill", "dill", "pickled", "pickles"),
    Contender("cloudpickle", "cloudpickle", "pickled", "pickles"),
)
BARE = Contender("bare", "no checkpointer", "bare", "")
FILES = (Contender("statebook", "statebook", "files", ""), Contender("git", "a shadow git", "files", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [each.key for each in scenarios(FULL)]
    parser.add_argument("--only", nargs="+", choices=[*keys, "files"], default=[*keys, "files"], metavar="SCENARIO")
    parser.add_argument("--with", nargs="+", dest="peers", choices=[each.key for each in CONTENDERS], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--seconds", type=float, default=120, help="after these, each change is measured once")
    parser.add_argument("--json", type=Path, help="where raw results go (default: beside this file, for a whole run)")
    shared = Path(tempfile.gettempdir()) / "statebook-peers"
    parser.add_argument("--environments", type=Path, default=shared, help="where peers are installed (%(default)s)")
    flags = parser.parse_args()
    size = QUICK if flags.quick else FULL
    wanted = [each for each in CONTENDERS if flags.peers is None or each.key in flags.peers]
    pythons, skipped = _install(wanted, flags.environments)
    results: list[Taken] = []
    for scenario in (each for each in scenarios(size) if each.key in flags.only):
        bare = _play(BARE, Path(sys.executable), scenario, size, flags.seconds)
        for contender, python in pythons.items():
            _say(f"{scenario.name}: {contender.name}")
            results.append(_taken(contender, scenario, bare, _play(contender, python, scenario, size, flags.seconds)))
    if "files" in flags.only:
        results += [_files(contender, size) for contender in FILES if contender.key != "git" or shutil.which("git")]
    for line in table(results):
        print(" | ".join(line))
    for name, why in skipped.items():
        print(f"{name}: left out, as it can't be installed here ({why})")
    whole = not flags.quick and flags.peers is None and set(flags.only) == {*keys, "files"}
    target = flags.json or (HERE / "results.json" if whole else None)
    if target:
        lines = [json.dumps(asdict(result), sort_keys=True) for result in results]
        target.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    if whole:
        write_page(results, skipped)


def _install(wanted: list[Contender], folder: Path) -> tuple[dict[Contender, Path], dict[str, str]]:
    """The interpreter of each contender that can be installed, and why the others can't."""
    pythons: dict[Contender, Path] = {}
    skipped: dict[str, str] = {}
    for contender in wanted:
        if not contender.requirements:
            pythons[contender] = Path(sys.executable)
            continue
        try:
            pythons[contender] = interpreter(contender.pins, folder)
        except RuntimeError as error:
            skipped[contender.name] = str(error)
    return pythons, skipped


def _play(contender: Contender, python: Path, scenario: Scenario, size: Size, seconds: float) -> dict[str, Any]:
    """What the adapter says: of the cells, and of a restore in a new process; ``failed`` where it could not."""
    with tempfile.TemporaryDirectory(prefix="statebook-checkpointing-") as folder:
        adapter = [str(python), str(HERE / "adapters" / f"{contender.adapter}.py")]
        given = [folder, scenario.key, json.dumps(asdict(size)), str(seconds)]
        played = _child([*adapter, "play", *given], contender.key)
        if scenario.fresh and contender is not BARE and "failed" not in played:
            fresh = _child([*adapter, "fresh", *given, played["point"]], contender.key)
            if fresh.get("value") == played["value"]:
                played["fresh"] = fresh["ms"]
    return played


def _child(command: list[str], pickler: str) -> dict[str, Any]:
    environment = {**os.environ, "PICKLER": pickler}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return {"failed": "not done within 15 minutes"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["it ended"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _taken(contender: Contender, scenario: Scenario, bare: dict[str, Any], played: dict[str, Any]) -> Taken:
    """Milliseconds beyond those of the bare cells."""
    if "failed" in played or "failed" in bare:
        return Taken(contender.key, scenario.name, {}, {}, played.get("failed") or bare["failed"])
    added = {name: max(0.0, _median(times) - _median(bare["ms"][name])) for name, times in played["ms"].items()}
    kept = {name: _median(sizes) for name, sizes in played["bytes"].items()}
    if played["undo"]:
        added["undo of one column"] = _median(played["undo"])
    if "fresh" in played:
        added["restored into a new kernel"] = played["fresh"]
    return Taken(contender.key, scenario.name, added, kept)


def _files(contender: Contender, size: Size) -> Taken:
    name = f"{size.files:,} files, one of them with {size.big / 1e6:,.0f} MB"
    _say(f"{name}: {contender.name}")
    with tempfile.TemporaryDirectory(prefix="statebook-checkpointing-") as folder:
        command = [sys.executable, str(HERE / "adapters" / "files.py"), contender.key, folder]
        found = _child([*command, json.dumps(asdict(size))], "")
    if "failed" in found:
        return Taken(contender.key, name, {}, {}, found["failed"])
    pairs = (found["ms"], found["bytes"])
    added, kept = ({step: _median(values) for step, values in each.items()} for each in pairs)
    return Taken(contender.key, name, added, kept)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
