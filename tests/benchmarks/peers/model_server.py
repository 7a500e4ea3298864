"""The model at the network's far end: Chat Completions and Responses over HTTP, streamed or not, by one script.

What it wants follows from the results it is shown, as with a model that reads its conversation: look the address up,
then the first and the second letter at once, then the third, then the answer. Like the real API it refuses a
conversation in which a tool call has no output.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

ANSWER = "All three letters are sent to 1 Example Street."
STAGES = ("look", "pair", "third", "answer")
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
_USED = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
_NUMBERS = itertools.count(1)

Call = tuple[str, str, str]
"""A call's id, tool and word."""


class Killed(Exception):
    """The process that asked is dead: nothing is answered."""


class Watcher(Protocol):
    """Whoever follows one workflow from outside. Both may raise `Killed`."""

    def outside(self, said: dict[str, str]) -> str:
        """What a tool or a person's question says; the reply."""
        ...

    def request(self, stage: str, done: list[str]) -> bool:
        """A model request has arrived, showing these results; True: kill when half of the answer is sent."""
        ...

    def refused(self, why: str) -> None:
        """A model request was answered with an error."""
        ...

    def half(self) -> None:
        """Half of the answer is sent."""
        ...


@dataclass(frozen=True)
class Conversation:
    """The calls and results that a request shows."""

    calls: dict[str, str]
    results: set[str]

    @property
    def done(self) -> list[str]:
        """The words whose call has a result."""
        return sorted({word for call, word in self.calls.items() if call in self.results})

    @property
    def orphans(self) -> list[str]:
        """Calls without a result."""
        return [call for call in self.calls if call not in self.results]


def read_chat(body: dict[str, Any]) -> Conversation:
    """The conversation of a Chat Completions request."""
    calls = {
        call["id"]: _word(call["function"]["arguments"])
        for message in body["messages"]
        for call in message.get("tool_calls") or ()
    }
    return Conversation(calls, {message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"})


def read_responses(body: dict[str, Any]) -> Conversation:
    """The conversation of a Responses request."""
    items = body["input"] if isinstance(body["input"], list) else []
    calls = {item["call_id"]: _word(item["arguments"]) for item in items if item.get("type") == "function_call"}
    return Conversation(calls, {item["call_id"] for item in items if item.get("type") == "function_call_output"})


def _word(arguments: str) -> str:
    return str(json.loads(arguments)["word"])


def wishes(done: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """The stage a conversation is at, and the calls (tool, word) the model wants there."""
    if "address" not in done:
        return "look", [("look", "address")]
    pair = [("send", word) for word in ("first", "second") if word not in done]
    if pair:
        return "pair", pair
    if "third" not in done:
        return "third", [("send", "third")]
    return "answer", []


# -- the two dialects ------------------------------------------------------------------------------------------------


def chat_answer(calls: list[Call]) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else ANSWER}
    if calls:
        message["tool_calls"] = [_chat_call(call) for call in calls]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {**_chat_head("chat.completion"), "choices": [choice], "usage": _USAGE}


def chat_events(calls: list[Call]) -> list[bytes]:
    """The chunks of a streamed answer."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if not calls else None}]
    deltas += [{"tool_calls": [{"index": place, **_chat_call(call)}]} for place, call in enumerate(calls)]
    deltas += [] if calls else [{"content": word + " "} for word in ANSWER.split()]
    head = _chat_head("chat.completion.chunk")
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
    chunks += [{**head, "choices": [end]}, {**head, "choices": [], "usage": _USAGE}]
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chat_head(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{next(_NUMBERS)}", "object": kind, "created": 1, "model": "scripted"}


def _chat_call(call: Call) -> dict[str, Any]:
    number, tool, word = call
    return {"id": number, "type": "function", "function": {"name": tool, "arguments": json.dumps({"word": word})}}


def responses_answer(calls: list[Call]) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    return _response("completed", _items(calls))


def responses_events(calls: list[Call]) -> list[bytes]:
    """The events of a streamed answer."""
    items = _items(calls)
    whole = _response("completed", items)
    events = [{"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}]
    for place, item in enumerate(items):
        events += _item_events(place, item)
    events.append({"type": "response.completed", "response": whole})
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in numbered]


def _item_events(place: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    at = {"output_index": place, "item_id": item["id"]}
    if item["type"] == "function_call":
        bare = {**item, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": place, "item": bare}
        yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
    else:
        bare = {**item, "content": [], "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": place, "item": bare}
        empty = {"type": "output_text", "text": "", "annotations": []}
        yield {"type": "response.content_part.added", **at, "content_index": 0, "part": empty}
        for word in ANSWER.split():
            yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": word + " ", "logprobs": []}
        yield {"type": "response.output_text.done", **at, "content_index": 0, "text": ANSWER, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "content_index": 0, "part": item["content"][0]}
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _items(calls: list[Call]) -> list[dict[str, Any]]:
    if not calls:
        text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
        number = f"msg_{next(_NUMBERS)}"
        return [{"type": "message", "id": number, "role": "assistant", "status": "completed", "content": [text]}]
    return [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": number,
            "name": tool,
            "arguments": json.dumps({"word": word}),
            "status": "completed",
        }
        for number, tool, word in calls
    ]


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"resp_{next(_NUMBERS)}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "scripted",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "usage": _USED,
    }


# -- the server ------------------------------------------------------------------------------------------------------


class ModelServer(ThreadingHTTPServer):
    """Serves every workflow under a path of its own: ``http://127.0.0.1:PORT/NAME/v1`` and ``.../NAME/outside``."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.watchers: dict[str, Watcher] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that a kill has cut; the rest is a fault of this benchmark."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def url(self, name: str) -> str:
        """Where the workflow of that name finds its model and its supervisor."""
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelServer

    def do_POST(self) -> None:
        name, _, road = self.path.strip("/").partition("/")
        length = int(self.headers["Content-Length"])
        read = self.rfile.read(length)
        if len(read) < length:  # its sender was killed
            self.close_connection = True
            return
        body = json.loads(read)
        watcher = self.server.watchers[name]
        try:
            if road == "outside":
                self._send(200, watcher.outside(body).encode(), "text/plain")
            elif road in {"v1/chat/completions", "v1/responses"}:
                self._model(watcher, road, body)
            else:
                self._error(404, f"no such address: {road}")
        except (Killed, ConnectionError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._error(404, "nothing to get here")

    def _model(self, watcher: Watcher, road: str, body: dict[str, Any]) -> None:
        chat = road.endswith("completions")
        conversation = read_chat(body) if chat else read_responses(body)
        if conversation.orphans:
            why = f"No tool output found for function call {conversation.orphans[0]}."
            watcher.refused(why)
            self._error(400, why)
            return
        stage, wanted = wishes(conversation.done)
        killing = watcher.request(stage, conversation.done)
        calls = [(f"call_{next(_NUMBERS)}", tool, word) for tool, word in wanted]
        if not body.get("stream"):
            whole = json.dumps(chat_answer(calls) if chat else responses_answer(calls)).encode()
            self._send(200, whole, "application/json", watcher if killing else None)
            return
        self._stream(chat_events(calls) if chat else responses_events(calls), watcher if killing else None)

    def _stream(self, events: list[bytes], watcher: Watcher | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for place, event in enumerate(events):
            if watcher and place >= len(events) // 2:
                watcher.half()
            self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _error(self, status: int, why: str) -> None:
        error = {"error": {"message": why, "type": "invalid_request_error", "param": "input", "code": None}}
        self._send(status, json.dumps(error).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, watcher: Watcher | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if watcher:
            self.wfile.write(body[: len(body) // 2])
            watcher.half()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""
