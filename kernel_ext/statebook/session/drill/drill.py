"""The drill of one run: rehearse it, then kill it at each moment and go on with it, and tell what came of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from statebook.errors import StatebookError, UsageError
from statebook.ids import run_name
from statebook.protocol.journal.codec import to_json
from statebook.protocol.models import Cost
from statebook.protocol.tools import ToolSpec
from statebook.session.session import Session

from .moments import Moment, Step, plan
from .recording import Recording, incomplete, read
from .stage import MARK, Lane, Stage
from .verdict import Outcome, Rehearsal, judge

_FEW = 6
"""Moments up to which a second process beside the first would not have started before they are done."""

SECONDS = 60.0
"""How long a drill may take where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a drill found so far. ``planned`` are all its moments, ``outcomes`` what came of those that were tried.

    ``changed`` are tools that count here as they are declared now, otherwise than when the run was made: their names,
    with the effect they had then.
    """

    run: int
    steps: tuple[Step, ...]
    planned: tuple[Moment, ...]
    recording: Recording
    changed: dict[str, str] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()

    @property
    def left_out(self) -> tuple[Moment, ...]:
        """The moments that were not tried."""
        tried = {outcome.moment for outcome in self.outcomes}
        return tuple(moment for moment in self.planned if moment not in tried)

    def having(self, outcome: Outcome) -> Report:
        """The same report with one more outcome."""
        found = {each.moment: each for each in (*self.outcomes, outcome)}
        return replace(self, outcomes=tuple(found[moment] for moment in self.planned if moment in found))

    def at(self, step: int) -> tuple[Outcome, ...]:
        """The outcomes of the kills in one step."""
        return tuple(outcome for outcome in self.outcomes if outcome.moment.step == step)

    def repeated(self, outcomes: tuple[Outcome, ...]) -> tuple[int, int, Cost]:
        """Model requests that were made again: how many, and the tokens and dollars they would cost once more."""
        answers = [self.recording.answers[index] for outcome in outcomes for index in outcome.requests]
        costs = [Cost(unknown=1) if answer.dollars is None else Cost(answer.dollars) for answer in answers]
        return len(answers), sum(answer.usage.total for answer in answers), sum(costs, Cost())


Watch = Callable[[Report], None]
"""Is shown the report after each kill."""


async def drill(
    session: Session, number: int, watch: Watch, *, only: tuple[int, int] | None = None, seconds: float = SECONDS
) -> Report:
    """Kill run ``number`` at each of its moments in scratch copies, and go on with it there. The session stays as is.

    ``only`` are the first and last step to kill; after ``seconds`` the rest is left out. Nothing outside is touched
    and no model is asked: answers and results come from the recording. Raises UsageError where the run can't be
    drilled, and StatebookError where the drill itself could not go on. When cancelled, it leaves nothing behind.
    """
    if os.environ.get(MARK):
        raise UsageError("A drill can't be started from within a drill.", "Wait for this one.")
    session.check_free()
    recording = read(session.store, number)
    if not recording.answers:
        raise UsageError(f"{run_name(number)} has no finished step that could be interrupted.", "Name another run.")
    tools, changed = _tools(session, recording)
    end = time.monotonic() + seconds
    stage = Stage()
    try:
        await asyncio.to_thread(stage.copy, session.store)
        await asyncio.to_thread(stage.lanes[0].order, do="lay out", run=number, tools=tools)
        rehearsal = await _rehearse(stage.lanes[0], session, recording)
        moments = plan(rehearsal.steps, only)
        if not moments:
            steps = f"Its steps are {rehearsal.steps[0].step} to {rehearsal.steps[-1].step}."
            raise UsageError(f"{run_name(number)} has no such step.", steps)
        if len(moments) > _FEW and (os.cpu_count() or 1) > 1:
            stage.add_lane()
        report = Report(number, rehearsal.steps, tuple(moments), recording, changed)
        return await _Kills(report, rehearsal, watch, end).all(stage.lanes)
    finally:
        stage.close()


class _Kills:
    """The kills of one drill, each in the first lane that is free."""

    def __init__(self, report: Report, rehearsal: Rehearsal, watch: Watch, end: float) -> None:
        self._report, self._rehearsal, self._watch, self._end = report, rehearsal, watch, end
        self._left = iter(report.planned)

    async def all(self, lanes: Sequence[Lane]) -> Report:
        """The report, when all moments were tried or the time is over."""
        self._watch(self._report)
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in lanes:
                    tasks.create_task(self._run(lane))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return self._report

    async def _run(self, lane: Lane) -> None:
        await _warm(lane, self._report.recording)
        while time.monotonic() < self._end:
            moment = next(self._left, None)
            if moment is None:
                return
            reply = await asyncio.to_thread(lane.order, do="try", moment=to_json(moment))
            self._report = self._report.having(judge(moment, self._rehearsal, reply))
            self._watch(self._report)


async def _rehearse(lane: Lane, session: Session, recording: Recording) -> Rehearsal:
    """The run without a kill. UsageError where that does not give what is recorded."""
    await _warm(lane, recording)
    reply = await asyncio.to_thread(lane.order, do="try", moment=None)
    if "failed" in reply["report"]:
        raise StatebookError(
            f"{run_name(recording.run)} could not be carried out again: {reply['report']['failed']}.",
            "Nothing of the session was changed.",
        )
    rehearsal = Rehearsal.of(reply)
    different = rehearsal.difference(recording, session.run(recording.run).answer)
    if different:
        raise incomplete(recording.run, different)
    return rehearsal


async def _warm(lane: Lane, recording: Recording) -> None:
    """What only some runs need is loaded for these only."""
    if recording.typed:
        await asyncio.to_thread(lane.order, do="warm up")


def _tools(session: Session, recording: Recording) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What stand-ins are made for: the tools as they are declared now, else as they are recorded."""
    live = session.toolset.all()
    made: list[dict[str, Any]] = []
    changed: dict[str, str] = {}
    for recorded in recording.specs:
        spec: ToolSpec = recorded
        tool = live.get(recorded.name) if recorded.name in live else None
        if tool is not None and tool.spec.origin == recorded.origin:
            spec = tool.spec
            if spec.effect != recorded.effect:
                changed[spec.name] = recorded.effect
        made.append({"spec": to_json(spec), "verified": getattr(tool, "verify", None) is not None})
    return made, changed
