"""What a server's refusal says about how to ask: another route, one option less, no id, no reasoning item."""

from __future__ import annotations

import re
from typing import Any

from statebook.model.openai.errors import Told

_ROUTE = re.compile(
    r"unexpected endpoint|(unknown|invalid|unrecognized|unsupported) (request )?(url|path|endpoint|route|method)"
    r"|cannot post|no (such )?route|page not found|(path|route|endpoint) .*not found|no handler",
    re.IGNORECASE,
)
_OTHER_API = re.compile(
    r"chat[/ .]completions|responses api|v1/responses|/responses\b|responses endpoint", re.IGNORECASE
)
_REASONING = re.compile(r"\brs_\w+|reasoning|encrypted", re.IGNORECASE)
_LOST = re.compile(
    r"not found|expired|no longer|does not exist|invalid_encrypted|could not be (verified|decrypted|parsed)|decrypt"
    r"|without its required",
    re.IGNORECASE,
)
_FILE = re.compile(r"image|vision|multi-?modal|input_file|file_data|\bpdf\b|\bfiles?\b", re.IGNORECASE)
_OPTION_WORDS = {
    "include": r"\binclude\b|encrypted",
    "reasoning": r"\breasoning\b",
    "text": r"\btext\.format\b|json_schema|json_object|response_format|structured outputs?",
    "response_format": r"response_format|json_schema|json_object|structured outputs?",
    "max_completion_tokens": r"max_completion_tokens",
    "strict": r"\bstrict\b|invalid schema|invalid_function_parameters|additionalproperties",
}
"""How servers speak of an option where they do not quote its name."""

_MISSING = frozenset({404, 405, 501})
_REFUSING = frozenset({0, 400, 404, 409, 422, 500, 501})
_STATELESS = frozenset({0, 400, 404, 409, 422, 501})


def route_missing(told: Told) -> bool:
    """Whether the server does not have the route at all; an unknown model is a 404 too, and is none."""
    if _ROUTE.search(told.text):
        return True
    return told.status in _MISSING and not (told.status == 404 and told.no_model)  # noqa: PLR2004 - a status code is its own name


def wants_other_api(told: Told) -> bool:
    """Whether it has the route, but this model answers on the other one only."""
    return told.status in _REFUSING and bool(_OTHER_API.search(told.text)) and told.no_model


def refused_option(told: Told, body: dict[str, Any], optional: tuple[str, ...]) -> str:
    """The option of ``optional``, among those that ``body`` has, which the server refuses by name; else ""."""
    if told.status not in _REFUSING - {404, 409}:
        return ""
    if told.param.startswith(("input", "messages")):
        return ""
    sent = [name for name in optional if name in body or (name == "strict" and _has_strict(body))]
    named = re.split(r"[.\[]", told.param)[0]
    if named in sent:
        return named
    for name in sent:
        if re.search(_OPTION_WORDS.get(name, rf"\b{re.escape(name)}\b"), told.words, re.IGNORECASE):
            return name
    return ""


def reasoning_lost(told: Told) -> bool:
    """Whether a reasoning item that went back is not known there any more, or can't be read."""
    return told.status in _REFUSING and bool(_REASONING.search(told.words)) and bool(_LOST.search(told.words))


def echo_refused(told: Told, body: dict[str, Any]) -> bool:
    """Whether a chat server names reasoning among the messages, which it has sent itself, as what it can't take."""
    if told.status not in _REFUSING:
        return False
    named = set(re.findall(r"reasoning(?:_content|_details)?", f"{told.param} {told.words}"))
    return any(named & message.keys() for message in body.get("messages") or ())


def files_refused(told: Told) -> bool:
    """Whether it is a picture or another file that the model does not take."""
    return told.status in _REFUSING and bool(_FILE.search(f"{told.param} {told.words}"))


def id_refused(told: Told) -> bool:
    """Whether a request that carried a response's id may have been refused for it."""
    return told.status in _STATELESS and not told.overflow


def id_unknown(told: Told) -> bool:
    """Whether the server speaks of this one id: it keeps conversations, but not this one any more."""
    return bool(re.search(r"previous_response_not_found|previous response\b.*not found", told.words, re.IGNORECASE))


def _has_strict(body: dict[str, Any]) -> bool:
    """Whether anything in the request is to be held to strictly."""
    tools = [tool.get("function", tool) for tool in body.get("tools") or ()]
    forms = [(body.get("text") or {}).get("format") or {}, (body.get("response_format") or {}).get("json_schema") or {}]
    return any(each.get("strict") for each in [*tools, *forms])
