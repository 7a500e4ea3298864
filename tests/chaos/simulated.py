"""A counted world: time, ids and process numbers that repeat, so that one seed gives the same bytes on the disk.

Waiting costs nothing: when nothing is left to do but wait, the clock is put forward to the next thing that is due.
"""

import asyncio
import datetime as dt
import os
import random
import selectors
import threading
import time
from types import SimpleNamespace

_real_select = selectors.DefaultSelector.select

PROCESS = 4_190_301
"""The process number of every simulated kernel; beyond those that Linux gives to a real one of a small machine."""


class Clock:
    """Seconds since the beginning; every look at it takes a microsecond."""

    def __init__(self):
        self.now = 1_000.0

    def monotonic(self):
        self.now += 1e-6
        return self.now

    def sleep(self, seconds):
        self.now += seconds


CLOCK = Clock()


class _Selector(selectors.DefaultSelector):
    """Never waits for time to pass, only for threads that run a tool, or ask it."""

    def select(self, timeout=None):
        events = _real_select(self, 0)
        while not events and timeout != 0 and _tool_runs():
            events = _real_select(self, 0.01)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        CLOCK.now += max(timeout, 0)
        return []


def _tool_runs():
    return any(thread.name.startswith(("tool ", "verify")) for thread in threading.enumerate())


class Loop(asyncio.SelectorEventLoop):
    """An event loop on simulated time, which does what it is given for a thread pool at once."""

    def __init__(self):
        super().__init__(_Selector())

    def run_in_executor(self, executor, func, *args):
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as the pool would hand it over
            done.set_exception(error)
        return done


class _Date(dt.datetime):
    @classmethod
    def now(cls, tz=None):
        return dt.datetime(2026, 1, 1, tzinfo=tz) + dt.timedelta(seconds=CLOCK.monotonic())


def begin(name):
    """Begin a life: its clock and its ids follow from its name alone."""
    import statebook.ids

    CLOCK.now = 1_000.0
    dice = random.Random(name)
    statebook.ids.secrets = SimpleNamespace(token_hex=lambda count: dice.randbytes(count).hex())


def install():
    """Make this process a simulated one, for good."""
    from statebook.store.file import database

    time.monotonic, time.sleep = CLOCK.monotonic, CLOCK.sleep
    os.getpid = lambda: PROCESS
    database.datetime = _Date


def run(work):
    """Bring a coroutine to its end on simulated time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(work)
