"""When to kill: at any time, or around a moment when something goes in or out of the kernel."""

import itertools
import random
import threading
import time
from dataclasses import dataclass

COMMIT = 0.008
"""Seconds within which a change of a file counts as just now: file systems keep time in steps of 4 ms."""


@dataclass(frozen=True)
class Instant:
    """The ``nth`` time that something happens outside, and ``delay`` seconds later. What happens is one of

    ``clock`` (the cell was sent), ``request`` (the server is asked), ``piece`` (it has sent a piece of an answer),
    ``ledger`` (a tool acted), ``commit`` (the log grew), ``fold`` (the log is being folded into the file).
    """

    what: str
    nth: int
    delay: float


ROUND = ("ledger", "clock", "piece", "ledger", "commit", "request", "ledger", "fold", "clock")
"""What happens before one kill and before the next, so that few kills meet all of it."""


def instants(dice: random.Random):
    """Instants without end: some by the clock alone, most around what goes in and out."""
    first = dice.randrange(len(ROUND))
    for what in itertools.islice(itertools.cycle(ROUND), first, None):
        if what == "clock":
            yield Instant(what, 0, dice.uniform(0.0, 1.0))
        else:
            most = {"request": 2, "piece": 20, "ledger": 2, "commit": 14, "fold": 1}[what]
            yield Instant(
                what, dice.randint(1, most), dice.choice((0.0, dice.uniform(0, 0.004), dice.uniform(0, 0.05)))
            )


def instant_of_a_move(dice: random.Random):
    """One in the middle of a move, which is short and makes a few commits."""
    what = dice.choice(("commit", "commit", "commit", "fold", "clock"))
    nth = dice.randint(1, 4) if what == "commit" else 1
    return Instant(what, nth, dice.uniform(0, 0.3) if what == "clock" else dice.choice((0.0, dice.uniform(0, 0.02))))


class Outside:
    """What can be seen of a scenario without its kernel: the server's counts, the ledger, the store's files."""

    def __init__(self, folder, traffic):
        self._traffic = traffic
        self.ledger = folder / "ledger"
        self._log = folder / "book.statebook.duckdb.wal"
        self._fold = folder / "book.statebook.duckdb.fold"

    def count(self, what):
        """How much of something there was so far."""
        if what == "request":
            return self._traffic.requests
        if what == "piece":
            return self._traffic.pieces
        if what == "ledger":
            return _lines(self.ledger)
        return int(self._fold.exists())

    def size(self):
        """Bytes of the log."""
        return self._log.stat().st_size if self._log.exists() else 0

    def at_a_commit(self):
        """Whether the log was written just now, or is being folded."""
        try:
            fresh = time.time() - self._log.stat().st_mtime < COMMIT
        except OSError:
            fresh = False
        return fresh or self._fold.exists()

    def streaming(self):
        """Whether the server is in the middle of an answer."""
        return self._traffic.streaming > 0


def _lines(path):
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


class Killer:
    """Kills a kernel at an instant, unless the cell ends before. ``saw`` is what was going on outside just then."""

    def __init__(self, kernel, instant, outside):
        self._kernel, self._instant, self._outside = kernel, instant, outside
        self._called_off = threading.Event()
        self.saw = None
        self._thread = threading.Thread(target=self._wait_and_kill, daemon=True)

    def __enter__(self):
        if self._instant is not None:
            self._thread.start()
        return self

    def __exit__(self, *_):
        self._called_off.set()
        if self._instant is not None:
            self._thread.join()

    def _wait_and_kill(self):
        if not self._happened() or self._called_off.wait(self._instant.delay):
            return
        where = "at a commit" if self._outside.at_a_commit() else "mid-stream" if self._outside.streaming() else ""
        self._kernel.kill()
        self.saw = where

    def _happened(self):
        what, left = self._instant.what, self._instant.nth
        size, before = self._outside.size(), 0 if what in ("clock", "commit") else self._outside.count(what)
        while what != "clock" and not self._called_off.wait(0.002):
            if what == "commit":
                newer = self._outside.size()
                left, size = left - (newer != size), newer
                if left <= 0:
                    return True
            elif self._outside.count(what) - before >= left:
                return True
        return what == "clock"
