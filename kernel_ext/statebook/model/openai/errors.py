"""Every way a model server fails, as a ModelError: one line, what to do next, whether to ask again."""

from __future__ import annotations

import re
from typing import Any

from statebook.errors import ModelError

_LONGEST = 300
_OVERFLOW = re.compile(
    r"context[_ ](length|window|size)|maximum context|too many tokens|exceed_context_size", re.IGNORECASE
)
_BUSY = re.compile(r"rate_limit|server_error|overloaded|unavailable|timeout|internal", re.IGNORECASE)
_SECRET = re.compile(r"\b(sk|sess|key)-[\w*-]{6,}")
_USER = re.compile(r"(?<=://)[^\s/@]*@")
_QUERY = re.compile(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*")
_OVERLOADED = 529
_SERVER_FAULT = 500


def from_exception(error: Exception, where: str, model: str) -> ModelError:
    """What the SDK raised, told for people. ``where`` is the server's name, as it may be shown."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _status(error, where, model)
    if isinstance(error, openai.APITimeoutError):
        return ModelError(f"{where} did not answer in time.", "Ask again, or raise the time limit.", retryable=True)
    if isinstance(error, openai.APIConnectionError):
        return _connection(error, where)
    if isinstance(error, openai.APIError):
        return from_event({"error": error.body if isinstance(error.body, dict) else {"message": error.message}})
    what = f"{type(error).__name__}: {_short(str(error))}"
    if isinstance(error, ValueError):  # json.JSONDecodeError and UnicodeDecodeError among them
        what = "something that is not JSON"
    return ModelError(f"{where} sent what can't be read: {what}.", "Ask again; check the base URL.", retryable=True)


def from_event(event: dict[str, Any]) -> ModelError:
    """An error inside a stream that had begun with 200."""
    found = event.get("error")
    detail = found if isinstance(found, dict) else event
    text = str(detail.get("message") or (found if isinstance(found, str) else "") or "no reason given")
    code = str(detail.get("code") or detail.get("type") or "")
    if _OVERFLOW.search(f"{code} {text}"):
        return _overflow(text)
    busy = bool(_BUSY.search(code))
    hint = "Ask again in a moment." if busy else "Change the request, or choose another model with -m."
    return ModelError(f"The model failed: {_short(text)}.", hint, retryable=busy)


def not_a_stream(where: str, media_type: str) -> ModelError:
    """An answer of another kind, e.g. the web page of a proxy."""
    kind = "a web page" if "html" in media_type else f"{media_type or 'nothing readable'}"
    return ModelError(
        f"{where} answered with {kind}, not with a model's stream.", "Check the base URL: most end in /v1."
    )


def empty(where: str) -> ModelError:
    """A stream that ended before its first event."""
    return ModelError(f"{where} ended its answer before it began.", "Ask again.", retryable=True)


def wants_no_encrypted_reasoning(error: Exception) -> bool:
    """Whether a server refused only our wish to get reasoning in a form that can be sent back."""
    import openai

    return isinstance(error, openai.BadRequestError) and bool(
        re.search(r"encrypted|\binclude\b", str(error.message), re.IGNORECASE)
    )


def _status(error: Any, where: str, model: str) -> ModelError:
    status, text = int(error.status_code), _reason(error)
    if _OVERFLOW.search(f"{error.code} {text}"):
        return _overflow(text)
    if status == 429:  # noqa: PLR2004 (the status codes of RFC 9110 and RFC 6585 are their own names)
        return _too_many(error, where, text)
    if status >= _SERVER_FAULT:
        busy = "is overloaded" if status in {503, _OVERLOADED} else "has a fault of its own"
        return ModelError(f"{where} {busy} ({status}): {text}.", "Ask again in a moment.", retryable=True)
    told = {
        401: (f"{where} refused the key (401).", "Check OPENAI_API_KEY."),
        403: (f"{where} does not allow this (403): {text}.", "Check what the key may use."),
        404: (f"{where} knows no model {model!r} (404): {text}.", "Check the name after -m, and the base URL."),
        408: (f"{where} gave up waiting (408).", "Ask again."),
    }
    message, hint = told.get(status, (f"{where} refused the request ({status}): {text}.", "Change it, or the model."))
    return ModelError(message, hint, retryable=status in {408, 409})


def _too_many(error: Any, where: str, text: str) -> ModelError:
    if "insufficient_quota" in f"{error.code} {error.type}":
        return ModelError(f"{where}: the account has no quota left (429).", "Check its plan and billing.")
    wait = str(error.response.headers.get("retry-after") or "")
    when = f"in {wait} s" if wait.replace(".", "").isdigit() else "in a moment"
    return ModelError(f"{where} has had too many requests (429): {text}.", f"Ask again {when}.", retryable=True)


def _connection(error: Exception, where: str) -> ModelError:
    cause = error.__cause__
    if "RemoteProtocol" in type(cause).__name__ or "Read" in type(cause).__name__:
        return ModelError(f"The connection to {where} broke off.", "Ask again.", retryable=True)
    detail = f": {_short(str(cause))}" if cause and str(cause) else ""
    return ModelError(f"{where} can't be reached{detail}.", "Is it running, and the base URL right?", retryable=True)


def _overflow(text: str) -> ModelError:
    return ModelError(
        f"The request is longer than the model's context: {_short(text)}.",
        "Hand over less (fewer or shorter attachments, `%agent new`), or choose a model with a larger context.",
    )


def _reason(error: Any) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return _short(body["message"])
    text = re.sub(r"^Error code: \d+( - )?", "", str(error.message))
    return _short(re.sub(r"<[^>]*>", " ", text)) or "no reason given"


def _short(text: str) -> str:
    """One line, without a key or a URL's password or query that may have been quoted, cut to a readable length."""
    line = _QUERY.sub(r"\1", _USER.sub("", _SECRET.sub("[key]", " ".join(text.split())))).rstrip(". ")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
