"""A ModelRequest as the body of ``POST /responses``, with the same bytes for the same request.

Shapes: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Any

from statebook.protocol.messages import File, Message, Part, Reasoning, Text, ToolCall, ToolResult
from statebook.protocol.models import ModelRequest
from statebook.protocol.tools import ToolSpec

ENCRYPTED = "reasoning.encrypted_content"

OPTIONAL = ("include", "prompt_cache_key", "parallel_tool_calls")
"""Options that only help: left out for a server that refuses them by name."""


def body(model: str, request: ModelRequest, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The JSON body. What rarely changes stands first, so that a provider's prefix cache can hold it.

    ``include`` asks for reasoning that can be sent back; models that do not reason may refuse it. ``without`` names
    options (of `OPTIONAL`) to leave out.
    """
    made: dict[str, Any] = {"model": model}
    if request.system:
        made["instructions"] = request.system
    if request.tools:
        made["tools"] = [_tool(spec) for spec in request.tools]
        made["parallel_tool_calls"] = True
    made["store"] = False
    made["stream"] = True
    made["include"] = [ENCRYPTED]
    if request.cache_key:
        made["prompt_cache_key"] = request.cache_key
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        made["max_output_tokens"] = request.max_output_tokens
    made["input"] = [item for message in request.messages for item in items(message)]
    return {key: value for key, value in made.items() if key not in without}


def items(message: Message) -> list[dict[str, Any]]:
    """One message as input items; neighbouring texts share an item, other parts have their own."""
    made: list[dict[str, Any]] = []
    for place, part in enumerate(message.parts):
        if isinstance(part, Text | File):
            _append_text(made, message, part)
        elif isinstance(part, ToolCall):
            made.append(
                {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments or "{}"}
            )
        elif isinstance(part, ToolResult):
            output = part.text or f"({part.status})"
            made.append({"type": "function_call_output", "call_id": part.call_id, "output": output})
        elif _can_return(part, message.parts[place + 1 :]):
            assert part.item is not None
            made.append(part.item)
    return made


def _append_text(made: list[dict[str, Any]], message: Message, part: Text | File) -> None:
    text = part.text if isinstance(part, Text) else f"[file {part.name}, {part.media_type}]"
    if not text:
        return
    role = "assistant" if message.role == "assistant" else "user"
    block = {"type": "output_text" if role == "assistant" else "input_text", "text": text}
    if made and made[-1]["type"] == "message":
        made[-1]["content"].append(block)
    else:
        made.append({"type": "message", "role": role, "content": [block]})


def _can_return(part: Reasoning, following: tuple[Part, ...]) -> bool:
    """Whether a reasoning item may go back: with content of its own, and before what it led to.

    An item that is only an id points into the server's storage, where ``store=False`` left nothing.
    """
    item = part.item
    if not item or item.get("type") != "reasoning":
        return False
    led_somewhere = any(isinstance(later, Text | ToolCall) for later in following)
    return led_somewhere and bool(item.get("encrypted_content") or item.get("content"))


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
        "strict": False,
    }
