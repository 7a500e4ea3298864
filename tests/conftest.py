"""For every test: no look at what listens on this machine, a model server on 127.0.0.1, an IPython shell of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

os.environ["STATEBOOK_LOCAL_SERVERS"] = "none"  # also for the kernels that tests start

TEXT = "Good day."
TOLD = "told at the end"
"""The property (pytest's ``record_property``) whose text stands below all tests, from whichever worker it comes."""


@dataclass
class Asked:
    """One request that a server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict = field(default_factory=dict)


class ModelService:
    """Lists its models and answers a line over both APIs. ``status`` and ``page`` let it fail, ``missing`` is a route.

    ``models`` are the rows of ``GET .../models``; ``pages`` holds JSON for other paths.
    """

    def __init__(self) -> None:
        self.models: list[dict] = [{"id": "some-model"}]
        self.pages: dict[str, object] = {}
        self.status = 200
        self.page = b""
        self.location = ""
        self.missing = ""
        self.silent = False
        self.asked: list[Asked] = []
        self.stop = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def listing(self, path: str) -> bytes:
        found = self.pages.get(path, {"object": "list", "data": self.models})
        return json.dumps(found).encode()


def _handler(service: ModelService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._note({})
            if service.silent:
                service.stop.wait(10)
            elif service.location:
                self.send_response(302)
                self.send_header("Location", service.location)
                self.end_headers()
            else:
                self._send(service.status, service.page or service.listing(self.path), "application/json")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._note(body)
            if service.status != 200 or (service.missing and self.path.endswith(service.missing)):
                self._send(
                    service.status if service.status != 200 else 404,
                    b'{"error": {"message": "no"}}',
                    "application/json",
                )
            else:
                events = _responses() if self.path.endswith("/responses") else _chat()
                self._send(200, b"".join(events), "text/event-stream")

        def _note(self, body: dict) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            service.asked.append(Asked(self.command, self.path, headers, body))

        def _send(self, status: int, content: bytes, media_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


def _responses() -> Iterator[bytes]:
    item = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}
    usage = {"input_tokens": 7, "output_tokens": 3}
    for event in (
        {"type": "response.output_text.delta", "item_id": "m1", "output_index": 0, "content_index": 0, "delta": TEXT},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {
            "type": "response.completed",
            "response": {"id": "r1", "status": "completed", "output": [item], "usage": usage},
        },
    ):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _chat() -> Iterator[bytes]:
    first = {"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    for choices, usage in (([first], None), ([last], None), ([], {"prompt_tokens": 7, "completion_tokens": 3})):
        chunk = {"id": "c1", "object": "chat.completion.chunk", "choices": choices, "usage": usage}
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


@pytest.fixture(autouse=True, scope="module")
def _threads_of_earlier_tests():
    """Servers of other tests may still run in this process; none of them runs code of these notebooks."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.name.startswith("statebook"):
            thread.name = f"statebook test, {thread.name}"


@pytest.fixture
def service() -> Iterator[ModelService]:
    made = ModelService()
    yield made
    made.close()


@pytest.fixture
def ipython() -> Iterator[InteractiveShell]:
    """A shell that no test before has touched: the one of the process while the test lasts."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


def pytest_configure() -> None:
    """Let servers of tests say nothing of clients that went away: it would stand in what a cell is said to show."""
    tell = BaseServer.handle_error

    def handle_error(server: BaseServer, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            tell(server, request, client_address)

    BaseServer.handle_error = handle_error


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    lines = [text for report in reports for name, text in report.user_properties if name == TOLD]
    if lines:
        terminalreporter.section("counted")
        terminalreporter.write_line("\n".join(lines))
