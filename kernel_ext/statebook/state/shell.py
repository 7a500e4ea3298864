"""Runs a ``!command`` of the agent's code in a process group of its own, its output captured as it comes."""

from __future__ import annotations

import codecs
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_POLL = 0.1
"""Seconds. A shell that has ended may have left a child in the background which holds its output open."""


def command_runner(shell: Any) -> Callable[[str], None]:
    """What stands for ``get_ipython().system`` while code runs.

    IPython's own takes a terminal's place to run a command, and that takes a quarter of a second to stop. With this one
    a stop signals the command's group and ends the code, and a command that wants input finds none.
    """
    if os.name == "nt":
        piped: Callable[[str], None] = shell.system_piped
        return piped

    def system(command: str) -> None:
        if command.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        code = run_command(shell.var_expand(command, depth=2), sys.stdout.write)  # 2: this, and who chose it
        shell.user_ns["_exit_code"] = code
        if shell.system_raise_on_error and code != 0:
            raise subprocess.CalledProcessError(code, command)

    return system


def run_command(command: str, write: Callable[[str], object]) -> int:
    """Run a line of the user's shell to its end; its exit code, or the negative number of the signal that ended it."""
    process = subprocess.Popen(  # noqa: S602 - a line for the shell is what was asked for
        command,
        shell=True,
        executable=os.environ.get("SHELL") or None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as source:
        try:
            _pass_on(process, source.fileno(), write)
            return process.wait()
        except BaseException:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGINT)  # what heeds no SIGINT, `statebook.state.children` ends
            raise


def _pass_on(process: subprocess.Popen[bytes], source: int, write: Callable[[str], object]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        ready, _, _ = select.select([source], [], [], _POLL)
        if ready:
            data = os.read(source, 65536)
            write(decoder.decode(data, final=not data).replace("\r\n", "\n"))
            if not data:
                return
        elif process.poll() is not None:
            return
