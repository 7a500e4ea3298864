"""One durable model step: what is sent is journaled, the answer streams, and it is recorded once.

Text that streams in is committed as a draft before it is drawn, ten times a second at most. So what a person has seen
is on disk, whatever happens next.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import cast

from statebook.context.anchor import anchor_of
from statebook.context.files import Files
from statebook.context.tokens import calibrate
from statebook.context.window import Past, Window, assemble, request_key, tools_json
from statebook.errors import ModelError, StoreDamaged, StoreError
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
from statebook.protocol.models import Completion, Fault, Metered, TextDelta, Usage
from statebook.protocol.tools import ArtifactData

from .environment import Environment, Paused
from .limits import UNSEEN, Room, free, reached, room, seconds_left, used_up, warnings
from .recorded import Repeat

_PULSE = 0.1
"""Seconds between two drafts of a streaming answer."""

_CALIBRATED_ON = 5
"""Newest earlier runs whose counted tokens correct the estimates."""

_RETRIES = (1.0, 4.0)
"""Seconds to wait before asking again after a failure that asking again may cure, where the server names none."""

_LONGEST_WAIT = 120.0
"""Most seconds that a server's own wish to wait is followed; beyond it a person decides when to go on."""

_OUTCOME_UNKNOWN: frozenset[Fault] = frozenset({"timeout", "unreachable", "broken_off"})
"""Faults after which the server may have made an answer that never arrived."""


async def ask_model(run: Run, env: Environment) -> None:
    """Ask until there is an answer; every try is a step of its own in the journal.

    A failed try is asked again where its error says that this is safe and may help: a model call has no effect
    outside but its cost, and text that was shown is on disk as the partial text of a failed step. Raises Paused at a
    limit, ModelError when there is no answer to be had.
    """
    for pause in (*_RETRIES, None):
        try:
            await _ask_once(run, env)
        except ModelError as error:
            wait = _wait(error, pause, seconds_left(run))
            if wait is None:
                raise
            _tell(run, env, error, wait)
            await asyncio.sleep(wait)
        else:
            return


def _wait(error: ModelError, pause: float | None, left: float | None) -> float | None:
    """Seconds until the next try; None for no more tries: none is left, none is safe, or the wait is too long."""
    if pause is None or not error.retryable:
        return None
    wait = pause if error.wait is None else error.wait
    return wait if wait <= min(_LONGEST_WAIT, math.inf if left is None else left) else None


def _tell(run: Run, env: Environment, error: ModelError, wait: float) -> None:
    when = f"in {wait:.0f} s" if wait >= 1 else "now"
    with suppress(Exception):  # see Environment.draw: a front end never harms the run
        env.sink.progress(run, f"{error.message} Asking again {when}.")
    if run.models[-1].partial:
        note = "An answer broke off and was asked for again; what had arrived is kept among the steps."
        run.notes = [*(each for each in run.notes if each != note), note]


def window_of(run: Run, env: Environment, files: Mapping[str, bytes] | None = None) -> Window:
    """What the next model call of this run would send; ``files`` are bytes that are not in the store yet."""
    first, recent = 0, [env.load(number) for number in env.earlier[-_CALIBRATED_ON:][::-1]]
    compacted, at = env.store.as_of_head.compacted() or (None, 0)
    if recent and recent[0].last_seq > at:  # else the conversation has another form since: begin with all of it
        first = recent[0].first
    past = Past(
        env.earlier,
        env.load,
        run.first or first,
        compacted,
        Files(lambda digest: (files or {}).get(digest) or _bytes(env, digest)),
        calibrate(recent, env.model.name),  # of earlier runs: what this one has sent must not change under it
    )
    return assemble(run, past, tools=env.tools.specs(), context_tokens=env.model.context_tokens)


def _bytes(env: Environment, digest: str) -> bytes | None:
    """The bytes of a file that came with a prompt; None where they are missing or damaged."""
    with suppress(StoreDamaged):
        return env.store.artifacts.get(digest)
    return None


async def _ask_once(run: Run, env: Environment) -> None:
    window = window_of(run, env)
    asked = request_key(window.request)
    if _repeated(run, env, window, asked):
        return
    anchor = anchor_of(window.request, [run, *map(env.load, env.earlier[-1:])], env.model.name)
    space = _room(run, env, window, answers=2 if anchor else 1)  # a server that forgot is asked again, with all of it
    step = run.last_step + 1
    key = f"{env.store.session_id}:{run.number}.{_first_try(run, window.digest, step)}"
    _record_request(run, env, window, asked)
    request = replace(
        window.request,
        max_output_tokens=space.tokens,
        cache_key=env.store.session_id,
        idempotency_key=key,
        anchor=anchor,
    )
    stream = _Draft(run, env, step)
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds_left(run)) as limit, stream.pulse():
            done = await _receive(env.model.stream(request), stream, space)
    except TimeoutError as error:
        if not limit.expired():  # the provider's own
            failure = ModelError("The model did not answer in time.", "Try again.", retryable=True, fault="timeout")
            _record_failure(run, env, step, stream, failure)
            raise failure from error
        env.commit(run, [(step, ModelInterrupted(stream.text, "timeout", *stream.counted(env)))])
        raise Paused("seconds", f"the time limit of {run.limits.seconds or 0:g} seconds was reached") from None
    except asyncio.CancelledError:
        env.commit(run, [(step, ModelInterrupted(stream.text, "interrupt", *stream.counted(env)))])
        raise
    except StoreError:
        raise
    except Exception as error:
        failure = _as_model_error(error)
        _record_failure(run, env, step, stream, failure)
        raise failure from error
    seconds = round(time.monotonic() - began, 4)
    usage, dollars = stream.counted(env, Metered(done.usage, done.dollars))
    if space.cut(done):
        env.commit(run, [(step, ModelInterrupted(done.message.text, "limit", usage, dollars))])
        pause = used_up(run, env.ceilings(), space)
        raise Paused(pause.reason, pause.detail)
    answered = ModelAnswered(done.message, usage, done.stop, seconds, done.response_id, dollars)
    # taken as a later kernel will read it, so that what goes back to the provider is the same bytes from both
    env.commit(run, [(step, decode_event(answered.kind, encode_event(answered)))])


