"""Reads an answer's events off the wire, whatever kind of body a server sends them in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from statebook.model.openai import errors

if TYPE_CHECKING:
    from openai import AsyncStream


_TAIL_SECONDS = 5.0


async def until_quiet(stream: AsyncIterator[object], ended: Callable[[], bool]) -> AsyncIterator[object]:
    """``stream`` to its end. Once the answer has ``ended``, a silence of a few seconds is the end of the stream too.

    What may follow an answer are its token counts; some servers send none and leave the connection open.
    """
    while True:
        try:
            async with asyncio.timeout(_TAIL_SECONDS if ended() else None):
                event = await anext(stream)
        except StopAsyncIteration:
            return
        yield event


async def events(answer: AsyncStream[object], where: str) -> AsyncIterator[object]:
    """The stream's events; an answer sent as one plain JSON object counts as its own only event.

    Raises ModelError for a body that holds no event: a web page, nothing at all.
    """
    media_type = answer.response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        await answer.response.aread()
        yield _whole(answer.response.json())
        return
    if media_type in {"text/html", "application/xhtml+xml"}:
        raise errors.not_a_stream(where, media_type)
    count = 0
    async for event in answer:
        count += 1
        yield event
    if not count:
        streams = media_type in {"", "text/event-stream"}
        raise errors.empty(where) if streams else errors.not_a_stream(where, media_type)


def _whole(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or (body.get("error") and not (body.get("output") or body.get("choices"))):
        raise errors.from_event({"error": body})
    if "choices" in body:
        return body
    status = body.get("status")
    ending = status if status in {"failed", "incomplete"} else "completed"
    return {"type": f"response.{ending}", "response": body}
