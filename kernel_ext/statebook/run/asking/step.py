"""One durable model step: what is sent is journaled, the answer streams, and it is recorded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

from statebook.context.anchor import anchor_of
from statebook.context.window import Window, request_key, tools_json
from statebook.errors import ModelError, StoreError
from statebook.protocol.journal.codec import decode_event, digest, encode_event
from statebook.protocol.journal.events import (
    Event,
    ModelAnswered,
    ModelFailed,
    ModelInterrupted,
    ModelRequested,
    RunPaused,
)
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Completion, Fault, Metered, ReasoningDelta, TextDelta
from statebook.protocol.tools import ArtifactData
from statebook.redaction import clipped, quotable
from statebook.run.environment import Environment, Paused
from statebook.run.limits import UNSEEN, Clock, Room, reached, room, used_up, warnings
from statebook.run.stopping.work import Stoppable

from .draft import Draft
from .recorded import Repeat
from .request import asked as asked_of
from .request import know_context, window_of
from .tries import RETRIES, first_try, tell, wait_after


async def ask_model(run: Run, env: Environment) -> None:
    """Ask until there is an answer; every try is a step of its own in the journal.

    A failed try is asked again where its error says that this is safe and may help: a model call has no effect
    outside but its cost, and text that was shown is on disk as the partial text of a failed step. Raises Paused at a
    limit, ModelError when there is no answer to be had.
    """
    await know_context(env.model)
    for pause in (*RETRIES, None):
        try:
            await _ask_once(run, env)
        except ModelError as error:
            wait = wait_after(error, pause, Clock.of(run, env.ceilings()).left(run))
            if wait is None:
                raise
            tell(run, env, error, wait)
            await asyncio.sleep(wait)
        else:
            return


async def _ask_once(run: Run, env: Environment) -> None:
    window = window_of(run, env)
    asked = request_key(window.request)
    if _repeated(run, env, window, asked):
        return
    anchor = anchor_of(window.request, [run, *map(env.load, env.earlier[-1:])], env.model.name)
    # a server that forgot is asked again, with all of it
    space, clock = _room(run, env, window, answers=2 if anchor else 1)
    step = run.last_step + 1
    key = f"{env.store.session_id}:{run.number}.{first_try(run, window.digest, step)}"
    _record_request(run, env, window, asked)
    request = replace(
        window.request,
        max_output_tokens=space.tokens,
        cache_key=env.store.session_id,
        idempotency_key=key,
        anchor=anchor,
    )
    stream = Draft(run, env, step)
    try:
        async with asyncio.timeout(clock.left(run)) as limit, stream.pulse():
            done = await Stoppable(_receive(env.model.stream(request), stream, space)).result()
    except TimeoutError as error:
        if not limit.expired():  # the provider's own
            failure = ModelError("The model did not answer in time.", "Try again.", retryable=True, fault="timeout")
            _record_failure(run, env, step, stream, failure)
            raise failure from error
        env.commit(run, [(step, stream.interrupted("timeout"))])
        raise Paused(clock.over.reason, clock.over.detail) from None
    except asyncio.CancelledError:
        env.commit(run, [(step, stream.interrupted("interrupt"))])
        raise
    except StoreError:
        raise
    except Exception as error:
        failure = _as_model_error(error)
        _record_failure(run, env, step, stream, failure)
        raise failure from error
    usage, dollars = stream.counted(env, Metered(done.usage, done.dollars))
    if space.cut(done):
        env.commit(run, [(step, ModelInterrupted(done.message.text, "limit", usage, dollars, stream.seconds))])
        pause = used_up(run, env.ceilings(), space)
        raise Paused(pause.reason, pause.detail)
    answered = ModelAnswered(done.message, usage, done.stop, stream.seconds, done.response_id, dollars)
    # taken as a later kernel will read it, so that what goes back to the provider is the same bytes from both
    env.commit(run, [(step, decode_event(answered.kind, encode_event(answered)))])


def _room(run: Run, env: Environment, window: Window, *, answers: int) -> tuple[Room, Clock]:
    """What the answer may take, and how long. Raises Paused when that is too little to ask."""
    ceilings = env.ceilings()
    found = reached(run, ceilings) or room(run, ceilings, env.price, window.tokens, answers=answers)
    if isinstance(found, RunPaused):
        raise Paused(found.reason, found.detail)
    told = warnings(run, ceilings, env.price, env.model.name)
    run.notes = [*(note for note in run.notes if not note.startswith(UNSEEN)), *told]
    return found, Clock.of(run, ceilings)


def _record_failure(run: Run, env: Environment, step: int, stream: Draft, failure: ModelError) -> None:
    fault = cast("Fault", failure.fault)
    failed = ModelFailed(str(failure), failure.retryable, stream.text, fault, *stream.counted(env), stream.seconds)
    env.commit(run, [(step, failed)])


def _as_model_error(error: Exception) -> ModelError:
    """A model is a plugin: whatever it raises, the run fails in order and can be gone on with."""
    if isinstance(error, ModelError):
        return error
    told = quotable(str(error))  # it is journaled, and HTTP libraries quote URLs with their keys
    return ModelError(clipped(f"{type(error).__name__}: {told}"))


def _repeated(run: Run, env: Environment, window: Window, asked: str) -> bool:
    """Record the answer that an equal request has got already; False where this one has to be asked."""
    if env.replay is None:
        return False
    found = env.replay.find(run, env.model.name, asked)
    if found is None:
        if env.replay.only:
            raise env.replay.refuse()
        return False
    pause = reached(run)
    if pause is not None:
        raise Paused(pause.reason, pause.detail)
    _record_request(run, env, window, asked, repeat=found)
    return True


def _record_request(run: Run, env: Environment, window: Window, asked: str, *, repeat: Repeat | None = None) -> None:
    step = run.last_step + 1
    system = ArtifactData(window.request.system.encode(), "text/plain", "system")
    tools = ArtifactData(tools_json(window.request.tools).encode(), "application/json", "tools")
    new = [artifact for artifact in (system, tools) if env.store.artifacts.find(digest(artifact.data)) is None]
    model = repeat.model if repeat else env.model.name
    event: Event = ModelRequested(
        model,
        window.digest,
        digest(system.data),
        digest(tools.data),
        window.first,
        window.estimated,
        asked,
        asked_of(run, env)[1],
    )
    env.commit(run, [(step, event), *([(step, repeat.event)] if repeat else [])], new)


async def _receive(events: AsyncIterator[object], stream: Draft, space: Room) -> Completion:
    done: Completion | None = None
    async for event in events:
        stream.heard(_size(event))
        if isinstance(event, TextDelta):
            stream.add(event.text)
        elif isinstance(event, Metered):
            stream.meter(event)
        elif isinstance(event, Completion):
            done = event
    if done is None:
        raise ModelError(
            "The model's stream ended before its answer was complete.", "Ask again.", retryable=True, fault="truncated"
        )
    if _is_empty(done) and not space.cut(done):
        stream.meter(Metered(done.usage, done.dollars))
        raise _empty(done)
    return done


def _size(event: object) -> int:
    """Characters of an answer that an event brings."""
    if isinstance(event, TextDelta | ReasoningDelta):
        return len(event.text)
    return sum(len(call.arguments) for call in event.message.calls) if isinstance(event, Completion) else 0


def _is_empty(done: Completion) -> bool:
    """Nothing said, nothing called, and no refusal either: such an answer would end the run with nothing to show."""
    return done.stop != "refusal" and not done.message.calls and not done.message.text.strip()


def _empty(done: Completion) -> ModelError:
    if done.stop == "length":
        return ModelError(
            "The model used up the tokens it was given before it said a word.",
            "Give it more (`--max-tokens`), or a model that thinks less.",
            fault="empty",
        )
    return ModelError("The model's answer was empty.", "Ask again, or another model.", retryable=True, fault="empty")