def _room(run: Run, env: Environment, window: Window, *, answers: int) -> Room:
    """What the answer may take. Raises Paused when that is too little to ask."""
    ceilings = env.ceilings()
    found = reached(run, ceilings) or room(run, ceilings, env.price, window.tokens, answers=answers)
    if isinstance(found, RunPaused):
        raise Paused(found.reason, found.detail)
    told = warnings(run, ceilings, env.price, env.model.name)
    run.notes = [*(note for note in run.notes if not note.startswith(UNSEEN)), *told]
    return found


def _first_try(run: Run, sent: str, step: int) -> int:
    """The step whose idempotency key the next try must send: its own, or that of a try with an unknown outcome.

    A server that keeps such keys answers the same key and bytes with what it has made (or is making), so that an
    answer which got lost on its way is neither made nor paid for twice. After an error that the server did report the
    key is a new one: the same one would only bring that error back.
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    for model in reversed(run.models):
        lost = model.fault in _OUTCOME_UNKNOWN or model.error == "kernel_died"
        if model.message is not None or model.digest != sent or not lost:
            break
        step = model.step
    return step


def _dollars(env: Environment, counted: Metered) -> float | None:
    """What the server says it cost, else its price as known here; None where neither is known.

    A call of which nothing was counted is not free: that it used nothing is not what its server said.
    """
    if counted.dollars is not None:
        return counted.dollars
    if not counted.usage.total:
        return 0.0 if free(env.price) else None
    return env.price(counted.usage)


def _record_failure(run: Run, env: Environment, step: int, stream: _Draft, failure: ModelError) -> None:
    fault = cast("Fault", failure.fault)
    failed = ModelFailed(str(failure), failure.retryable, stream.text, fault, *stream.counted(env))
    env.commit(run, [(step, failed)])


def _as_model_error(error: Exception) -> ModelError:
    """A model is a plugin: whatever it raises, the run fails in order and can be gone on with."""
    return error if isinstance(error, ModelError) else ModelError(f"{type(error).__name__}: {error}")


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
        model, window.digest, digest(system.data), digest(tools.data), window.first, window.estimated, asked
    )
    env.commit(run, [(step, event), *([(step, repeat.event)] if repeat else [])], new)


async def _receive(events: AsyncIterator[object], stream: _Draft, space: Room) -> Completion:
    done: Completion | None = None
    async for event in events:
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


class _Draft:
    """Text as it arrives: gathered, committed, then shown."""

    def __init__(self, run: Run, env: Environment, step: int) -> None:
        self._run, self._env, self._step = run, env, step
        self._held: list[str] = []
        self._parts = 0
        self._flushed = 0.0
        self._newest = Metered(Usage())
        self._discarded: list[Metered] = []

    @property
    def text(self) -> str:
        """All that has arrived."""
        return self._run.draft + "".join(self._held)

    def meter(self, counted: Metered) -> None:
        """Take what the server has counted: the newest count of this answer, or that of one thrown away."""
        if counted.discarded:
            self._discarded.append(counted)
            self._newest = Metered(Usage())  # it was of the same answer
        else:
            self._newest = counted

    def counted(self, env: Environment, whole: Metered | None = None) -> tuple[Usage, float | None]:
        """Tokens and dollars of the call, as far as the server has told; ``whole`` is the count of its completion.

        Answers are priced one by one, as prices rise with the length of a request.
        """
        counts = [*self._discarded, whole or self._newest]
        dollars = [_dollars(env, count) for count in counts]
        known = [each for each in dollars if each is not None]
        usage = sum((count.usage for count in counts), Usage())
        return usage, sum(known) if len(known) == len(dollars) else None

    def add(self, text: str) -> None:
        """Take more text; the first of it is drawn at once."""
        self._held.append(text)
        if time.monotonic() - self._flushed >= _PULSE:
            self.flush()

    def flush(self) -> None:
        """Commit what is held, then draw it."""
        if self._held:
            text = "".join(self._held)
            self._env.store.draft(self._run.number, self._step, self._parts, text)
            self._held.clear()
            self._parts += 1
            self._flushed = time.monotonic()
            self._run.draft += text
            self._env.draw(self._run)

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator[None]:
        """While inside, held text is never older than one pulse, also when the stream stalls."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_PULSE)
            self.flush()
