"""Finds out how many tokens a model takes: what the person says, what is remembered, known or told by its server."""

from __future__ import annotations

from typing import Any

from statebook.model.base import ModelSetup
from statebook.model.openai.settings import Endpoint
from statebook.model.prices import context_window

from .listing import ask, fetch, positive

HOSTED = 128_000
"""Where nothing is known of a model on the network: what current models take at least."""

LOCAL = 8_192
"""Where nothing is known of a model near by: many local servers cut off silently what is longer than they were started
with, and that is often little."""

UNCUT = 1_000_000
"""Where the server may not be asked, as its answers are only replayed: most conversations were recorded uncut."""

_NEAR_SECONDS = 0.3
_LAN_SECONDS = 1.0


def window(provider: str, model: str, where: Endpoint, setup: ModelSetup) -> int:
    """The context of a model in tokens. Asks only servers on this machine or a private network, once a week."""
    given = setup.env.get("STATEBOOK_CONTEXT_TOKENS", "")
    if given.isdigit() and int(given):
        return int(given)
    place = f"{where.name}#{model}"
    remembered = setup.marks.get(place, "")
    if remembered.isdigit() and int(remembered):
        return int(remembered)
    if not where.local:
        return context_window(provider, model, where.base_url) or HOSTED
    if setup.quiet:
        return UNCUT
    told = _told(provider, model, where)
    if told is None:
        return HOSTED if provider == "litellm" else LOCAL  # a gateway: the models behind it are elsewhere
    setup.marks[place] = str(told)
    return told


def _told(provider: str, model: str, where: Endpoint) -> int | None:
    """The context that a near server has given the model, which may be less than the model could take."""
    seconds = _NEAR_SECONDS if where.loopback else _LAN_SECONDS
    if provider == "ollama":  # https://docs.ollama.com/api/ps
        running = _rows(fetch(where, "/api/ps", seconds), "models")
        return _one(running, {model, f"{model}:latest"}, "name", "context_length")
    if provider == "lmstudio":  # https://lmstudio.ai/docs/api/rest-api
        return _one(_rows(fetch(where, "/api/v0/models", seconds), "data"), {model}, "id", "loaded_context_length")
    found = ask(where, {}, "", seconds)
    listed = next((each.context_tokens for each in found.models if each.name == model), None)
    return listed if listed or found.problem else _of_llama_cpp(fetch(where, "/props", seconds))


def _of_llama_cpp(props: Any) -> int | None:
    """https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (``GET /props``)."""
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    return positive(settings.get("n_ctx")) if isinstance(settings, dict) else None


def _rows(found: Any, name: str) -> list[dict[str, Any]]:
    rows = found.get(name) if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _one(rows: list[dict[str, Any]], names: set[str], called: str, holds: str) -> int | None:
    return next((positive(row.get(holds)) for row in rows if row.get(called) in names), None)
