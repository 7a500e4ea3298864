"""What `%load_ext statebook` adds to the start of an IPython, each time in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from figures import Figure
from sizes import Sizes

PROMISE = "load_ext"
_SHELL = """\
from ipykernel.zmqshell import ZMQInteractiveShell as Shell
shell = Shell.instance()
"""
_TIMED = f"""\
import time
{_SHELL}
began = time.perf_counter()
shell.run_line_magic("load_ext", "statebook")
loaded = time.perf_counter()
import statebook.session.session, statebook.session.registry, statebook.state.namespace, statebook.magic.commands.table
print((loaded - began) * 1000, (time.perf_counter() - loaded) * 1000)
"""


def measure(_: Path, sizes: Sizes) -> list[Figure]:
    loads, later, bare = [], [], []
    _start(_TIMED)  # the first start compiles
    for _turn in range(sizes.starts):
        began = time.perf_counter()
        _start(_SHELL)
        bare.append((time.perf_counter() - began) * 1000)
        load, rest = _start(_TIMED).split()
        loads.append(float(load))
        later.append(float(rest))
    beside = f"the kernel's bare shell starts in {statistics.median(bare):.0f} ms"
    note = "imported by the first cell that needs it"
    return [
        Figure(PROMISE, "%load_ext statebook, fresh process", statistics.median(loads), "ms", beside, 150),
        Figure(PROMISE, "... and the session's rooms", statistics.median(later), "ms", note),
    ]


def _start(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
