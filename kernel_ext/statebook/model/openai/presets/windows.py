"""Finds out how many tokens a model takes: what the person says, what is remembered, known or told by its server."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from statebook.model.openai.settings import Endpoint
from statebook.model.prices import context_window

from .listing import ask, loaded_by_ollama

HOSTED = 128_000
"""Where nothing is known of a model on the network: what current models take at least."""

LOCAL = 8_192
"""Where nothing is known of a model near by: many local servers cut off silently what is longer than they were started
with, and that is often little."""

_NEAR_SECONDS = 0.3
_LAN_SECONDS = 1.0


def window(provider: str, model: str, where: Endpoint, env: Mapping[str, str], marks: MutableMapping[str, str]) -> int:
    """The context of a model in tokens. Asks only servers on this machine or a private network, once a week."""
    given = env.get("STATEBOOK_CONTEXT_TOKENS", "")
    if given.isdigit() and int(given):
        return int(given)
    place = f"{where.name}#{model}"
    remembered = marks.get(place, "")
    if remembered.isdigit() and int(remembered):
        return int(remembered)
    if not where.local:
        return context_window(provider, model, where.base_url) or HOSTED
    told = _told(provider, model, where)
    if told is None:
        return LOCAL
    marks[place] = str(told)
    return told


def _told(provider: str, model: str, where: Endpoint) -> int | None:
    seconds = _NEAR_SECONDS if where.loopback else _LAN_SECONDS
    if provider == "ollama":
        found = loaded_by_ollama(where, seconds)
        names = {model, f"{model}:latest"}
    else:
        found = ask(where, {}, "", seconds)
        names = {model}
    return next((each.context_tokens for each in found.models if each.name in names), None)
