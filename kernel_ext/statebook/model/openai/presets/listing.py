"""Asks a server which models it has: ``GET /models``, with the standard library, briefly, following no redirect."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from statebook.model.openai.settings import Endpoint

_LARGEST = 8_000_000
_CONTEXT = ("max_model_len", "context_length", "context_window", "n_ctx", "max_context_length")
"""What servers call a model's context: vLLM, OpenRouter, Groq, llama.cpp, Mistral."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server has; ``context_tokens`` is None where it does not say."""

    name: str
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its models, or as ``problem`` why there is no list."""

    models: tuple[Served, ...] = ()
    problem: str = ""


def ask(where: Endpoint, headers: Mapping[str, str], key_header: str, seconds: float) -> Answer:
    """The models of a server. Never raises; ``seconds`` bounds each wait for it.

    ``key_header`` carries the key where it is not "" (then ``Authorization`` does). Shape of the answer:
    https://platform.openai.com/docs/api-reference/models/list
    """
    sent = {**headers, **_credentials(where, key_header)}
    try:
        found = _get(f"{where.base_url}/models", sent, seconds, direct=where.loopback)
    except HTTPError as error:
        with error:
            return Answer(problem=_refusal(error.code))
    except (OSError, HTTPException, ValueError) as error:  # URLError and timeouts among them
        return Answer(problem=_silence(error))
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        return Answer(problem="answers, but not with a list of models")
    return Answer(tuple(_served(row) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)))


def fetch(where: Endpoint, path: str, seconds: float) -> Any:
    """The JSON at ``path`` of a server, beside its base URL's ``/v1``; None where there is none. Never raises."""
    try:
        url = f"{where.base_url.removesuffix('/v1')}{path}"
        return _get(url, _credentials(where, ""), seconds, direct=where.loopback)
    except (OSError, HTTPException, ValueError):
        return None


def positive(value: object) -> int | None:
    """A whole number above 0, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _served(row: dict[str, Any]) -> Served:
    places = [row, *(value for value in (row.get("meta"), row.get("top_provider")) if isinstance(value, dict))]
    told = (positive(place.get(name)) for place in places for name in _CONTEXT)
    return Served(row["id"].removeprefix("models/"), next((count for count in told if count), None))


def _credentials(where: Endpoint, key_header: str) -> dict[str, str]:
    if where.key:
        return {key_header: where.key} if key_header else {"Authorization": f"Bearer {where.key}"}
    user = urlsplit(where.base_url).netloc.rpartition("@")[0]
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}


def _get(url: str, headers: Mapping[str, str], seconds: float, *, direct: bool) -> Any:
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = Request(bare, headers={"Accept": "application/json", "User-Agent": "statebook", **headers})  # noqa: S310 - http or https, checked where the endpoint was made
    opener = build_opener(_Stay, ProxyHandler({} if direct else None))
    with opener.open(request, timeout=seconds) as answer:
        return json.loads(answer.read(_LARGEST))


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: the key is for this server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the redirect becomes an HTTPError."""


def _refusal(status: int) -> str:
    if status in {401, 403}:
        return f"answers, but refuses the key ({status})"
    return f"answers, but not with a list of models ({status})"


def _silence(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "does not answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(reason, OSError):
        return f"can't be reached: {reason.strerror or 'the connection broke off'}"
    return "answers, but not with a list of models"
