"""The right of a run to write, which a person who leaves it takes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Lease:
    """The right of a run to record and to draw, until it is taken away: then what is left of it can do neither."""

    def __init__(self) -> None:
        self.held = True
        self._lock = threading.RLock()

    @contextmanager
    def used(self) -> Iterator[None]:
        """While something is recorded. Raises CancelledError where the right is gone."""
        with self._lock:
            if not self.held:
                raise asyncio.CancelledError
            yield

    def revoke(self, patience: float = 0.05) -> None:
        """Take the right away; a record that is just being made, on another thread, is waited for so many seconds."""
        waited = self._lock.acquire(timeout=patience)
        self.held = False
        if waited:
            self._lock.release()
