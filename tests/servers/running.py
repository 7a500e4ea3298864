"""Starts the installed servers on free ports of 127.0.0.1, waits until they answer, and ends them by process id."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
KEY = "sk-for-these-tests-only-0123456789abcdef"
"""The bridge's own key; it refuses to start with a weak one."""


class Program:
    """A server's process, what it has written, and the URL it answers at."""

    def __init__(self, command: list[str], folder: Path, env: Mapping[str, str]) -> None:
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.url = ""

    def wait(self, ready: Callable[[], str], seconds: float) -> None:
        """Wait until ``ready`` gives the URL; AssertionError with what the server wrote when it doesn't."""
        end = time.monotonic() + seconds
        while not self.url:
            self.url = ready()
            late = time.monotonic() > end
            if not self.url and (late or self._process.poll() is not None):
                self.close()
                wrote = self.log.read_text(errors="replace")[-3000:]
                raise AssertionError(f"the server {'is not ready in time' if late else 'ended'}; it wrote:\n{wrote}")
            time.sleep(0.02)

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


class Aimock:
    """aimock: one pool of fixtures behind every API; ``requests`` is what it was asked and what it answered."""

    def __init__(self, node: str, installed: Path, folder: Path) -> None:
        (folder / "none.json").write_text('{"fixtures": []}')
        script = installed / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
        command = [node, str(script), "-p", "0", "-h", "127.0.0.1", "-f", "none.json", "-c", "12"]
        self._program = Program(command, folder, _environment(folder))
        self._program.wait(self._listening, 60)
        self.url = self._program.url

    def _listening(self) -> str:
        found = re.search(r"listening on (http://[\d.:]+)", self._program.log.read_text(errors="replace"))
        return found[1] if found else ""

    def reset(self) -> None:
        """Forget fixtures, requests, chaos."""
        self._control("POST", "reset", {})
        self._control("DELETE", "chaos")

    def answers(self, *fixtures: dict[str, Any]) -> None:
        """Add fixtures; the first that matches a request answers it."""
        self._control("POST", "fixtures", {"fixtures": fixtures})

    def chaos(self, **rates: float) -> None:
        """Fail this share of requests from now on: ``malformedRate``, ``disconnectRate``, ``dropRate``."""
        self._control("POST", "chaos", rates)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Its journal: ``path``, ``headers``, ``body`` as chat messages whatever the API, ``response.status``."""
        entries: list[dict[str, Any]] = self._control("GET", "journal?method=POST")
        return entries

    def close(self) -> None:
        """End it."""
        self._program.close()

    def _control(self, method: str, what: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__aimock/{what}", data, method=method)
        try:
            with _DIRECT.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"aimock refused {what}: {error.read().decode()}") from error


class Bridge:
    """A LiteLLM proxy in front of a chat server: its model ``bridged`` turns Responses into Chat Completions."""

    def __init__(self, installed: Path, upstream: str, folder: Path) -> None:
        chat = {"model": "lm_studio/bridged", "api_base": f"{upstream}/v1", "api_key": "none"}
        config = {
            "model_list": [{"model_name": "bridged", "litellm_params": chat}],
            "litellm_settings": {"telemetry": False, "num_retries": 0},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": KEY},
        }
        (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(installed / "venv" / "bin" / "litellm"), "--config", "config.yaml"]
        env = {**_environment(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        self._program = Program([*command, "--host", "127.0.0.1", "--port", str(port)], folder, env)
        self._url = f"http://127.0.0.1:{port}"
        self._program.wait(self._alive, 200)
        self.url = self._program.url

    def _alive(self) -> str:
        try:
            with _DIRECT.open(f"{self._url}/health/liveliness", timeout=5):
                return self._url
        except OSError:
            return ""

    def close(self) -> None:
        """End it."""
        self._program.close()


def _environment(folder: Path) -> dict[str, str]:
    """What a server needs and nothing of the person's: no keys, no proxies, a home of its own."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "NO_PROXY": "*", "no_proxy": "*"}
