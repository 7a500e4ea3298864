"""The loop of one run: look at the record, do the one thing that is next, until there is an answer.

The loop holds no state of its own. What is next follows from the run's record, and the record follows from the
journal; so going on after a death, a pause or a stop is the same loop over the same record.
"""

from __future__ import annotations

import asyncio
import os
from typing import cast

from statebook.errors import ModelError
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import (
    AnswerRejected,
    EndStatus,
    ModelInterrupted,
    PauseReason,
    RunEnded,
    RunPaused,
    RunResumed,
)
from statebook.protocol.journal.lines import CheckpointMade
from statebook.protocol.journal.runs import Run
from statebook.protocol.passages import Passage, marks_in

from .acting import act
from .answers import problem
from .asking.step import ask_model
from .environment import Environment, Paused
from .limits import free
from .seams import Kept

_REPAIRS = 1
"""How often an answer that does not have its form is asked for again."""


async def drive(run: Run, env: Environment) -> None:
    """Bring a running run to an answer, a pause, a failure or a stop; all of it recorded when this returns.

    Raises asyncio.CancelledError after recording a stop, and StoreError when the record can't be written (the run
    then stays open, to be resumed).
    """
    try:
        while not answered(run) or not _in_form(run, env):
            if run.models and run.models[-1].open_calls:
                await act(run, env)
            else:
                await _ask(run, env)
        cited, unknown = citations(run, env)
        _end(run, env, RunEnded("done", "", cited, unknown))
    except Paused as paused:
        _pause(run, env, paused)
    except ModelError as error:
        _end(run, env, RunEnded("failed", str(error)))
    except asyncio.CancelledError:
        _end(run, env, RunEnded("interrupted", "stopped by the person"))
        raise


def answered(run: Run) -> bool:
    """The last model step answered and wants nothing more; an answer that was rejected for its form is none."""
    last = run.models[-1] if run.models else None
    return last is not None and last.message is not None and not last.calls and not last.rejected


def _in_form(run: Run, env: Environment) -> bool:
    """Whether the answer has its form; where not, that is recorded, and the model is told."""
    last = run.models[-1]
    wrong = problem(run.started.answer, last.text, env.check)
    if wrong:
        env.commit(run, [(last.step, AnswerRejected(wrong))])
    return not wrong


async def _ask(run: Run, env: Environment) -> None:
    """Ask the model; ModelError when it has had its chance to mend an answer that did not have its form."""
    if run.rejections > _REPAIRS:
        form = run.started.answer
        raise ModelError(
            f"the answer does not have the form that was asked for ({form.name or form.kind}), also when asked again:"
            f" {run.models[-1].rejected}",
            "Its text is kept.",
        )
    await ask_model(run, env)


def resume(run: Run, env: Environment, limits: Limits) -> None:
    """Take up a run that was paused, stopped, failed, or left open by a dead kernel.

    A model step that had no ending gets one: its drafted text is kept as partial, and the model is asked again.
    Tool calls without a result stay in doubt here; `statebook.run.permission` settles each by its effect.
    """
    events: list[tuple[int, ModelInterrupted | RunResumed]] = []
    last = run.models[-1] if run.models else None
    if last is not None and last.message is None and not last.error:
        partial = env.store.drafted(run.number, last.step)
        dollars = 0.0 if free(env.price) else None  # what a dead kernel's call cost nobody has told
        events.append((last.step, ModelInterrupted(partial, "kernel_died", dollars=dollars)))
    events.append((0, RunResumed(os.getpid(), limits)))
    env.commit(run, events)


def citations(run: Run, env: Environment) -> tuple[tuple[Passage, ...], tuple[str, ...]]:
    """The passages an answer cites, and the marks in it that no tool of this conversation has shown."""
    cited, unknown = [], []
    for mark in marks_in(run.answer):
        passage = run.passages.get(mark) or _shown_before(mark, env)
        if passage is None:
            unknown.append(mark)
        else:
            cited.append(passage.reference())
    return tuple(cited), tuple(unknown)


def _shown_before(mark: str, env: Environment) -> Passage | None:
    for number in reversed(env.earlier):
        passage = env.load(number).passages.get(mark)
        if passage is not None:
            return passage
    return next((m.passage for m in env.store.as_of_head.memories() if m.passage and m.passage.mark == mark), None)


def _pause(run: Run, env: Environment, paused: Paused) -> None:
    event = RunPaused(cast("PauseReason", paused.reason), paused.detail)
    _close(run, env, event, *env.point(run, "pause"))


def _end(run: Run, env: Environment, event: RunEnded) -> None:
    status: EndStatus = event.status
    _close(run, env, event, *env.point(run, "run_end", run.started.label if status == "done" else ""))


def _close(run: Run, env: Environment, event: RunEnded | RunPaused, point: CheckpointMade, kept: Kept) -> None:
    env.commit(run, [(0, event), *((0, each) for each in kept.events), (0, point)], kept=kept)
    env.store.settle(run.number)
