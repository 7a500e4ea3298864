"""A real kernel on a real notebook, executed cell by cell as a notebook server would, and killed on demand."""

from __future__ import annotations

import os
import queue
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from statebook.errors import RunFailed

_STARTING = 60.0
"""Seconds a kernel may take to answer for the first time."""
_SILENCE = 0.2
"""Seconds of silence after which it is looked whether the kernel still lives."""
_REPLY = 10.0
_KEPT = ("display_data", "execute_result", "stream", "error")

Watch = Callable[[str], None]
"""Sees each whole line that a running cell prints."""


class KernelDied(RunFailed):
    """The kernel's process ended while a cell ran."""


@dataclass(slots=True)
class Executed:
    """What a cell left: its outputs as they stand in a notebook, its number, and its error's line ("" for none)."""

    outputs: list[Any] = field(default_factory=list)
    count: int | None = None
    error: str = ""
    died: bool = False


class Kernel:
    """One kernel process of this Python, started in ``notebook``'s folder and told its name as Jupyter Server does."""

    def __init__(self, notebook: Path) -> None:
        from ipykernel.kernelspec import get_kernel_dict
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import KernelManager

        class ThisPython(KernelSpecManager):
            """A person's other kernels named python3 are not what is shown here."""

            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                return KernelSpec(resource_dir="", **get_kernel_dict())

        self._manager = KernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
        # what the kernel process itself says (warnings of its libraries) is of interest only when it does not start
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the kernel
        self._manager.start_kernel(
            cwd=str(notebook.parent), env=_environment(notebook), stdout=self._said, stderr=self._said
        )
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=_STARTING)
        except RuntimeError as error:
            told = self._last_said()
            self.stop()
            raise KernelDied(f"The kernel did not start: {error} {told}") from None

    @property
    def pid(self) -> int:
        """The process's number."""
        provisioner: Any = self._manager.provisioner
        return int(provisioner.pid)

    def execute(self, source: str, cell_id: str, watch: Watch | None = None) -> Executed:
        """Execute a cell; a kernel that dies on the way leaves what it had sent until then."""
        session = self._client.session
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = session.msg("execute_request", content, metadata={"cellId": cell_id})
        self._client.shell_channel.send(message)
        collected = _Outputs(watch)
        while True:
            received = self._next()
            if received is None:
                collected.executed.died = True
                return collected.executed
            if received["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if received["msg_type"] == "status" and received["content"]["execution_state"] == "idle":
                break
            collected.take(received)
        self._reply(message["header"]["msg_id"])
        return collected.executed

    def kill(self) -> None:
        """End the process at once, with SIGKILL where there is one; it can't prepare itself."""
        os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def stop(self) -> None:
        """End the process in order, or clean up after its death."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=not self._manager.is_alive())
        self._said.close()

    def _last_said(self) -> str:
        self._said.seek(0)
        return self._said.read()[-1000:].decode("utf-8", "replace")

    def _next(self) -> dict[str, Any] | None:
        """The next message, or None when the kernel is dead and nothing more can come."""
        while True:
            try:
                found: dict[str, Any] = self._client.get_iopub_msg(timeout=_SILENCE)
            except queue.Empty:
                if not self._manager.is_alive():
                    return None
            else:
                return found

    def _reply(self, request: str) -> None:
        deadline = time.monotonic() + _REPLY
        while time.monotonic() < deadline:
            try:
                reply = self._client.get_shell_msg(timeout=_SILENCE)
            except queue.Empty:
                if not self._manager.is_alive():
                    return
                continue
            if reply["parent_header"].get("msg_id") == request:
                return


def _environment(notebook: Path) -> dict[str, str]:
    """The demo's own, without a person's statebook settings, and with the notebook's path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STATEBOOK_", "JPY_"))}
    return {**kept, "JPY_SESSION_NAME": str(notebook)}


class _Outputs:
    """Messages of one cell, gathered as a notebook stores them."""

    def __init__(self, watch: Watch | None) -> None:
        self.executed = Executed()
        self._watch = watch
        self._line = ""
        self._clear = False
        self._displays: dict[str, Any] = {}

    def take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_input":
            self.executed.count = content["execution_count"]
        elif kind == "clear_output":
            self._clear = True
            if not content.get("wait"):
                self._cleared()
        elif kind == "update_display_data":
            self._update(content)
        elif kind in _KEPT:
            self._cleared()
            self._append(message)

    def _append(self, message: dict[str, Any]) -> None:
        from nbformat.v4 import output_from_msg

        content = message["content"]
        outputs = self.executed.outputs
        last = outputs[-1] if outputs else None
        if message["msg_type"] == "stream":
            self._tell(content["text"])
            if last is not None and last.output_type == "stream" and last.name == content["name"]:
                last.text += content["text"]
                return
        if message["msg_type"] == "error":
            self.executed.error = " ".join(content["traceback"]) if content["traceback"] else content["evalue"]
        output = output_from_msg(message)
        display = content.get("transient", {}).get("display_id")
        if display:
            self._displays[display] = output
        outputs.append(output)

    def _update(self, content: dict[str, Any]) -> None:
        output = self._displays.get(content["transient"]["display_id"])
        if output is not None:
            output.data = content["data"]

    def _cleared(self) -> None:
        if self._clear:
            self.executed.outputs.clear()
            self._clear = False

    def _tell(self, text: str) -> None:
        *whole, self._line = (self._line + text).split("\n")
        if self._watch is not None:
            for line in whole:
                self._watch(line)
