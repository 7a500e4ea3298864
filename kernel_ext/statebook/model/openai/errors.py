"""Every way a model server fails, as a ModelError: one line, what to do next, whether and when to ask again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time
from typing import Any
from urllib.parse import urljoin

from statebook.errors import ModelError
from statebook.model.openai.content.shapes import entries
from statebook.redaction import quotable, shown_url

_OVERFLOW = re.compile(
    r"context[_ ](length|window|size)|maximum (context|prompt|input)|too many tokens|exceed_context_size"
    r"|(prompt|input|request) is too long|exceeds? the (available |model'?s? )?context",
    re.IGNORECASE,
)
_ROOM = re.compile(r"(?:maximum )?context (?:length|window|size)(?: is| of|:)? (\d[\d,]{2,})", re.IGNORECASE)
_FILTERED = re.compile(
    r"content_?(filter|policy)|policy_violation|bio_policy|responsible_?ai|invalid_prompt", re.IGNORECASE
)
_BUSY = re.compile(r"server_error|overloaded|unavailable|timeout|internal|try again", re.IGNORECASE)
_RATE = re.compile(r"rate_?limit|too_many_requests", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodels?\b|model_not_found", re.IGNORECASE)
_AGAIN_IN = re.compile(r"try again in ([\d.]+) ?(ms|s|m)\b", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_OVERLOADED = (503, 529)
_SERVER_FAULT = 500
_LATER = "Ask again in a moment."
_LONG = 120
"""Seconds from which a wait is told in minutes."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a server said of a failure: the HTTP status (0 for an error inside a stream) and its own words."""

    status: int
    text: str = ""
    code: str = ""
    param: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def words(self) -> str:
        """Everything that may name the cause."""
        return f"{self.code} {self.text}"

    @property
    def overflow(self) -> bool:
        """Whether the request was longer than the model's context."""
        return bool(_OVERFLOW.search(self.words))

    @property
    def room(self) -> int:
        """How many tokens the model's context holds, where an overflow tells; else 0."""
        told = self.detail.get("n_ctx")
        if isinstance(told, int):
            return told
        said = _ROOM.search(self.text) if self.overflow else None
        return int(said[1].replace(",", "")) if said else 0

    @property
    def no_model(self) -> bool:
        """Whether it is the model that is not there, rather than the address."""
        return bool(_NO_MODEL.search(self.words))


class Reported(ModelError):
    """A failure that the server itself reported: ``told`` is what it said."""

    def __init__(self, told: Told, message: str, hint: str, **more: Any) -> None:
        super().__init__(message, hint, **more)
        self.told = told


