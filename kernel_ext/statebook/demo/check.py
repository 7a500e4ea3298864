"""What must hold after the demo, read from the store itself: nothing lost, nothing repeated, everything cited."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from statebook.ids import run_name
from statebook.protocol.journal.events import Entry, ModelRequested, ToolIntended
from statebook.protocol.journal.runs import Run
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Wreck:
    """What a killed kernel left of a run: its entries, the steps that were finished, the calls in doubt by step."""

    run: int
    entries: tuple[Entry, ...]
    finished: frozenset[int]
    in_doubt: frozenset[int]

    @property
    def told(self) -> str:
        """In words."""
        doubt = ", ".join(f"{run_name(self.run)}.{step}" for step in sorted(self.in_doubt))
        tail = f"; in doubt: {doubt}" if doubt else ""
        return f"{run_name(self.run)} is open with {_steps(len(self.finished))} finished{tail}"


def wreck(store_file: Path) -> Wreck | None:
    """The run that is open in a store whose kernel is dead; None when every run had ended."""
    store = Store(store_file, read_only=True)
    try:
        open_runs = store.open_runs()
        if not open_runs:
            return None
        number = open_runs[-1]
        entries = tuple(store.journal.entries_of_run(number))
        run = Run.fold(entries)
        doubt = frozenset(call.step for call in run.calls if call.in_doubt)
        return Wreck(number, entries, _finished(run), doubt)
    finally:
        store.close()


def faults(store_file: Path, left: Wreck, runs: int, ledger: Path) -> list[str]:
    """One line for each thing that does not hold; none when all does. ``runs`` is how many there should be."""
    store = Store(store_file)  # opened for writing, so that closing it leaves one whole file and no log beside it
    try:
        found = list(store.verify().damage)
        entries = store.journal.entries_of_run(left.run)
        run = Run.fold(entries)
        if tuple(entries[: len(left.entries)]) != left.entries:
            found.append(f"what the dead kernel had recorded of {run_name(left.run)} has changed")
        repeated = sorted(_begun(entries[len(left.entries) :]) & left.finished)
        found += [f"step {run_name(left.run)}.{step} was finished and was done again" for step in repeated]
        if run.status != "done":
            found.append(f"{run_name(left.run)} is {run.status}")
        if not run.cited and "sources do not answer" not in run.answer:
            found.append("the report cites nothing")
        if run.unknown:
            found.append(f"the report cites what nobody has shown: {', '.join(run.unknown)}")
        made = len(store.run_numbers())
        if made != runs:
            found.append(f"{made} runs are on the branch where {runs} cells have asked")
    finally:
        store.close()
    return found + _ledger_faults(ledger, left, run)


def _ledger_faults(ledger: Path, left: Wreck, run: Run) -> list[str]:
    """The tool's own ledger must agree: one line per call, and one more at most for a call that was in doubt."""
    if not ledger.exists():
        return []
    lines = Counter(line.split()[0] for line in ledger.read_text(encoding="utf-8").splitlines())
    found = []
    for call in run.calls:
        if call.call.name != "fingerprint":
            continue
        times = sum(count for key, count in lines.items() if key.endswith(f":{run.number}.{call.step}"))
        most = 2 if call.step in left.in_doubt else 1
        if not 1 <= times <= most:
            found.append(f"the tool was called {times} times for step {run_name(run.number)}.{call.step}")
    return found


def _finished(run: Run) -> frozenset[int]:
    models = {model.step for model in run.models if model.message is not None}
    return frozenset(models | {call.step for call in run.calls if call.result is not None})


def _begun(entries: list[Entry]) -> set[int]:
    return {entry.step for entry in entries if isinstance(entry.event, ModelRequested | ToolIntended)}


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
