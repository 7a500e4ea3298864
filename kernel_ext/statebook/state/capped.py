"""Text that keeps its head and its tail, however much is written to it."""

from __future__ import annotations

from statebook.protocol.code import plain

CAPACITY = 40_000
"""Characters kept of one stream: half from its beginning, half from its end."""


class CappedText:
    """What a stream wrote, in bounded memory: printing 200 MB costs at most a few times ``capacity`` characters."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._half = capacity // 2
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._head: list[str] = []
        self._room = self._half
        self._tail: list[str] = []
        self._tail_size = 0
        self._cut = 0

    def write(self, text: str) -> None:
        """Add ``text``."""
        if self._room:
            head, text = text[: self._room], text[self._room :]
            self._head.append(head)
            self._room -= len(head)
        if text:
            self._tail.append(text)
            self._tail_size += len(text)
            # folding only when the tail has doubled keeps many small writes linear
            if self._tail_size > 2 * self._half:
                self._fold()

    def _fold(self) -> None:
        joined = "".join(self._tail)
        self._cut += max(0, len(joined) - self._half)
        joined = joined[-self._half :]
        self._tail, self._tail_size = [joined], len(joined)

    def text(self) -> str:
        """Head and tail, with a line between them that says how much is missing; no colours, no overwritten text."""
        self._fold()
        tail = "".join(self._tail)
        gap = f"\n[... {self._cut:,} characters cut ...]\n" if self._cut else ""
        return plain("".join(self._head) + gap + tail)
