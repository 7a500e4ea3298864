"""The pieces of an answer as Server-Sent Events of either API, in the order in which a server sends them."""

import json
from itertools import count

USAGE = (50, 20)
"""Input and output tokens that every answer reports."""
_IDS = count(1)


def responses(stage):
    """The events of a Responses stream, as bytes."""
    number = next(_IDS)
    response = {"id": f"resp_{number}", "status": "in_progress"}
    yield _event({"type": "response.created", "response": response})
    text = "".join(stage.pieces)
    item = {"type": "message", "id": f"msg_{number}", "role": "assistant"}
    yield _event({"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}})
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    for piece in stage.pieces:
        yield _event({"type": "response.output_text.delta", **place, "delta": piece})
    output = [item | {"content": [{"type": "output_text", "text": text}]}]
    yield _event({"type": "response.output_item.done", "output_index": 0, "item": output[0]})
    for name, arguments in stage.calls:
        yield from _function_call(name, json.dumps(arguments), output)
    usage = {"input_tokens": USAGE[0], "output_tokens": USAGE[1]}
    done = response | {"status": "completed", "output": output, "usage": usage}
    yield _event({"type": "response.completed", "response": done})


def _function_call(name, written, output):
    number, index = next(_IDS), len(output)
    item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": name}
    yield _event({"type": "response.output_item.added", "output_index": index, "item": item | {"arguments": ""}})
    key = {"item_id": item["id"], "output_index": index}
    for part in (written[:9], written[9:]):
        yield _event({"type": "response.function_call_arguments.delta", **key, "delta": part})
    output.append(item | {"arguments": written})
    yield _event({"type": "response.output_item.done", "output_index": index, "item": output[-1]})


def chat(stage):
    """The chunks of a Chat Completions stream, as bytes."""
    made = f"chatcmpl_{next(_IDS)}"
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in stage.pieces)]
    for index, (name, arguments) in enumerate(stage.calls):
        written = json.dumps(arguments)
        function = {"name": name, "arguments": written[:9]}
        deltas.append(
            {"tool_calls": [{"index": index, "id": f"call_{next(_IDS)}", "type": "function", "function": function}]}
        )
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": written[9:]}}]})
    for delta in deltas:
        yield _chunk(made, [{"index": 0, "delta": delta, "finish_reason": None}])
    yield _chunk(made, [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if stage.calls else "stop"}])
    yield _chunk(made, [], {"prompt_tokens": USAGE[0], "completion_tokens": USAGE[1], "total_tokens": sum(USAGE)})
    yield b"data: [DONE]\n\n"


def _event(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _chunk(made, choices, usage=None):
    chunk = {"id": made, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return f"data: {json.dumps(chunk)}\n\n".encode()
