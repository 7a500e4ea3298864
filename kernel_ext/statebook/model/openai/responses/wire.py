"""A ModelRequest as the body of ``POST /responses``, with the same bytes for the same request.

Shapes: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import re
from typing import Any

from statebook.model.openai.content.schema import strict_ready, wire_name
from statebook.protocol.calls import AnswerForm
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

from .conversation import items

ENCRYPTED = "reasoning.encrypted_content"

OPTIONAL = ("include", "reasoning", "prompt_cache_key", "parallel_tool_calls", "text", "strict", "store")
"""Options a server may refuse by name. ``strict`` is the promise to hold a schema to the letter, wherever it stands."""

_REASONS = re.compile(r"(o\d|gpt-[5-9]|gpt-\d\d|codex|computer-use)")
"""How the names of models begin that think before they answer, and can summarise what they thought."""


def body(
    model: str,
    request: ModelRequest,
    *,
    without: frozenset[str] = frozenset(),
    source: str = "",
    keep: bool = False,
) -> dict[str, Any]:
    """The JSON body. What rarely changes stands first, so that a provider's prefix cache can hold it.

    ``include`` asks for reasoning that can be sent back; models that do not reason may refuse it. ``without`` names
    options (of `OPTIONAL`) to leave out. ``source`` names the server and model: reasoning goes back only to where it
    came from. ``keep`` asks the server to keep the answer; with an anchor it is then told only what is new.
    """
    strict = "strict" not in without
    made: dict[str, Any] = {"model": model}
    if request.system:
        made["instructions"] = request.system
    if request.tools:
        made["tools"] = [_tool(spec, strict=strict) for spec in request.tools]
        made["parallel_tool_calls"] = True
    form = _form(request.answer, strict=strict)
    if form is not None:
        made["text"] = {"format": form}
    made["store"] = keep
    made["stream"] = True
    made["include"] = [ENCRYPTED]
    if _REASONS.match(model.rpartition("/")[2]):
        made["reasoning"] = {"summary": "auto"}
    if request.cache_key:
        made["prompt_cache_key"] = request.cache_key
    if request.temperature is not None:
        made["temperature"] = request.temperature
    messages = request.messages
    if request.anchor is not None:
        made["previous_response_id"] = request.anchor.response_id
        messages = messages[request.anchor.covers :]
    made["input"] = items(messages, request.files, source)
    if request.max_output_tokens is not None:  # after the input: it shrinks from call to call under a limit
        made["max_output_tokens"] = request.max_output_tokens
    return {key: value for key, value in made.items() if key not in without}


def _tool(spec: ToolSpec, *, strict: bool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
        "strict": strict and strict_ready(spec.parameters),
    }


def _form(answer: AnswerForm, *, strict: bool) -> dict[str, Any] | None:
    """The wished form of the answer, where the API has a word for it: an object. Lists are asked for in the prompt."""
    if not answer.structured:
        return None
    if not answer.schema:
        return {"type": "json_object"} if answer.kind == "json" else None
    if answer.schema.get("type") != "object":
        return None
    held = strict and strict_ready(answer.schema)
    return {"type": "json_schema", "name": wire_name(answer.name), "schema": answer.schema, "strict": held}
