"""Starts kernels by forking one process that has imported everything: each is a real ipykernel, a sixth of the CPU.

Run as a program, it reads one JSON object per line (``file``: the connection file the kernel is to write, ``folder``:
where it runs, ``environment``: its variables) and answers each with the kernel's process id. Every kernel has a
session, and so a process group, of its own. All of them end with this process.
"""

import importlib
import json
import os
import signal
import sys
import threading
from contextlib import suppress

IMPORTED = (
    "anyio._backends._asyncio",
    "docstring_parser",
    "duckdb",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "markdown_it",
    "mdit_py_plugins.dollarmath",
    "openai.resources.chat",
    "openai.resources.responses",
    "pydantic",
    "statebook.magic.cell.answers",
    "statebook.magic.cell.prompt",
    "statebook.magic.commands.table",
    "statebook.magic.magics",
    "statebook.magic.settings",
    "statebook.magic.surroundings",
    "statebook.magic.work.table",
    "statebook.model.openai.presets.known",
    "statebook.session.registry",
    "statebook.tools.function.decorator",
    "statebook.ui.ask",
    "statebook.ui.sinks",
)
"""What a kernel has imported by its first answer."""


def preload():
    """Import it all. Nothing here may start a thread, or forking is not safe."""
    for name in IMPORTED:
        with suppress(() if name.startswith("statebook") else ImportError):  # what others stand on may change
            importlib.import_module(name)
    import openai
    from statebook.model import prices

    prices.load()
    openai.AsyncOpenAI(api_key="none")  # imports what it connects with
    if threading.active_count() != 1:
        raise RuntimeError(f"an import started threads: {threading.enumerate()}")


def become_kernel(wanted, parent):
    """Turn this forked process into a kernel that ends with ``parent``; does not return."""
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # tools start processes and wait for them
    os.setsid()
    os.chdir(wanted["folder"])
    os.environ.update(wanted["environment"])
    quiet = os.open(os.devnull, os.O_RDWR)
    log = os.open("kernel.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((quiet, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    app = IPKernelApp.instance()
    options = ("HistoryManager.enabled=False", "IPKernelApp.log_level=ERROR", f"IPKernelApp.parent_handle={parent}")
    app.initialize(["-f", wanted["file"], *(f"--{option}" for option in options)])
    app.start()


def main():
    """Serve until the input ends."""
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are gone at once
    own = os.getpid()
    print(own, flush=True)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            try:
                become_kernel(json.loads(line), own)
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
