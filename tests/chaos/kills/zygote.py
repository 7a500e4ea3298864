"""Starts kernels by forking one process that has imported everything: each is a real ipykernel, a sixth of the CPU.

Run as a program, it reads one JSON object per line (``file``: the connection file the kernel is to write, ``folder``:
where it runs, ``environment``: its variables) and answers each with the kernel's process id. Every kernel has a
session, and so a process group, of its own. All of them end with this process.
"""

import json
import os
import signal
import sys
import threading


def preload():
    """What a kernel imports until its first answer; nothing here may start a thread, or forking is not safe."""
    import duckdb  # noqa: F401 - imported for those who are forked
    import ipykernel.ipkernel
    import ipykernel.kernelapp
    import ipykernel.subshell_manager  # noqa: F401
    import openai.resources.chat
    import openai.resources.responses  # noqa: F401
    import pydantic  # noqa: F401
    import statebook.magic.cell.answers
    import statebook.magic.cell.prompt
    import statebook.magic.commands.table
    import statebook.magic.magics
    import statebook.magic.settings
    import statebook.magic.surroundings
    import statebook.magic.work.table
    import statebook.model.openai.presets.known
    import statebook.session.registry
    import statebook.tools.function.decorator
    import statebook.ui.ask
    import statebook.ui.sinks  # noqa: F401
    from statebook.model import prices

    prices.load()
    if threading.active_count() != 1:
        raise RuntimeError(f"an import started threads: {threading.enumerate()}")


def become_kernel(wanted):
    """Turn this forked process into a kernel; does not return."""
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # tools start processes and wait for them
    os.setsid()
    os.chdir(wanted["folder"])
    os.environ.update(wanted["environment"], JPY_PARENT_PID=str(os.getppid()))
    quiet = os.open(os.devnull, os.O_RDWR)
    log = os.open("kernel.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((quiet, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    app = IPKernelApp.instance()
    app.initialize(["-f", wanted["file"], "--HistoryManager.enabled=False", "--IPKernelApp.log_level=ERROR"])
    app.start()


def main():
    """Serve until the input ends."""
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are gone at once
    print(os.getpid(), flush=True)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            try:
                become_kernel(json.loads(line))
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
