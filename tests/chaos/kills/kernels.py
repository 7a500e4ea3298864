"""Real kernels to kill: started, sent cells as a front end does, watched, and put to death."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
WAIT = 60
"""Seconds after which whatever is waited for counts as hung."""


@dataclass
class Shown:
    """What a front end has seen of one cell."""

    drawn: list[str] = field(default_factory=list)
    """Everything that was drawn, in order: HTML, printed text."""
    asked: int = 0
    error: str = ""
    ended: bool = False
    """Whether the kernel finished the cell; False where it died on it."""

    @property
    def text(self):
        return "\n".join(self.drawn)


class Zygote:
    """Starts kernels quickly; see `zygote.py`."""

    def __init__(self):
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "STATEBOOK_LOCAL_SERVERS": "none"}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | quiet,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._made = 0
        assert self._process.stdout.readline(), "the process to fork from did not start"

    def start(self, folder, environment):
        """A new kernel in a folder."""
        with self._lock:
            self._made += 1
            file = folder / f"kernel-{self._made}.json"
            wanted = {"file": str(file), "folder": str(folder), "environment": environment}
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
        return Kernel(pid, file)

    def close(self):
        self._process.stdin.close()
        self._process.wait(WAIT)


class Kernel:
    """One kernel and a front end on it. ``reap`` collects what is left of the process, where that is for us to do."""

    def __init__(self, pid, file, reap=None, on_end=None):
        from jupyter_client.blocking.client import BlockingKernelClient

        self.pid, self._file, self._reap, self._on_end = pid, file, reap, on_end
        self.group = False
        end = time.monotonic() + WAIT
        while not _written(file):
            self._still_coming(end)
            time.sleep(0.005)
        self._client = BlockingKernelClient(connection_file=str(file))
        self._client.load_connection_file()
        self._client.start_channels(hb=False)
        self._until_heard(end)

    @classmethod
    def as_jupyter_does(cls, folder, environment):
        """A kernel that Jupyter's own manager has started, from nothing."""
        from jupyter_client.manager import KernelManager

        manager = KernelManager(kernel_name="python3", connection_file=str(folder / f"own-{time.time_ns()}.json"))
        manager.start_kernel(cwd=str(folder), env=os.environ | environment)
        process = manager.provisioner.process
        return cls(process.pid, Path(manager.connection_file), process.poll, lambda: manager.shutdown_kernel(now=True))

    def _until_heard(self, end):
        """The front end is connected when it has heard the kernel on both channels."""
        while not self._client.iopub_channel.msg_ready():
            self._still_coming(end)
            self._client.kernel_info()
            self._client.iopub_channel.socket.poll(50)

    def _still_coming(self, end):
        assert self.alive, f"kernel {self.pid} died as it started: see {self._file.parent}/kernel.log"
        assert time.monotonic() < end, f"kernel {self.pid} is not heard of"

    @property
    def alive(self):
        """Whether the process is there."""
        if self._reap is not None:
            return self._reap() is None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self):
        """SIGKILL, to its whole process group where ``group`` is set."""
        try:
            (os.killpg if self.group else os.kill)(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def cell(self, code, *, cell_id="", person=None):
        """Run a cell until it ends or the kernel is dead. ``person(text, prompt)`` answers; None: nobody is there."""
        sent = self._send(code, cell_id, person is not None)
        shown, idle, replied = Shown(), False, False
        end = time.monotonic() + WAIT
        while not (idle and replied):
            assert time.monotonic() < end, f"the cell hangs in kernel {self.pid}: {code!r} {shown.text[-2000:]}"
            message = self._next()
            if message is None:
                if not self.alive and self._next() is None:
                    return shown
                continue
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            replied = replied or kind == "execute_reply"
            idle = idle or (kind == "status" and content["execution_state"] == "idle")
            if kind == "input_request":
                shown.asked += 1
                self._client.input(person(_plain(shown.text), content["prompt"]))
            _take(shown, kind, content)
        shown.ended = True
        return shown

    def _send(self, code, cell_id, stdin):
        content = {
            "code": code, "silent": False, "store_history": False, "user_expressions": {},
            "allow_stdin": stdin, "stop_on_error": True,
        }  # fmt: skip
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self._client.session.msg("execute_request", content, metadata=metadata)
        self._client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def _next(self):
        """The next message on any channel, or None when there is none for a moment."""
        import zmq

        channels = (self._client.iopub_channel, self._client.stdin_channel, self._client.shell_channel)
        poller = zmq.Poller()
        for channel in channels:
            poller.register(channel.socket, zmq.POLLIN)
        heard = dict(poller.poll(30))
        for channel in channels:
            if channel.socket in heard:
                return channel.get_msg(timeout=1)
        return None

    def close(self):
        """End it, as closing a notebook's server does, and let go of its channels."""
        self.kill()
        self._client.stop_channels()
        if self._on_end is not None:
            self._on_end()


def _written(file):
    try:
        return bool(json.loads(file.read_text())["iopub_port"])
    except (OSError, ValueError, KeyError):
        return False


def _take(shown, kind, content):
    if kind in ("display_data", "update_display_data"):
        shown.drawn += [str(value) for value in content["data"].values()]
    elif kind == "stream":
        shown.drawn.append(content["text"])
    elif kind == "error":
        shown.error = "\n".join(content["traceback"])


def _plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
