"""The conversation as the ``messages`` of a chat request.

Shapes: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statebook.model.openai.content.arguments import sent_arguments
from statebook.model.openai.content.attached import carried, data_url, note
from statebook.protocol.messages import File, Message, Reasoning, Text, ToolCall, ToolResult

from .reasoning import echo

Entry = dict[str, Any]


def conversation(messages: Sequence[Message], files: Mapping[str, bytes], source: str) -> list[Entry]:
    """Each message in its chat form. Every tool call is answered before anything else is said.

    ``files`` are bytes by digest. ``source`` names the server and model: what a provider wants back goes only there.
    """
    asked = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    made: list[Entry] = []
    waiting: list[str] = []
    for place, message in enumerate(messages):
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if not results:
            made += _unanswered(waiting)
        if message.role == "assistant":
            made += _assistant(message, source, recent=place > asked)
            waiting = [call.id for call in message.calls]
        else:
            for result in results:
                made.append(_result(result, called=result.call_id in waiting))
                waiting = [each for each in waiting if each != result.call_id]
            made += _user(message, files)
    return made + _unanswered(waiting)


def _user(message: Message, files: Mapping[str, bytes]) -> list[Entry]:
    """Text alone is a plain string, which every server takes; with files it is a list of parts."""
    blocks = [block for part in message.parts if isinstance(part, Text | File) and (block := _block(part, files))]
    if not blocks:
        return []
    if all(block["type"] == "text" for block in blocks):
        return [{"role": "user", "content": "\n\n".join(block["text"] for block in blocks)}]
    return [{"role": "user", "content": blocks}]


def _block(part: Text | File, files: Mapping[str, bytes]) -> Entry | None:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text} if part.text else None
    kind = carried(part, files)
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": data_url(part, files[part.digest])}}
    if kind == "document":
        name = part.name or "document.pdf"
        return {"type": "file", "file": {"filename": name, "file_data": data_url(part, files[part.digest])}}
    return {"type": "text", "text": note(part)}


def _assistant(message: Message, source: str, *, recent: bool) -> list[Entry]:
    """Text, calls and reasoning as one message; one with neither text nor calls is left out, as servers refuse it."""
    texts = [
        part.text if isinstance(part, Text) else note(part) for part in message.parts if isinstance(part, Text | File)
    ]
    text = "".join(texts)
    if not (text or message.calls):
        return []
    entry: Entry = {"role": "assistant", "content": text or None}
    for part in message.parts:
        if isinstance(part, Reasoning):
            entry |= echo(part, source, recent=recent)
    if message.calls:
        entry["tool_calls"] = [_call(call, source) for call in message.calls]
    return [entry]


def _call(call: ToolCall, source: str) -> Entry:
    function = {"name": call.name, "arguments": sent_arguments(call.arguments)}
    entry: Entry = {"id": call.id, "type": "function", "function": function}
    extra = call.extra or {}
    if extra.get("extra_content") and extra.get("source") == source:
        entry["extra_content"] = extra["extra_content"]
    return entry


def _result(result: ToolResult, *, called: bool) -> Entry:
    text = result.text or f"({result.status})"
    if called:
        return {"role": "tool", "tool_call_id": result.call_id, "content": text}
    return {"role": "user", "content": f"[result of {result.name}]\n{text}"}


def _unanswered(waiting: list[str]) -> list[Entry]:
    made = [{"role": "tool", "tool_call_id": call, "content": "(no result)"} for call in waiting]
    waiting.clear()
    return made
