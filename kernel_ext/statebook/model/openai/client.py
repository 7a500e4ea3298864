"""Asks a server that speaks the Responses API or Chat Completions, and streams what it answers."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from statebook.errors import ModelError
from statebook.model import prices
from statebook.model.base import StatePlace
from statebook.protocol.journal.codec import digest
from statebook.protocol.models import Metered, ModelEvent, ModelRequest, Usage
from statebook.redaction import clipped

from . import errors
from .attempts.kept import went_on
from .attempts.learned import Learned
from .attempts.reading import events, until_quiet
from .attempts.trial import Forgotten, Trial
from .dialect import Dialect, Growing, dialect
from .service import Service
from .settings import OFFICIAL, Endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openai import AsyncOpenAI, AsyncStream

_CONNECT_SECONDS = 15.0
_SILENCE_SECONDS = 600.0  # a reasoning model may think for minutes before its first byte


class OpenAIModel:
    """``openai:NAME``, and whatever else speaks its APIs. Holds a connection pool, no conversation.

    ``where`` is the server and its key, ``service`` what its preset says about it. ``marks`` is what is known about
    endpoints (see `.marks`) and is written to. ``state`` "server" lets the server keep the conversation too.
    ``timeout`` is the longest silence, in seconds. The SDK's own retries are off: `statebook.run.asking` asks again,
    so that every try is journaled.
    """

    def __init__(
        self,
        model: str,
        where: Endpoint,
        service: Service = Service(),
        *,
        marks: MutableMapping[str, str] | None = None,
        state: StatePlace = "client",
        timeout: float = _SILENCE_SECONDS,
    ) -> None:
        self.name = f"{service.provider}:{model}"
        self._model = model
        self._where = where
        self._service = service
        self._learned = Learned(service.dialect, state, {} if marks is None else marks, where.name)
        self._timeout = timeout
        self._client: tuple[asyncio.AbstractEventLoop, AsyncOpenAI] | None = None
        self._priced: asyncio.Future[None] | None = None

    @cached_property
    def context_tokens(self) -> int:
        """See `Model.context_tokens`."""
        told = self._service.context_tokens
        return told if isinstance(told, int) else told()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `Model.stream`.

        A refusal that tells how to ask otherwise (another API, one option less, no id) is followed, as long as nothing
        has been shown. What an answer cost that is thrown away on the way is told as `Metered`, ``discarded``.
        """
        first = self._learned.first(request)
        trial: Trial | None = Trial(first)
        while trial is not None:
            try:
                async with aclosing(self._make(trial, request)) as made:
                    async for event in made:
                        yield event
            except Exception as error:
                failure = self._heed(self._told(error))
                following = trial.next(failure, request)
                if following is None:
                    raise failure from error
                for counted in trial.thrown_away():
                    yield counted
                trial = following
            else:
                self._learned.settle(first, trial.attempt, id_unknown=trial.id_unknown)
                trial = None

    def price(self, usage: Usage) -> float | None:
        """See `Model.price`."""
        price = self._service.price
        if self._priced is not None and not self._priced.done():
            return None  # stopped before the table was read: to wait for it would hold the stop up
        return price(self._service.provider, self._model, usage, self._where.base_url) if price else None

    async def _make(self, trial: Trial, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The events of one attempt. Those of a server whose memory is unproved are held back until it is proved."""
        attempt, put = trial.attempt, trial.attempt.request(request)
        api = dialect(attempt, f"{self._where.name} {self._model}", official=self._where.base_url == OFFICIAL)
        trial.optional = api.optional
        trial.body, fingerprint = _encodable(api.body(self._model, put, without=attempt.without))
        key = f"{request.idempotency_key}:{fingerprint}" if request.idempotency_key else ""
        held: list[ModelEvent] | None = [] if attempt.anchored and not self._learned.proved else None
        grown = api.accumulator()
        if self._service.price:  # a third of a second, once: beside the request, off the loop
            self._priced = asyncio.get_running_loop().run_in_executor(None, prices.load)
        async with aclosing(self._deltas(api, trial.body, key, grown)) as deltas:
            async for delta in deltas:
                if held is not None and not isinstance(delta, Metered):
                    held.append(delta)
                    continue
                trial.note(delta)
                yield delta
        done = grown.completion()
        if self._priced is not None:
            await self._priced
        trial.note(Metered(done.usage, done.dollars))
        if put.anchor is not None and not went_on(done.usage, put.anchor):
            self._learned.forgets()
            raise Forgotten
        for delta in held or ():
            yield delta
        yield done if attempt.keep else replace(done, response_id="")  # an id stands for what the server keeps

    async def _deltas(
        self, api: Dialect, body: dict[str, Any], key: str, grown: Growing
    ) -> AsyncGenerator[ModelEvent, None]:
        answer = await self._post(api.route, body, key)
        try:
            async for event in until_quiet(events(answer, self._where.name), lambda: grown.ended):
                for delta in grown.feed(event):
                    yield delta
                if grown.finished:
                    break
        except Exception:
            if not grown.ended:  # else only the closing of the connection went wrong
                raise
        finally:
            await answer.close()

    async def _post(self, route: str, body: dict[str, Any], key: str) -> AsyncStream[object]:
        secret = self._where.usable_key(self._service.key_hint, optional=self._service.key_optional)
        openai = await asyncio.to_thread(importlib.import_module, "openai")  # half a second, off the loop, once
        client = self._client_for(openai, secret)
        headers = {"Idempotency-Key": key} if key else {}
        answer: AsyncStream[object] = await client.post(
            route,
            cast_to=object,
            body=body,
            stream=True,
            stream_cls=openai.AsyncStream[object],
            options={"headers": headers, "follow_redirects": False},  # prompt and key are for this server
        )
        return answer

    def _client_for(self, openai: Any, key: str) -> AsyncOpenAI:
        """One client per event loop: a connection pool can't be shared between loops."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client[0] is not loop:
            options = {
                "api_key": key,
                "base_url": self._where.base_url,
                "max_retries": 0,
                "timeout": openai.Timeout(self._timeout, connect=min(_CONNECT_SECONDS, self._timeout)),
                "default_headers": dict(self._service.headers),
            }
            made = self._service.connect(openai, options)
            self._client = (loop, made)
        return self._client[1]

    def _told(self, error: Exception) -> ModelError:
        failure = error
        if not isinstance(failure, ModelError):
            failure = errors.from_exception(
                error, self._where.name, self._model, key_check=self._service.key_check, local=self._where.loopback
            )
        # it is journaled, and servers quote what they were sent: a key that lies across the cut must be gone before it
        failure.message = clipped(self._where.hushed(failure.message))
        return failure

    def _heed(self, failure: ModelError) -> ModelError:
        """A server that tells how little its model takes is sent no more than that, and may be asked again at once."""
        if isinstance(failure, errors.Reported) and 0 < failure.told.room < self.context_tokens:
            self.context_tokens = failure.told.room
            failure.retryable, failure.wait = True, 0.0
        return failure


def _encodable(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """``body`` with ``?`` for lone surrogates, which a prompt may hold and UTF-8 can't; and its fingerprint.

    The fingerprint goes into the idempotency key, which stands for the very bytes it was first sent with: a server
    that keeps keys refuses another body under one.
    """
    text = json.dumps(body, ensure_ascii=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
        body = json.loads(data)
    return body, digest(data)[:16]
