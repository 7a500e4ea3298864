"""What the processes of a drill do: lay out the copy to drill in, carry the run out, go on with it after a kill."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from statebook.config import Settings
from statebook.errors import RunFailed, RunPaused
from statebook.protocol.calls import Limits
from statebook.protocol.journal.codec import to_json
from statebook.protocol.journal.events import LimitsSet
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.protocol.tools import ToolSpec
from statebook.run.seams import Silent
from statebook.session.notebook.identity import Notebook
from statebook.session.session import Session
from statebook.session.toolset import Surfaces
from statebook.store.journal import Place
from statebook.store.store import Store

from .moments import Moment, Step
from .recording import Recording, answered, read
from .scratch import Fuse, Ledger, WatchedStore, store_in
from .standins import Person, RecordingEnds, StandInModel, StandInTool, StandInToolset, VerifyingTool

_ROUNDS = 40
"""How often a run that paused is gone on with before that counts as never ending."""


def lay_out(folder: Path, run: int, tools: list[dict[str, Any]]) -> None:
    """Make of a copied store one in which ``run`` has just begun anew: on a branch from where it began, unlimited.

    ``tools`` are the tools that stand-ins are made for: {"spec": ..., "verified": whether it can tell what happened}.
    """
    store = Store(store_in(folder))
    journal, original = store.journal, store.run(run)
    journal.switch(journal.branches[original.branch])
    first = journal.entries_of_run(run)[0].seq
    name = journal.free_name("drill")
    journal.start_branch(name, first - 1, checkpoint=journal.checkpoint_at(first - 1), why="a drill")
    # no limit ends a drill: the recording does
    started = dataclasses.replace(original.started, limits=Limits(), fresh=True)
    number = journal.next_run()
    store.commit(
        [
            (Place(), LimitsSet("session", Limits())),
            (Place(), LimitsSet("notebook", Limits())),
            (Place(number), started),
        ]
    )
    store.close()
    plot = {"recorded": run, "run": number, "tools": tools}
    (folder / "plot.json").write_text(json.dumps(plot))


def carry_out(folder: Path, moment: Moment | None) -> Session:
    """Go on with the scratch copy's run up to the moment at which this process is to die; None: to the run's end.

    Whoever comes to the end leaves ``report.json``: how the run ended, its steps, what it had lost before it went on.
    The session is left open: a process that ends anyway need not take the time to close it.
    """
    plot = json.loads((folder / "plot.json").read_text())
    ledger, fuse = Ledger(folder), Fuse(moment)
    kept, drawn = ledger.lines("kept"), ledger.lines("drawn")
    store = WatchedStore(folder, fuse, ledger)
    lost = _lost(store, kept)
    recording = read(store, plot["recorded"])
    session, person = _session(store, recording, plot, fuse, ledger)
    run = asyncio.run(_to_its_end(session, plot["run"], person, recording))
    lost += _undrawn(run, drawn)
    specs = {tool["spec"]["name"]: tool for tool in plot["tools"]}
    report = {
        "status": run.status if run.status in ("done", "failed") else "unfinished",
        "answer": run.answer,
        "error": run.error,
        "lost": lost,
        "steps": [to_json(step) for step in _steps(run, specs, ledger)],
    }
    (folder / "report.json").write_text(json.dumps(report))
    return session


def _session(
    store: Store, recording: Recording, plot: dict[str, Any], fuse: Fuse, ledger: Ledger
) -> tuple[Session, Person]:
    settings = Settings(sources=(), replay="off", snapshots="off")
    notebook = Notebook(store.path.with_name("drill.ipynb"), store.path, "a drill's")
    session = Session(store, notebook, settings, Surfaces())

    def current() -> Run:
        return session.run(plot["run"])

    tools = {}
    for each in plot["tools"]:
        spec = ToolSpec(**each["spec"])
        kind = VerifyingTool if each["verified"] else StandInTool
        tools[spec.name] = kind(spec, recording, current, fuse, ledger)
    session.toolset = StandInToolset(store, notebook, settings, tools)
    session.use(StandInModel(recording, current, fuse, ledger))
    return session, Person(recording, current, fuse, ledger)


async def _to_its_end(session: Session, number: int, person: Person, recording: Recording) -> Run:
    """Nobody is there at first; once that has left a call in doubt open, somebody is."""
    for _ in range(_ROUNDS):
        try:
            return await session.resume(number, Limits(), Silent(), person, check=recording.rejection)
        except (RunFailed, RecordingEnds):
            break
        except RunPaused:
            if not person.met or person.is_there:
                break
            person.is_there = True
    return session.store.run(number)


def _lost(store: Store, kept: list[dict[str, Any]]) -> list[str]:
    """Acknowledged events that are not in the journal as they were acknowledged."""
    there: dict[tuple[int, int], str] = {}
    for number in {line["run"] for line in kept if line["run"]}:
        there |= {(number, entry.seq): entry.event.kind for entry in store.journal.entries_of_run(number)}
    return [
        f"{line['kind'].replace('_', ' ')} of step {line['step']}"
        for line in kept
        if line["run"] and there.get((line["run"], line["seq"])) != line["kind"]
    ]


def _undrawn(run: Run, drawn: list[dict[str, Any]]) -> list[str]:
    """Model steps whose text had been drawn before the kill and was not kept."""
    texts: dict[int, str] = {}
    for line in drawn:
        texts[line["step"]] = texts.get(line["step"], "") + line["text"]
    kept = {model.step: model.text for model in run.models}
    return [
        f"text of step {step} that was shown" for step, text in texts.items() if not kept.get(step, "").startswith(text)
    ]


def _steps(run: Run, tools: dict[str, dict[str, Any]], ledger: Ledger) -> list[Step]:
    """The steps that came to an end, in order. Whether a call was made is the ledger's to say, not the journal's."""
    acted = {line["call"] for line in ledger.lines("act")}
    found: list[Step] = []
    for index, model in enumerate(answered(run)):
        found.append(Step(model.step, index=index, calls=tuple(call.call.name for call in model.calls)))
        ended = [(place, call) for place, call in enumerate(model.calls, start=1) if call.result is not None]
        found += [_tool_step(call, (index, place), tools, f"{index}.{place}" in acted) for place, call in ended]
    return found


def _tool_step(call: CallRecord, at: tuple[int, int], tools: dict[str, dict[str, Any]], made: bool) -> Step:
    tool = tools.get(call.call.name, {})
    return Step(
        call.step,
        call.call.name,
        *at,
        effect=call.effect or tool.get("spec", {}).get("effect", "write"),
        begun=made,
        asked=bool(call.via) and call.via != "policy" and "approval" in call.questions,
        verified=bool(tool.get("verified")),
        origin=tool.get("spec", {}).get("origin", "user"),
    )


def report_failure(folder: Path, error: BaseException) -> None:
    """Leave a report of why this process could not do its part."""
    with suppress(OSError):
        (folder / "report.json").write_text(json.dumps({"failed": f"{type(error).__name__}: {error}"}))
