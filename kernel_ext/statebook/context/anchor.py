"""Which response of a server the next request can go on from, where the server keeps the conversation too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from statebook.protocol.journal.runs import ModelRecord, Run
from statebook.protocol.messages import Reasoning
from statebook.protocol.models import Anchor, ModelRequest

from .tokens import estimate_message
from .window import request_digest

_TRIED = 3
"""How many answers are tried: each costs a digest of the conversation before it."""


def anchor_of(request: ModelRequest, runs: Iterable[Run], model: str) -> Anchor | None:
    """The newest answer of ``model`` that was asked for with exactly what the request begins with; None for none.

    ``runs`` are those whose answers may stand in the request, newest first. That the beginning is the same (the same
    first run, system text, tools and messages, nothing elided, outlined or compacted since) is not concluded but
    proved, by the digest that was recorded with the request of that answer.
    """
    kept = [(run, record) for run in runs for record in reversed(run.models) if _kept(record, model)]
    for run, record in kept[:_TRIED]:
        place = max((n for n, message in enumerate(request.messages) if message == record.message), default=0)
        before = replace(request, messages=request.messages[:place], temperature=run.started.temperature)
        if place and request_digest(before) == record.digest:
            return Anchor(record.response_id, place + 1, _least(record))
    return None


def _least(record: ModelRecord) -> int:
    """What a server that goes on from this answer counts at least: what it had counted, and half of what it said.

    The whole request is no measure: a long answer to a short prompt is forgotten unseen when the next prompt is longer.
    Half, as an answer may count for less when it is read back; without reasoning, which servers leave out of it.
    """
    sent = record.usage.input
    if record.message is None or not sent:
        return sent
    said = replace(record.message, parts=tuple(p for p in record.message.parts if not isinstance(p, Reasoning)))
    return sent + min(record.usage.output - record.usage.reasoning, estimate_message(said)) // 2


def _kept(record: ModelRecord, model: str) -> bool:
    """Whether its server was asked to keep this answer; one that was repeated from the journal was not asked for."""
    return bool(record.response_id) and record.message is not None and record.model == model and not record.repeats
