"""A real HTTP server on 127.0.0.1 that speaks both APIs' SSE, byte by byte as a test asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Reply:
    """What the server sends for one request. ``chunks`` are written as they are; ``then`` says what follows them.

    ``then``: ``end`` closes properly, ``cut`` breaks the chunked body off, ``reset`` resets the connection,
    ``wait`` keeps it open until the client goes. ``pause`` are seconds before each chunk but the first.
    """

    chunks: list[bytes] = field(default_factory=list)
    status: int = 200
    media_type: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict)
    then: str = "end"
    pause: float = 0.0


def sse(event: dict) -> bytes:
    return f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n".encode()


def stream(*events: dict, then: str = "end") -> Reply:
    return Reply([sse(event) for event in events], then=then)


def chat(*frames: dict | bytes, then: str = "end", done: bool = True) -> Reply:
    """A Chat Completions stream: chunks without event names, bytes as they are, and ``[DONE]`` at its end."""
    sent = [each if isinstance(each, bytes) else f"data: {json.dumps(each)}\n\n".encode() for each in frames]
    return Reply([*sent, *([b"data: [DONE]\n\n"] if done and then == "end" else [])], then=then)


def whole(answer: dict) -> Reply:
    """An answer as one JSON object."""
    return Reply([json.dumps(answer).encode()], media_type="application/json")


def error(status: int, message: str, code: str = "", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message, "code": code, "type": code}}).encode()
    return Reply([body], status, "application/json", {key.replace("_", "-"): value for key, value in headers.items()})


class Server:
    """Answers any POST with its replies, in order (the last one again and again); keeps what was asked.

    A path that ends with ``missing`` is not there: its requests get a 404 and are not kept.
    """

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.missing = ""
        self.bodies: list[dict] = []
        self.raw: list[bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.gone = threading.Event()
        self.stop = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def play(self, *replies: Reply) -> None:
        """Answer with these from now on, and forget what was asked before."""
        for asked in (self.bodies, self.raw, self.paths, self.headers):
            asked.clear()
        self.replies = list(replies)

    def close(self) -> None:
        self.stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:  # noqa: C901 (a class made for one server)
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if server.missing and self.path.endswith(server.missing):
                self.send_error(404)
                return
            server.raw.append(raw)
            server.paths.append(self.path)
            server.bodies.append(json.loads(raw))
            server.headers.append({key.lower(): value for key, value in self.headers.items()})
            reply = server.replies[min(len(server.bodies), len(server.replies)) - 1]
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Transfer-Encoding", "chunked")
            for key, value in reply.headers.items():
                self.send_header(key, value)
            self.end_headers()
            for place, chunk in enumerate(reply.chunks):
                server.stop.wait(reply.pause if place else 0)
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            self._finish(reply.then)

        def _finish(self, then: str) -> None:
            if then == "end":
                with suppress(ConnectionError):  # a client that has heard enough may be gone
                    self.wfile.write(b"0\r\n\r\n")
                return
            self.close_connection = True
            if then == "reset":
                import socket
                import struct
                import time

                time.sleep(0.25)  # a reset throws away what the client has not read yet
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif then == "wait":
                self._wait()

        def _wait(self) -> None:
            self.connection.settimeout(0.05)
            while not server.stop.is_set():
                try:
                    if not self.connection.recv(1):
                        server.gone.set()
                        return
                except TimeoutError:
                    continue
                except OSError:
                    server.gone.set()
                    return

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def steady() -> Iterator[Server]:
    """A server for all cases of a module, where a server and a client for each would cost more than the cases."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Server]:
    """A second server."""
    made = Server()
    yield made
    made.close()


class Wire:
    """The functions above, for tests of this folder."""

    Reply = Reply
    sse = staticmethod(sse)
    stream = staticmethod(stream)
    chat = staticmethod(chat)
    whole = staticmethod(whole)
    error = staticmethod(error)


@pytest.fixture
def wire() -> type[Wire]:
    return Wire
