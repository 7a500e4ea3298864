"""What the next model call of a run would send, from its journal and files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

from statebook.context.files import Files
from statebook.context.tokens import calibrate
from statebook.context.window import Past, Window, assemble
from statebook.errors import StoreDamaged
from statebook.model.base import Model
from statebook.protocol.journal.runs import Run
from statebook.run.environment import Environment

_CALIBRATED_ON = 5
"""Newest earlier runs whose counted tokens correct the estimates."""


def window_of(run: Run, env: Environment, files: Mapping[str, bytes] | None = None) -> Window:
    """What the next model call of this run would send; ``files`` are bytes that are not in the store yet."""
    model, context = asked(run, env)
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
        calibrate(recent, model),  # of earlier runs: what this one has sent must not change under it
    )
    return assemble(run, past, tools=env.tools.specs(), context_tokens=context)


async def know_context(model: Model) -> None:
    """Have a model find out how much it takes, where it has yet to ask its server: not while the loop stands still."""
    kind = getattr(type(model), "context_tokens", None)
    if isinstance(kind, cached_property) and "context_tokens" not in vars(model):
        await asyncio.to_thread(getattr, model, "context_tokens")


def asked(run: Run, env: Environment) -> tuple[str, int]:
    """The name and context of the model that the next request is made for."""
    if env.replay is None:
        return env.model.name, env.model.context_tokens
    return env.replay.asked(run, env.model)


def _bytes(env: Environment, digest: str) -> bytes | None:
    """The bytes of a file that came with a prompt; None where they are missing or damaged."""
    with suppress(StoreDamaged):
        return env.store.artifacts.get(digest)
    return None
