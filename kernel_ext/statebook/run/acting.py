"""Durable tool steps: intent on disk, then the call, then the result on disk with its checkpoint.

Calls of one model answer run in parallel, except those in the user's namespace, which run one after another. The
intents of a batch are one commit; each result is a commit of its own, as soon as it is there, with what is kept of
variables and files where nothing is half done (`statebook.run.keeping.at_work`).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from statebook.errors import StatebookError, StoreError
from statebook.protocol.journal.codec import digest
from statebook.protocol.journal.events import (
    Event,
    MemoryForgotten,
    MemoryKept,
    ToolFinished,
    ToolIntended,
    ToolStateSet,
)
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.protocol.messages import ToolResult
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ToolOutcome
from statebook.state.children import Moment, stop_children
from statebook.state.interrupt import Sigint, Steps
from statebook.tools.base import Tool, ToolContext

from .environment import Environment, Paused
from .keeping.at_work import may_change
from .limits import Clock, affordable, reached
from .patience import Patience
from .permission import Permission, heard, permit
from .seams import Kept
from .stopping.work import Stoppable, all_ended

_STOPPED = "[Stopped while it ran; it may have been done in part.]"
_BEFORE = "[Stopped before it began; it was not made.]"
_TIMED_OUT = "[Stopped at the time limit; it may have been done in part.]"
_LEFT = "It did not end in time and was left behind: what it may still do is not recorded."


_Ready = tuple[CallRecord, Tool, dict[str, Any]]
"""A call that may be made, with its tool and arguments."""


async def act(run: Run, env: Environment) -> None:
    """Bring every open call of the last model step to a result.

    Raises Paused when a call needs a person and none is there, or at a limit; calls that could run have run by then.
    """
    ceilings = env.ceilings()
    pause = reached(run, ceilings)
    if pause is not None:
        raise Paused(pause.reason, pause.detail)
    ready: list[_Ready] = []
    calls = run.models[-1].open_calls
    count, pause = affordable(run, ceilings, len(calls))
    waiting = Paused(pause.reason, pause.detail) if pause else None
    for call in calls[:count]:
        try:
            permission = await permit(run, call, env)
        except Paused as paused:
            waiting = waiting or paused
            continue
        if isinstance(permission, Permission):
            ready.append((call, permission.tool, permission.arguments))
        else:
            finish(run, env, call, permission)
    if ready:
        await _perform(run, env, ready, Clock.of(run, ceilings))
    if waiting is not None:
        raise waiting


def finish(run: Run, env: Environment, call: CallRecord, outcome: ToolOutcome, seconds: float = 0.0) -> None:
    """Record a call's result, with everything that came of it and a checkpoint, in one commit."""
    spec_name = call.call.name
    artifacts = tuple(digest(item.data) for item in outcome.artifacts)
    result = ToolResult(call.call.id, spec_name, outcome.text + heard(call), outcome.status, artifacts)
    passages = tuple(passage.reference() for passage in outcome.passages)
    events: list[Event] = [ToolFinished(result, round(seconds, 4), passages)]
    if outcome.state:
        events.append(ToolStateSet(spec_name, outcome.state))
    for draft in outcome.keep:
        rests_on = _passage(draft.mark, run, outcome, env) if draft.mark else None
        events.append(MemoryKept(env.store.journal.next_memory(), draft.text, "agent", draft.tags, rests_on))
    events += [MemoryForgotten(number, "agent") for number in outcome.forget]
    env.at_work.end(call.call)
    point, kept = env.point(run, "step")
    events += [*kept.events, point]
    env.commit(run, [(call.step, event) for event in events], outcome.artifacts, kept)


def _passage(mark: str, run: Run, outcome: ToolOutcome, env: Environment) -> Passage | None:
    """The passage of a mark: as the run's tools have shown it, else as the sources know it; without its text."""
    shown = {passage.mark: passage for passage in outcome.passages} | run.passages
    passage = shown.get(mark) or env.find_passage(mark)
    return passage.reference() if passage else None


async def _perform(run: Run, env: Environment, ready: list[_Ready], clock: Clock) -> None:
    _record_intents(run, env, ready)
    beside = [item for item in ready if not item[1].spec.main_thread]
    alone = [item for item in ready if item[1].spec.main_thread]
    tasks = [asyncio.create_task(_in_turn(run, env, items, clock)) for items in (alone, *([item] for item in beside))]
    try:
        await asyncio.gather(*map(asyncio.shield, tasks))  # a stop is for `all_ended` to pass on, and once only
    except BaseException as error:
        await all_ended(tasks)
        if not isinstance(error, StoreError):  # what could not be recorded stays in doubt, as it is
            _close_open(run, env, ready)
        raise


