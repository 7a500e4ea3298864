"""What a well-behaved server streams for a text and tool calls, over either API."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]
Call = tuple[str, dict[str, Any]]
COUNTS = (50, 30, 9, 4)
"""Input, of it cached, output, of it reasoning: what every stream here reports."""


def responses(text: str, *calls: Call) -> list[Event]:
    """The events of a Responses stream."""
    events: list[Event] = [{"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}]
    output: list[Event] = []
    if text:
        content = [{"type": "output_text", "text": text}]
        item = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
        events += [{"type": "response.output_text.delta", **place, "delta": piece} for piece in (text[:7], text[7:])]
        events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        output.append(item)
    for name, arguments in calls:
        number = len(output)
        written = json.dumps(arguments)
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
        key = {"item_id": f"fc_{number}", "output_index": number}
        events.append({"type": "response.output_item.added", "output_index": number, "item": {**item, "arguments": ""}})
        events += [
            {"type": "response.function_call_arguments.delta", **key, "delta": piece}
            for piece in (written[:5], written[5:])
        ]
        output.append({**item, "arguments": written})
        events.append({"type": "response.output_item.done", "output_index": number, "item": output[-1]})
    sent, cached, made, thought = COUNTS
    usage = {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": thought},
    }
    response = {"id": "resp_1", "status": "completed", "output": output, "usage": usage}
    return [*events, {"type": "response.completed", "response": response}]


def chat(text: str, *calls: Call) -> list[Event]:
    """The chunks of a Chat Completions stream, without its ``[DONE]``."""
    deltas: list[Event] = [{"role": "assistant", "content": ""}]
    if text:
        deltas += [{"content": piece} for piece in (text[:7], text[7:])]
    for index, (name, arguments) in enumerate(calls):
        written = json.dumps(arguments)
        head = {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": written[:5]}}
        rest = {"function": {"arguments": written[5:]}}
        deltas += [{"tool_calls": [{"index": index, **part}]} for part in (head, rest)]
    sent, cached, made, thought = COUNTS
    usage = {
        "prompt_tokens": sent,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens": made,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    ends = [(delta, None) for delta in deltas] + [({}, "tool_calls" if calls else "stop")]
    chunks = [
        {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in ends
    ]
    return [*chunks, {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": usage}]
