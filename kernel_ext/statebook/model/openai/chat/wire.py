"""A ModelRequest as the body of ``POST /chat/completions``, with the same bytes for the same request.

Shapes: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Any

from statebook.model.openai.content.schema import strict_ready, wire_name
from statebook.protocol.calls import AnswerForm
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

from .messages import conversation

OPTIONAL = (
    "max_completion_tokens",
    "stream_options",
    "parallel_tool_calls",
    "response_format",
    "prompt_cache_key",
    "strict",
)
"""Options a server may refuse by name. Without ``max_completion_tokens`` its older name ``max_tokens`` is used."""


def body(
    model: str,
    request: ModelRequest,
    *,
    without: frozenset[str] = frozenset(),
    source: str = "",
    cache_key: bool = False,
) -> dict[str, Any]:
    """The JSON body. What rarely changes stands first, so that a provider's prefix cache can hold it.

    ``without`` names options (of `OPTIONAL`) to leave out. ``source`` names the server and model, so that reasoning
    and signatures go back only to where they came from. ``cache_key`` sends ``prompt_cache_key``, which strict servers
    refuse.
    """
    made: dict[str, Any] = {"model": model}
    if request.tools:
        made["tools"] = [_tool(spec, strict="strict" not in without) for spec in request.tools]
        made["parallel_tool_calls"] = True
    form = _response_format(request.answer, strict="strict" not in without)
    if form is not None:
        made["response_format"] = form
    made["stream"] = True
    made["stream_options"] = {"include_usage": True}
    if cache_key and request.cache_key:
        made["prompt_cache_key"] = request.cache_key
    if request.temperature is not None:
        made["temperature"] = request.temperature
    system = [{"role": "system", "content": request.system}] if request.system else []
    made["messages"] = system + conversation(request.messages, request.files, source)
    if request.max_output_tokens is not None:  # after the messages: it shrinks from call to call under a limit
        older = "max_completion_tokens" in without
        made["max_tokens" if older else "max_completion_tokens"] = request.max_output_tokens
    return {key: value for key, value in made.items() if key not in without}


def _tool(spec: ToolSpec, *, strict: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    if strict and strict_ready(spec.parameters):
        function["strict"] = True
    return {"type": "function", "function": function}


def _response_format(answer: AnswerForm, *, strict: bool) -> dict[str, Any] | None:
    """The wished form of the answer, where the API has a word for it: an object. Lists are asked for in the prompt."""
    if not answer.structured:
        return None
    if not answer.schema:
        return {"type": "json_object"} if answer.kind == "json" else None
    if answer.schema.get("type") != "object":
        return None
    schema: dict[str, Any] = {"name": wire_name(answer.name), "schema": answer.schema}
    if strict and strict_ready(answer.schema):
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}
