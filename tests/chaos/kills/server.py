"""A model server on 127.0.0.1 that streams slowly, fails now and then, and remembers all it was asked."""

import json
import random
import socket
import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from tests.servers.sound import check_requests

from . import streams
from .script import TASK, stage_of

PAUSE = (0.005, 0.035)
"""Shortest and longest pause between two pieces, in seconds."""


@dataclass
class Asked:
    """One request: for which stage of which task, under which key, as which bytes, and how it ended.

    ``ended`` is "" while it is answered, then ``answered`` (all was sent), ``refused`` (an error that the client was
    told), ``reset`` (cut off by us) or ``left`` (the client had gone).
    """

    task: str
    stage: int
    key: str
    digest: str
    ended: str = ""


@dataclass
class Traffic:
    """What one scenario's kernels send and are sent, counted."""

    requests: int = 0
    pieces: int = 0
    streaming: int = 0
    asked: list[Asked] = field(default_factory=list)


class ModelServer:
    """Speaks one API (``responses`` or ``chat``); the other's route is missing, as with many servers.

    ``wrong`` are requests whose history no provider would take.
    """

    def __init__(self, api):
        self.api = api
        self.traffic = defaultdict(Traffic)
        self.wrong = []
        self._troubled = set()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def take(self, raw, key):
        """Check and note a request; (its note, the scenario's traffic, what to answer, what to do wrong)."""
        body = json.loads(raw)
        try:
            check_requests([SimpleNamespace(body=body)])
        except AssertionError as error:
            self.wrong.append(f"{error}: {raw[-2000:]!r}")
        task, number = _place(body)
        stage = stage_of(task, number)
        asked = Asked(task, number, key, sha256(raw).hexdigest()[:12])
        traffic = self.traffic[task.split("p")[0]]
        with self._lock:
            traffic.asked.append(asked)
            traffic.requests += 1
            trouble = None if (task, number) in self._troubled else stage.trouble
            self._troubled.add((task, number))
        return asked, traffic, stage, trouble

    def stream(self, stage):
        """The events of an answer."""
        return (streams.chat if self.api == "chat" else streams.responses)(stage)


def _place(body):
    """The task of the newest prompt, and how many answers it has got since."""
    said = body["input"] if "input" in body else body["messages"]
    last = max(place for place, item in enumerate(said) if item.get("role") == "user")
    content = said[last]["content"]
    text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
    task = TASK.findall(text)[-1]
    return task, sum(item.get("role") == "assistant" for item in said[last:])


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            wanted = "/chat/completions" if server.api == "chat" else "/responses"
            if not self.path.endswith(wanted):
                self._refuse(404, "Not Found: no such route")
                return
            asked, traffic, stage, trouble = server.take(raw, self.headers.get("Idempotency-Key", ""))
            if isinstance(trouble, int):
                asked.ended = "refused"
                self._refuse(trouble, "busy at the moment")
                return
            traffic.streaming += 1
            try:
                asked.ended = self._stream(traffic, stage, cut=trouble == "reset")
            except OSError:
                asked.ended = "left"
            finally:
                traffic.streaming -= 1

        def _refuse(self, status, words):
            content = json.dumps({"error": {"message": words}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("retry-after-ms", "20")
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, traffic, stage, *, cut):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for number, event in enumerate(server.stream(stage)):
                if cut and number == 4:
                    # closing without lingering sends a reset instead of an orderly end
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return "reset"
                self.wfile.write(event)
                traffic.pieces += 1
                time.sleep(random.uniform(*PAUSE))
            return "answered"

        def log_message(self, *_):
            """Silent."""

    return Handler
