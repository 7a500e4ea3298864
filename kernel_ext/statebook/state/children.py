"""Stops the processes that a stopped tool call has started, and theirs; none that were there before it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

_PLAN = (("SIGINT", 0.06), ("SIGTERM", 1.0), ("SIGKILL", 1.0))
"""What is sent, and the seconds that processes get to heed it."""

_TICK = 0.01
_RESOLUTION = 0.011
"""Seconds. A process's time of creation is told in hundredths, rounded down."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time that times of creation can be compared with, whatever happens to the wall clock on Linux."""

    wall: float
    boot: float

    @classmethod
    def now(cls) -> Moment:
        """The present one."""
        boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else 0.0
        return cls(time.time(), boot)

    def before(self, process: psutil.Process) -> bool:
        """Whether ``process`` was created since."""
        boot = _since_boot(process.pid) if self.boot else None
        if boot is not None:
            return boot >= self.boot - _RESOLUTION
        return bool(process.create_time() >= self.wall - _RESOLUTION)


def stop_children(since: Moment, *, reached: bool = True) -> threading.Thread:
    """On a thread, stop the processes that this one has started ``since``: SIGINT, SIGTERM, SIGKILL, with graces.

    One that leads a group is signalled with its group (a shell and its pipeline). ``reached`` says that the stop
    button's own SIGINT went to this process's group, as Jupyter and terminals send it: those in it get no second one.
    """
    thread = threading.Thread(target=end_children, args=(since,), kwargs={"reached": reached}, daemon=True)
    thread.name = "statebook-stop"
    thread.start()
    return thread


def end_children(since: Moment, *, reached: bool = True) -> None:
    """What `stop_children` does, on this thread."""
    known: dict[int, psutil.Process] = {}
    led: set[int] = set()
    for name, grace in _PLAN:
        number = getattr(signal, name, signal.SIGTERM)
        if number == signal.SIGINT and not hasattr(os, "killpg"):  # on Windows it would end them at once
            number = signal.SIGTERM
        for process in [*_started(since), *_members(led)]:
            known.setdefault(process.pid, process)
        living = [process for process in known.values() if _lives(process)]
        if not living:
            return
        led.update(process.pid for process in living if _group(process.pid) == process.pid)
        _send(number, living, reached=reached and number == signal.SIGINT)
        _wait(living, grace)


def _started(since: Moment) -> list[psutil.Process]:
    """Children created since, and all that descend from them."""
    import psutil

    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with suppress(psutil.Error, OSError):  # it ended meanwhile
            if since.before(child):
                found += [child, *child.children(recursive=True)]
    return found


def _members(groups: set[int]) -> list[psutil.Process]:
    """Who is in these groups: also those who have lost their parent, and are nobody's descendants any more."""
    import psutil

    found: list[psutil.Process] = []
    for pid in psutil.pids() if groups else []:
        if _group(pid) in groups:
            with suppress(psutil.Error):
                found.append(psutil.Process(pid))
    return found


def _group(pid: int) -> int:
    """The process group of a process; 0 where it is gone, and where there are none."""
    try:
        return os.getpgid(pid) if hasattr(os, "getpgid") else 0
    except OSError:
        return 0


def _send(number: int, processes: Sequence[psutil.Process], *, reached: bool) -> None:
    own, signalled = _group(os.getpid()), {process.pid for process in processes}
    for process in processes:
        group = _group(process.pid)
        with suppress(OSError):  # it ended meanwhile, or belongs to another user
            if group and group == process.pid:
                os.killpg(group, number)
            elif not (reached and group == own) and group not in signalled:
                os.kill(process.pid, number)


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    """Until all are gone. They are not reaped here: who started them wants their exit status."""
    end = time.monotonic() + seconds
    while any(map(_lives, processes)) and time.monotonic() < end:
        time.sleep(_TICK)


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _since_boot(pid: int) -> float | None:
    """Seconds from the machine's start to the process's, on Linux (proc(5): field 22 of stat); else None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
