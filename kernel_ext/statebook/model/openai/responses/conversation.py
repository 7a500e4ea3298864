"""The conversation as the ``input`` items of a request, in order.

Shapes: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statebook.model.openai.content.arguments import sent_arguments
from statebook.model.openai.content.attached import carried, data_url, note
from statebook.protocol.messages import File, Message, Part, Reasoning, Text, ToolCall, ToolResult

from .items import REASONING

Entry = dict[str, Any]


def items(messages: Sequence[Message], files: Mapping[str, bytes], source: str) -> list[Entry]:
    """All messages as input items. ``files`` are bytes by digest; ``source`` names the server and model asked."""
    return [entry for message in messages for entry in _items(message, files, source)]


def _items(message: Message, files: Mapping[str, bytes], source: str) -> list[Entry]:
    """One message; neighbouring texts and files of one phase share an item, other parts have their own."""
    made: list[Entry] = []
    for place, part in enumerate(message.parts):
        if isinstance(part, Text | File):
            _append(made, message, part, files)
        elif isinstance(part, ToolCall):
            arguments = sent_arguments(part.arguments)
            made.append({"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments})
        elif isinstance(part, ToolResult):
            output = part.text or f"({part.status})"
            made.append({"type": "function_call_output", "call_id": part.call_id, "output": output})
        else:
            item = _returned(part, message.parts[place + 1 :], source)
            made += [item] if item else []
    return made


def _append(made: list[Entry], message: Message, part: Text | File, files: Mapping[str, bytes]) -> None:
    assistant = message.role == "assistant"
    block = _block(part, files, "output_text" if assistant else "input_text")
    if block is None:
        return
    entry: Entry = {"type": "message", "role": "assistant" if assistant else "user"}
    if isinstance(part, Text) and part.phase:
        entry["phase"] = part.phase
    last = made[-1] if made else {}
    if last.get("type") == "message" and last.get("phase") == entry.get("phase"):
        last["content"].append(block)
    else:
        made.append({**entry, "content": [block]})


def _block(part: Text | File, files: Mapping[str, bytes], kind: str) -> Entry | None:
    if isinstance(part, Text):
        return {"type": kind, "text": part.text} if part.text else None
    how = carried(part, files) if kind == "input_text" else ""
    if how == "image":
        return {"type": "input_image", "detail": "auto", "image_url": data_url(part, files[part.digest])}
    if how == "document":
        name = part.name or "document.pdf"
        return {"type": "input_file", "filename": name, "file_data": data_url(part, files[part.digest])}
    return {"type": kind, "text": note(part)}


def _returned(part: Reasoning, following: tuple[Part, ...], source: str) -> Entry | None:
    """A reasoning item as it goes back: to where it came from, with content of its own, before what it led to.

    An item that is only an id points into the server's storage, where ``store=False`` left nothing.
    """
    kept = part.item or {}
    item = kept.get("item")
    if kept.get("type") != REASONING or kept.get("source") != source or not isinstance(item, dict):
        return None
    led_somewhere = any(isinstance(later, Text | ToolCall) for later in following)
    return item if led_somewhere and (item.get("encrypted_content") or item.get("content")) else None
