"""A relay in front of a server: it keeps every request's bytes, may hide a route, and passes answers on as they are."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_NOT_FOUND = b'{"error": {"message": "Not Found"}}'


@dataclass(frozen=True)
class Asked:
    """One request as it went over the wire."""

    path: str
    head: str
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found


class Relay:
    """Listens on 127.0.0.1 for ``upstream``; a request whose path ends with ``hidden`` gets a 404."""

    def __init__(self, upstream: str, hidden: str = "") -> None:
        place = urlsplit(upstream)
        self.upstream = (place.hostname or "", place.port or 80)
        self.hidden = hidden
        self.asked: list[Asked] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def posts(self) -> list[Asked]:
        """The requests to models; what a client looks up beside them is left out."""
        return [request for request in self.asked if request.head.startswith("POST ")]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(relay: Relay) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        """One request a connection: the server is asked to close, and its end is passed on, however it came."""

        def handle(self) -> None:
            head, raw = self._read()
            if not head:
                return
            path = head.split(" ", 2)[1].partition("?")[0]
            if relay.hidden and path.endswith(relay.hidden):
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n")
                self.wfile.write(b"Content-Length: %d\r\n\r\n%s" % (len(_NOT_FOUND), _NOT_FOUND))
                return
            relay.asked.append(Asked(path, head, raw))
            closing = re.sub(r"(?i)\r\nconnection:[^\r]*", "", head).replace("\r\n", "\r\nConnection: close\r\n", 1)
            with socket.create_connection(relay.upstream, timeout=60) as server:
                server.sendall(closing.encode("latin-1") + raw)
                self._pass_on(server)

        def _read(self) -> tuple[str, bytes]:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return "", b""
                head += line
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            return head.decode("latin-1"), self.rfile.read(int(length[1]) if length else 0)

        def _pass_on(self, server: socket.socket) -> None:
            try:
                while piece := server.recv(65536):
                    self.wfile.write(piece)
            except OSError:
                return  # one side went; the other sees its connection end

    return Handler