def from_exception(
    error: Exception, where: str, model: str, *, key_check: str = "Check OPENAI_API_KEY.", local: bool = False
) -> ModelError:
    """What the SDK raised, told for people.

    ``where`` is the server's name, as it may be shown, ``key_check`` what to do about a key that was refused, ``local``
    whether the server is this machine's own.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        moved = error.response.has_redirect_location
        return _redirect(error.response, where) if moved else _status(error, where, model, key_check)
    if isinstance(error, openai.APITimeoutError):
        return _timeout(where)
    if isinstance(error, openai.APIConnectionError):
        return _connection(error, where, local=local)
    if isinstance(error, openai.APIError):
        return from_event({"error": error.body or error.message})
    if isinstance(error, openai.OpenAIError):  # the SDK found no credentials
        return ModelError(f"{where} can't be asked: {quotable(str(error))}.", key_check, fault="no_key")
    what = f"{type(error).__name__}: {quotable(str(error))}"
    if isinstance(error, ValueError):  # json.JSONDecodeError and UnicodeDecodeError among them
        what = "something that is not JSON"
    return ModelError(
        f"{where} sent what can't be read: {what}.",
        "Ask again; check the base URL.",
        retryable=True,
        fault="malformed",
    )


def from_event(event: dict[str, Any]) -> Reported:
    """An error inside a stream that had begun with 200."""
    found = event.get("error")
    told = read(0, found or event, "no reason given")
    text = quotable(told.text)
    special = _special(told)
    if special is not None:
        return special
    if _RATE.search(told.code) or told.code == "429":
        wait = _wait({}, told)
        return Reported(
            told, f"The model failed: {text}.", _when(wait), retryable=True, fault="rate_limited", wait=wait
        )
    busy = bool(_BUSY.search(told.code)) or told.code[:1] == "5"
    fault = ("overloaded" if "overload" in told.code else "server_fault") if busy else "refused_request"
    hint = _LATER if busy else "Change the request, or choose another model with -m."
    return Reported(told, f"The model failed: {text}.", hint, retryable=busy, fault=fault)


def not_a_stream(where: str, media_type: str) -> ModelError:
    """An answer of another kind, e.g. the web page of a proxy."""
    kind = "a web page" if "html" in media_type else f"{media_type or 'nothing readable'}"
    return ModelError(
        f"{where} answered with {kind}, not with a model's stream.",
        "Check the base URL: most end in /v1.",
        fault="not_a_stream",
    )


def empty(where: str) -> ModelError:
    """A stream that ended before its first event."""
    return ModelError(f"{where} ended its answer before it began.", "Ask again.", retryable=True, fault="truncated")


def broke_off() -> ModelError:
    """A stream that ended properly, but without its terminal event."""
    return ModelError(
        "The answer broke off before its end.",
        "Ask again: nothing was recorded as done.",
        retryable=True,
        fault="truncated",
    )


def filtered(told: Told) -> Reported:
    """An answer that a content filter held back."""
    why = f": {quotable(told.text)}" if told.text else ""
    return Reported(
        told,
        f"The provider's content filter stopped this{why}.",
        "Word it otherwise, or choose another model with -m.",
        fault="filtered",
    )


def read(status: int, body: object, fallback: str) -> Told:
    """What an error's body says, in whichever of the shapes that servers use.

    OpenAI ``{message, code, param, type}``, the same inside ``error`` (once more inside a list: Gemini), a bare string
    (Ollama), FastAPI's ``detail`` (a string, or a list with ``msg`` and ``loc``), or a page of HTML.
    """
    if isinstance(body, list):
        body = body[0] if body else {}
    if isinstance(body, dict) and body.get("error"):
        body = body["error"]
    if not isinstance(body, dict):
        return Told(status, str(body) if isinstance(body, str) and body else fallback)
    text, param = body.get("message") or body.get("detail") or fallback, body.get("param")
    if isinstance(text, list):
        told = entries(text)
        steps = told[0].get("loc") if told else None
        param = param or (".".join(map(str, steps[1:])) if isinstance(steps, list) else "")
        text = "; ".join(str(each.get("msg", each)) for each in told) or fallback
    codes = [str(body[key]) for key in ("code", "type", "status") if body.get(key) not in (None, "", "error")]
    return Told(status, str(text), " ".join(codes[:2]), str(param or ""), body)


def _status(error: Any, where: str, model: str, key_check: str) -> ModelError:
    told = read(int(error.status_code), error.body, re.sub(r"^Error code: \d+( - )?", "", str(error.message)))
    status, text = told.status, quotable(told.text) or "no reason given"
    special = None if status in {401, 403, 429} else _special(told)
    if special is not None:
        return special
    wait = _wait(error.response.headers, told)
    if status == 429:  # noqa: PLR2004 (the status codes of RFC 9110 and RFC 6585 are their own names)
        return _too_many(told, where, text, wait)
    if status == 501:  # noqa: PLR2004 - see above
        return Reported(told, f"{where} can't do this (501): {text}.", "Choose another model.", fault="refused_request")
    if status == 504:  # noqa: PLR2004 - see above
        return Reported(
            told, f"{where} gave up waiting (504).", _when(wait), retryable=True, fault="timeout", wait=wait
        )
    if status >= _SERVER_FAULT:
        busy, fault = ("is overloaded", "overloaded") if status in _OVERLOADED else ("has a fault of its own", "")
        again = error.response.headers.get("x-should-retry") != "false"
        line = f"{where} {busy} ({status}): {text}."
        return Reported(told, line, _when(wait), retryable=again, fault=fault or "server_fault", wait=wait)
    return _refused(told, where, model, key_check, wait)


def _redirect(response: Any, where: str) -> ModelError:
    """None is followed: it would take the prompt to a server that nobody named."""
    try:
        target = shown_url(urljoin(str(response.request.url), response.headers["location"]))
    except ValueError:
        target = "an address that is none"
    return ModelError(
        f"{where} sends on to another address ({response.status_code}): {quotable(target)}.",
        "Nothing was sent there. If it is the server you mean, set the base URL to it, as far as its /v1.",
        fault="refused_request",
    )


def _refused(told: Told, where: str, model: str, key_check: str, wait: float | None) -> Reported:
    text = quotable(told.text) or "no reason given"
    no_route = told.status == 404 and not told.no_model  # noqa: PLR2004 - see _status
    known = {
        401: (f"{where} refused the key (401).", key_check, "refused_key"),
        402: (f"{where}: the account has no credit left (402): {text}.", "Check its plan and billing.", "no_quota"),
        403: (f"{where} does not allow this (403): {text}.", f"Check what the key may use. {key_check}", "forbidden"),
        404: (
            f"{where} knows no model {model!r} (404): {text}.",
            "Check the name after -m, and the base URL.",
            "unknown_model",
        ),
        405: (
            f"{where} has nothing at this address ({told.status}): {text}.",
            "Check the base URL: most end in /v1.",
            "refused_request",
        ),
        408: (f"{where} gave up waiting (408).", "Ask again.", "timeout"),
        413: (f"The request is too large for {where} (413): {text}.", "Hand over less.", "overflow"),
    }
    fallback = (f"{where} refused the request ({told.status}): {text}.", "Change it, or the model.", "refused_request")
    message, hint, fault = known.get(405 if no_route else told.status, fallback)
    return Reported(told, message, hint, retryable=told.status in {408, 409, 425}, fault=fault, wait=wait)


def _special(told: Told) -> Reported | None:
    """The failures that servers report with any status: too long, filtered."""
    if told.overflow:
        return _overflow(told)
    inner = told.detail.get("innererror")
    if _FILTERED.search(told.code) or (isinstance(inner, dict) and _FILTERED.search(str(inner.get("code")))):
        return filtered(told)
    return None


def _too_many(told: Told, where: str, text: str, wait: float | None) -> Reported:
    if re.search(r"insufficient_quota|billing", told.code):
        line = f"{where}: the account has no quota left (429)."
        return Reported(told, line, "Check its plan and billing.", fault="no_quota")
    line = f"{where} has had too many requests (429): {text}."
    return Reported(told, line, _when(wait), retryable=True, fault="rate_limited", wait=wait)


def _timeout(where: str) -> ModelError:
    return ModelError(
        f"{where} did not answer in time.", "Ask again, or raise the time limit.", retryable=True, fault="timeout"
    )


def _connection(error: Exception, where: str, *, local: bool) -> ModelError:
    cause = error.__cause__
    if "RemoteProtocol" in type(cause).__name__ or "Read" in type(cause).__name__:
        return ModelError(f"The connection to {where} broke off.", "Ask again.", retryable=True, fault="broken_off")
    detail = f": {quotable(str(cause))}" if cause and str(cause) else ""
    hint = "Is it running, and the base URL right?"
    if "CERTIFICATE" in detail.upper():
        return ModelError(f"{where} can't be trusted{detail}.", "Check its certificate.", fault="unreachable")
    # a server on this machine that refuses a connection is not running, and does not start by being asked again
    return ModelError(f"{where} can't be reached{detail}.", hint, retryable=not local, fault="unreachable")


def _overflow(told: Told) -> Reported:
    sent, room = told.detail.get("n_prompt_tokens"), told.detail.get("n_ctx")
    numbers = isinstance(sent, int) and isinstance(room, int)
    what = f"{sent:,} tokens, and it takes {room:,}" if numbers else quotable(told.text)
    return Reported(
        told,
        f"The request is longer than the model's context: {what}.",
        "Hand over less (fewer or shorter attachments, `%agent compact`, `%agent new`), or choose a model with a"
        " larger context.",
        fault="overflow",
    )


def _wait(headers: Mapping[str, str], told: Told) -> float | None:
    """Seconds the server asks to wait (``retry-after-ms``, ``Retry-After`` in seconds or as a date, its words)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name) or ""
        try:
            seconds = float(value) * unit
        except ValueError:
            continue
        if isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after") or "").timestamp() - time())
    except ValueError:
        pass
    said = _AGAIN_IN.search(told.text)
    return float(said[1].rstrip(".")) * _UNITS[said[2].lower()] if said else None


def _when(wait: float | None) -> str:
    if wait is None:
        return _LATER
    return f"Ask again in {wait:.0f} s." if wait < _LONG else f"Ask again in {wait / 60:.0f} minutes."
