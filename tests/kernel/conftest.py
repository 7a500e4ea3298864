"""Real kernels on real notebooks: cells are sent as a front end does, signals as the stop button and a crash do."""

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETUP = r"""
%load_ext statebook
import asyncio, statebook
from pathlib import Path
from statebook.testing import ScriptedModel, call, hang, say
def use(*steps):
    session = get_ipython()._statebook.magics.session()
    session.use(ScriptedModel(steps))
    return session
def note(word):
    with open("ledger.txt", "a") as file:
        file.write(word + "\n")
"""


@dataclass
class Output:
    """What one cell gave."""

    reply: dict
    displays: list[dict] = field(default_factory=list)
    updates: list[dict] = field(default_factory=list)
    text: str = ""
    asked: list[str] = field(default_factory=list)
    errors: list[dict] = field(default_factory=list)

    @property
    def shown(self):
        """The plain text of the last state of the output."""
        states = [*self.displays, *self.updates]
        return states[-1]["data"].get("text/plain", "") if states else ""

    @property
    def error(self):
        """``Name: message`` as the front end draws it; "" when the cell worked."""
        return "\n".join(self.errors[0]["traceback"]) if self.errors else ""


class Kernel:
    """One kernel, as Jupyter Server starts it for a notebook."""

    def __init__(self, notebook: Path, env=None):
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        environment = {**os.environ, "JPY_SESSION_NAME": str(notebook), "STATEBOOK_MODEL": "", **(env or {})}
        self.manager.start_kernel(cwd=str(notebook.parent), env=environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.pid = self.manager.provisioner.process.pid

    def send(self, code, *, cell_id="", stdin=True):
        """Send a cell; its message id."""
        message = self.client.session.msg(
            "execute_request",
            {
                "code": code, "silent": False, "store_history": True, "user_expressions": {},
                "allow_stdin": stdin, "stop_on_error": True,
            },
            metadata={"cellId": cell_id} if cell_id else {},
        )  # fmt: skip
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def collect(self, sent, *, answers=(), timeout=60, watch=None):
        """Everything until the cell is idle; ``watch`` is called with each message and may press buttons."""
        output, left = Output({}), list(answers)
        end = time.monotonic() + timeout
        idle = False
        while not (idle and output.reply):
            assert time.monotonic() < end, f"the cell did not end: {output.reply} {output.shown} {output.error}"
            self._answer(output, left)
            if self.client.shell_channel.msg_ready():
                reply = self.client.get_shell_msg(timeout=1)
                if reply["parent_header"].get("msg_id") == sent:
                    output.reply = reply["content"]
            if not self.client.iopub_channel.msg_ready():
                time.sleep(0.01)
                continue
            message = self.client.get_iopub_msg(timeout=1)
            if message["parent_header"].get("msg_id") == sent:
                idle = _take(output, message) or idle
                if watch:
                    watch(message)
        return output

    def cell(self, code, *, cell_id="", stdin=True, **options):
        """Send a cell and collect what it gives."""
        return self.collect(self.send(code, cell_id=cell_id, stdin=stdin), **options)

    def interrupt(self):
        """The stop button."""
        self.manager.interrupt_kernel()

    def kill(self):
        """SIGKILL, and wait until the process is gone."""
        os.kill(self.pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while self.manager.provisioner.process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def _answer(self, output, left):
        if self.client.stdin_channel.msg_ready():
            request = self.client.get_stdin_msg(timeout=1)
            output.asked.append(request["content"]["prompt"])
            assert left, f"nobody expected the question {request['content']['prompt']!r}"
            self.client.input(left.pop(0))


def _take(output, message):
    kind, content = message["msg_type"], message["content"]
    if kind == "display_data":
        output.displays.append(content)
    elif kind == "update_display_data":
        output.updates.append(content)
    elif kind == "stream":
        output.text += content["text"]
    elif kind == "error":
        output.errors.append(content)
    return kind == "status" and content["execution_state"] == "idle"


@pytest.fixture
def notebook(tmp_path):
    """A notebook file in a folder of its own."""
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def kernel_on():
    """Starts kernels on a notebook, with statebook loaded; all are ended."""
    started = []

    def start(notebook, *, setup=SETUP, env=None):
        kernel = Kernel(notebook, env)
        started.append(kernel)
        if setup:
            loaded = kernel.cell(setup)
            assert loaded.reply["status"] == "ok", loaded
        return kernel

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture
def kernel(kernel_on, notebook):
    return kernel_on(notebook)


@pytest.fixture
def ledger(notebook):
    """The words that tools have written down so far."""
    return lambda: (notebook.parent / "ledger.txt").read_text().split() if ledger_file(notebook).exists() else []


def ledger_file(notebook):
    return notebook.parent / "ledger.txt"


def wait_until(condition, timeout=60):
    """Wait for something outside."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
