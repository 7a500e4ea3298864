"""A thread that writes chunks behind the back of whoever takes a snapshot, with a bound on what waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from statebook.errors import StoreError

WAITING = 64 * 2**20
"""Bytes that may wait to be written."""

_IDLE = 1.0
"""Seconds without work after which the thread ends; the next chunk starts another one."""


class Behind:
    """Chunks that are on their way to ``write``, in order. For any thread."""

    def __init__(self, write: Callable[[str, bytes], None], limit: int = WAITING) -> None:
        self._write = write
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: dict[str, bytes] = {}
        self._bytes = self._put = self._done = 0
        self._thread: threading.Thread | None = None
        self._fault: StoreError | None = None
        self._untold = self._closing = False
        self._faults = 0

    def waiting(self, digest: str) -> bytes | None:
        """A chunk that was put and is not written yet."""
        return self._waiting.get(digest)

    def put(self, digest: str, data: bytes) -> None:
        """Hand over a chunk; waits while there is no room. Raises what the thread met since the last call, once."""
        with self._changed:
            self._tell()
            while self._waiting and self._bytes + len(data) > self._limit:
                self._start()
                self._changed.wait()
                self._tell()
            if digest not in self._waiting:
                self._waiting[digest] = data
                self._bytes += len(data)
                self._put += 1
                self._start()
                self._changed.notify_all()

    def drain(self) -> None:
        """Wait until all that was put is written. Raises what the thread met instead; then nothing waits any more."""
        with self._changed:
            self._tell()
            wanted, faults = self._put, self._faults
            while self._done < wanted and self._faults == faults:
                self._start()
                self._changed.wait()
            if self._faults != faults and self._fault is not None:
                self._untold = False
                raise self._fault

    def close(self) -> None:
        """Drop what waits, which nothing on disk names, and wait for the thread to notice."""
        with self._changed:
            self._drop()
            thread = self._thread
            self._closing = True
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._closing = False

    def _tell(self) -> None:
        if self._untold and self._fault is not None:
            self._untold = False
            raise self._fault

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="statebook packs", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._write(*item)
            except Exception as error:  # noqa: BLE001 - a thread that died of it would leave `drain` waiting for ever
                self._failed(error)
            else:
                self._wrote(item[0])

    def _next(self) -> tuple[str, bytes] | None:
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(_IDLE)
            if not self._waiting:
                self._thread = None
                return None
            return next(iter(self._waiting.items()))

    def _wrote(self, digest: str) -> None:
        with self._changed:
            data = self._waiting.pop(digest, None)
            if data is not None:  # else it was dropped meanwhile
                self._bytes -= len(data)
                self._done += 1
            self._changed.notify_all()

    def _failed(self, error: Exception) -> None:
        with self._changed:
            told = error if isinstance(error, StoreError) else StoreError(f"Chunks can't be written: {error!r}.", _HINT)
            self._fault, self._untold = told, True
            self._faults += 1
            self._drop()
            self._changed.notify_all()

    def _drop(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._done = self._put


_HINT = "Run the cell again; what was acknowledged is on disk."
