"""Asks a server that speaks the Responses API and streams what it answers."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from statebook.errors import ModelError
from statebook.model.base import ModelSetup
from statebook.protocol.models import ModelEvent, ModelRequest, Usage

from . import errors, wire
from .accumulate import Accumulator
from .settings import Endpoint, endpoint, model_name

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

_CONNECT_SECONDS = 15.0
_SILENCE_SECONDS = 600.0  # a reasoning model may think for minutes before its first byte


class OpenAIModel:
    """``openai:NAME``. Holds a connection pool, no conversation.

    ``max_retries`` counts the SDK's own retries, all before the stream begins; a stream that has begun is never
    asked for again here, as its first half has been shown. ``timeout`` is the longest silence, in seconds.
    """

    context_tokens = 128_000

    def __init__(self, model: str, where: Endpoint, *, max_retries: int = 2, timeout: float = _SILENCE_SECONDS) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._where = where
        self._max_retries = max_retries
        self._timeout = timeout
        self._encrypted = True
        self._client: tuple[asyncio.AbstractEventLoop, AsyncOpenAI] | None = None

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `Model.stream`."""
        try:
            answer = await self._open(request)
            try:
                grown = Accumulator()
                async for event in _events(answer, self._where.name):
                    for delta in grown.feed(event):
                        yield delta
                    if grown.finished:
                        break
            finally:
                await answer.close()
            yield grown.completion()
        except ModelError:
            raise
        except Exception as error:
            told = errors.from_exception(error, self._where.name, self._model)
            raise told from error

    def price(self, usage: Usage) -> float | None:
        """See `Model.price`."""
        return None

    async def _open(self, request: ModelRequest) -> AsyncStream[object]:
        key = self._where.usable_key()
        openai = await asyncio.to_thread(importlib.import_module, "openai")  # half a second, off the loop, once
        client = self._client_for(openai, key)
        try:
            return await self._post(openai, client, request)
        except openai.BadRequestError as error:
            if not (self._encrypted and errors.wants_no_encrypted_reasoning(error)):
                raise
        self._encrypted = False
        return await self._post(openai, client, request)

    async def _post(self, openai: Any, client: AsyncOpenAI, request: ModelRequest) -> AsyncStream[object]:
        headers = {"Idempotency-Key": request.idempotency_key} if request.idempotency_key else {}
        answer: AsyncStream[object] = await client.post(
            "/responses",
            cast_to=object,
            body=wire.body(self._model, request, encrypted=self._encrypted),
            stream=True,
            stream_cls=openai.AsyncStream[object],
            options={"headers": headers},
        )
        return answer

    def _client_for(self, openai: Any, key: str) -> AsyncOpenAI:
        """One client per event loop: a connection pool can't be shared between loops."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client[0] is not loop:
            made = openai.AsyncOpenAI(
                api_key=key,
                base_url=self._where.base_url,
                max_retries=self._max_retries,
                timeout=openai.Timeout(self._timeout, connect=min(_CONNECT_SECONDS, self._timeout)),
            )
            self._client = (loop, made)
        return self._client[1]


def create(model: str, setup: ModelSetup) -> OpenAIModel:
    """The entry point of ``openai:``. A missing key is an error only when a model is asked."""
    return OpenAIModel(model_name(model, setup.env), endpoint(setup.base_url, setup.env))


def warm() -> threading.Thread:
    """Import the SDK on a background thread, so that the first answer does not wait for it."""

    def load() -> None:
        importlib.import_module("openai")

    thread = threading.Thread(target=load, name="statebook-warm-openai", daemon=True)
    thread.start()
    return thread


async def _events(answer: AsyncStream[object], where: str) -> AsyncIterator[object]:
    """The stream's events; a whole response sent as plain JSON counts as its own terminal event."""
    media_type = answer.response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        await answer.response.aread()
        whole = answer.response.json()
        if not isinstance(whole, dict) or (whole.get("error") and not whole.get("output")):
            raise errors.from_event(whole if isinstance(whole, dict) else {})
        status = whole.get("status")
        ending = status if status in {"failed", "incomplete"} else "completed"
        yield {"type": f"response.{ending}", "response": whole}
        return
    if media_type and media_type != "text/event-stream":
        raise errors.not_a_stream(where, media_type)
    count = 0
    async for event in answer:
        count += 1
        yield event
    if not count:
        raise errors.empty(where)
