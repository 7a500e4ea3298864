"""Asks a server that speaks the Responses API and streams what it answers."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from statebook.errors import ModelError
from statebook.model.base import ModelSetup, StatePlace
from statebook.protocol.models import ModelEvent, ModelRequest, Usage

from . import errors
from .dialect import RESPONSES
from .service import Service
from .settings import Endpoint, endpoint, model_name

if TYPE_CHECKING:
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
        self._marks = {} if marks is None else marks
        self._state = state
        self._timeout = timeout
        self._refused: frozenset[str] = frozenset()
        self._client: tuple[asyncio.AbstractEventLoop, AsyncOpenAI] | None = None

    @cached_property
    def context_tokens(self) -> int:
        """See `Model.context_tokens`."""
        told = self._service.context_tokens
        return told if isinstance(told, int) else told()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `Model.stream`."""
        try:
            answer = await self._open(request)
            try:
                grown = RESPONSES.accumulator()
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
        price = self._service.price
        return price(self._service.provider, self._model, usage, self._where.base_url) if price else None

    async def _open(self, request: ModelRequest) -> AsyncStream[object]:
        key = self._where.usable_key(self._service.key_hint, optional=self._service.key_optional)
        openai = await asyncio.to_thread(importlib.import_module, "openai")  # half a second, off the loop, once
        client = self._client_for(openai, key)
        try:
            return await self._post(openai, client, request)
        except openai.BadRequestError as error:
            if "include" in self._refused or not errors.wants_no_encrypted_reasoning(error):
                raise
        self._refused |= {"include"}
        return await self._post(openai, client, request)

    async def _post(self, openai: Any, client: AsyncOpenAI, request: ModelRequest) -> AsyncStream[object]:
        headers = {"Idempotency-Key": request.idempotency_key} if request.idempotency_key else {}
        answer: AsyncStream[object] = await client.post(
            RESPONSES.route,
            cast_to=object,
            body=RESPONSES.body(self._model, request, without=self._refused),
            stream=True,
            stream_cls=openai.AsyncStream[object],
            options={"headers": headers},
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


def create(model: str, setup: ModelSetup) -> OpenAIModel:
    """The entry point of ``openai:``. A missing key is an error only when a model is asked."""
    where = endpoint(setup.base_url, setup.env)
    return OpenAIModel(model_name(model, setup.env), where, marks=setup.marks, state=setup.state)


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