async def _in_turn(run: Run, env: Environment, items: list[_Ready], clock: Clock) -> None:
    """One call after another; those that a stop or the time limit comes before are told as not made."""
    for place, item in enumerate(items):
        if clock.left(run) == 0:
            _not_made(run, env, items[place:])
            raise Paused(clock.over.reason, clock.over.detail)
        try:
            await _call(run, env, item, clock)
        except (Paused, asyncio.CancelledError):
            _not_made(run, env, items[place + 1 :])
            raise


def _not_made(run: Run, env: Environment, items: list[_Ready]) -> None:
    for call, _, _ in items:
        finish(run, env, call, ToolOutcome(_BEFORE, "interrupted"))


def _record_intents(run: Run, env: Environment, ready: list[_Ready]) -> None:
    events: list[tuple[int, Event]] = []
    kept = Kept()
    changing = [call.call for call, tool, _ in ready if may_change(tool.spec)]
    if changing:
        before, kept = env.point(run, "before_step", ahead=changing)
        events += [(ready[0][0].step, event) for event in (*kept.events, before)]
    for call, tool, _ in ready:
        events.append((call.step, ToolIntended(call.call, tool.spec.effect, _key(run, env, call))))
    env.commit(run, events, kept=kept)


def _key(run: Run, env: Environment, call: CallRecord) -> str:
    """The same whenever the same call is made again, in whichever kernel, and in a copy of the session."""
    return call.key or f"{env.store.session_id}:{run.number}.{call.step}"


async def _call(run: Run, env: Environment, item: _Ready, clock: Clock) -> None:
    call, tool, arguments = item
    patience = Patience(partial(_draw, run, env, call))
    context = ToolContext(
        run=run.number,
        step=call.step,
        call_id=call.call.id,
        idempotency_key=_key(run, env, call),
        state=env.store.as_of_head.tool_state(tool.spec.name),
        progress=_progress(patience),
    )
    began, moment = time.monotonic(), Moment.now()
    env.at_work.begin(call.call, tool.spec)
    job = Stoppable(_made(tool, arguments, context), lambda: stop_children(moment, reached=not limit.expired()))

    def take(outcome: ToolOutcome) -> None:
        finish(run, env, call, outcome, time.monotonic() - began)

    try:
        async with asyncio.timeout(clock.left(run)) as limit, patience.watched():
            outcome = await job.result()
    except TimeoutError as error:
        if not limit.expired():  # the tool's own
            take(ToolOutcome(f"TimeoutError: {error}", "error"))
            return
        take(_stopped(job, _TIMED_OUT))
        raise Paused(clock.over.reason, clock.over.detail) from None
    except asyncio.CancelledError:
        take(_stopped(job, _STOPPED))
        raise
    except StoreError:
        raise
    except StatebookError as error:
        take(ToolOutcome(str(error), "error"))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a tool is someone else's code: whatever it raises, the model is told
        take(ToolOutcome(f"{type(error).__name__}: {error}", "error"))
    else:
        take(outcome)
        if outcome.status == "interrupted":  # the stop button reached the tool itself, so it means the run
            raise asyncio.CancelledError


async def _made(tool: Tool, arguments: dict[str, Any], context: ToolContext) -> ToolOutcome:
    """The call. Where a user's async tool blocks the main thread, and its loop with it, a stop breaks into it."""
    call = tool.call(arguments, context)
    if tool.spec.origin == "user" and inspect.iscoroutinefunction(getattr(tool, "function", tool.call)):
        return await Steps(call, Sigint())
    return await call


def _stopped(job: Stoppable[ToolOutcome], text: str) -> ToolOutcome:
    """The outcome of a call that was stopped; with what it gave, where it came to that in the time it had."""
    if job.value is not None:  # the stop may be why it came to that: its process was stopped too
        return replace(job.value, text=f"{job.value.text}\n{text}", status="interrupted")
    return ToolOutcome(f"{text}\n[{_LEFT}]" if job.left else text, "interrupted")


def _progress(patience: Patience) -> Callable[[str], None]:
    """Progress may come from a worker thread: it is drawn on the loop's own."""
    loop = asyncio.get_running_loop()
    return lambda text: _quietly(loop, partial(patience.say, text))


def _draw(run: Run, env: Environment, call: CallRecord, text: str) -> None:
    """Until the call has its result."""
    if call.result is None and env.lease.held:
        env.sink.progress(run, text)


def _quietly(loop: asyncio.AbstractEventLoop, draw: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(draw)


def _close_open(run: Run, env: Environment, ready: list[_Ready]) -> None:
    """After a stop no call of this batch stays in doubt: its stop is known, and recorded."""
    for call, _, _ in ready:
        if call.result is None:
            finish(run, env, call, ToolOutcome(_STOPPED, "interrupted"))
