"""One durable model step: what is sent is journaled, the answer streams, and it is recorded once.

Text that streams in is committed as a draft before it is drawn, ten times a second at most. So what a person has seen
is on disk, whatever happens next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from statebook.context.window import Window, assemble, tools_json
from statebook.errors import ModelError, StoreError
from statebook.protocol.journal.codec import digest
from statebook.protocol.journal.events import Event, ModelAnswered, ModelFailed, ModelInterrupted, ModelRequested
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Completion, TextDelta
from statebook.protocol.tools import ArtifactData

from .environment import Environment, Paused
from .limits import reached, seconds_left, tokens_left

_PULSE = 0.1
"""Seconds between two drafts of a streaming answer."""

_RETRIES = (1.0, 4.0)
"""Seconds to wait before asking again after a failure that asking again may cure."""


async def ask_model(run: Run, env: Environment) -> None:
    """Ask until there is an answer. Raises Paused at a limit, ModelError when there is no answer to be had."""
    for wait in (*_RETRIES, None):
        try:
            await _ask_once(run, env)
        except ModelError as error:
            if wait is None or not error.retryable:
                raise
            await asyncio.sleep(wait)
        else:
            return


def window_of(run: Run, env: Environment) -> Window:
    """What the next model call of this run would send."""
    first = 0
    if env.earlier:
        newest = env.load(env.earlier[-1])
        first = newest.first
    return assemble(
        run,
        env.earlier,
        env.load,
        tools=env.tools.specs(),
        context_tokens=env.model.context_tokens,
        first=run.first or first,
    )


async def _ask_once(run: Run, env: Environment) -> None:
    window = window_of(run, env)
    pause = reached(run, ahead=window.tokens)
    if pause is not None:
        raise Paused(pause.reason, pause.detail)
    step = run.last_step + 1
    _record_request(run, env, step, window)
    request = replace(
        window.request,
        max_output_tokens=tokens_left(run, window.tokens),
        cache_key=env.store.session_id,
        idempotency_key=f"{env.store.session_id}:{run.number}.{step}",
    )
    stream = _Draft(run, env, step)
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds_left(run)) as limit, stream.pulse():
            done = await _receive(env.model.stream(request), stream)
    except TimeoutError as error:
        if not limit.expired():  # the provider's own
            env.commit(run, [(step, ModelFailed(f"TimeoutError: {error}", retryable=True, partial=stream.text))])
            raise ModelError("The model did not answer in time.", "Try again.", retryable=True) from error
        env.commit(run, [(step, ModelInterrupted(stream.text, "timeout"))])
        raise Paused("seconds", f"the time limit of {run.limits.seconds or 0:g} seconds was reached") from None
    except asyncio.CancelledError:
        env.commit(run, [(step, ModelInterrupted(stream.text, "interrupt"))])
        raise
    except StoreError:
        raise
    except Exception as error:
        failure = _as_model_error(error)
        env.commit(run, [(step, ModelFailed(str(failure), failure.retryable, stream.text))])
        raise failure from error
    seconds = round(time.monotonic() - began, 4)
    answered = ModelAnswered(done.message, done.usage, done.stop, seconds, done.response_id)
    env.commit(run, [(step, answered)])


def _as_model_error(error: Exception) -> ModelError:
    """A model is a plugin: whatever it raises, the run fails in order and can be gone on with."""
    return error if isinstance(error, ModelError) else ModelError(f"{type(error).__name__}: {error}")


def _record_request(run: Run, env: Environment, step: int, window: Window) -> None:
    system = ArtifactData(window.request.system.encode(), "text/plain", "system")
    tools = ArtifactData(tools_json(window.request.tools).encode(), "application/json", "tools")
    new = [artifact for artifact in (system, tools) if env.store.artifacts.find(digest(artifact.data)) is None]
    event: Event = ModelRequested(
        env.model.name, window.digest, digest(system.data), digest(tools.data), window.first, window.tokens
    )
    env.commit(run, [(step, event)], new)


async def _receive(events: AsyncIterator[object], stream: _Draft) -> Completion:
    done: Completion | None = None
    async for event in events:
        if isinstance(event, TextDelta):
            stream.add(event.text)
        elif isinstance(event, Completion):
            done = event
    if done is None:
        raise ModelError("The model's stream ended before its answer was complete.", retryable=True)
    return done


class _Draft:
    """Text as it arrives: gathered, committed, then shown."""

    def __init__(self, run: Run, env: Environment, step: int) -> None:
        self._run, self._env, self._step = run, env, step
        self._held: list[str] = []
        self._parts = 0
        self._flushed = 0.0

    @property
    def text(self) -> str:
        """All that has arrived."""
        return self._run.draft + "".join(self._held)

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
