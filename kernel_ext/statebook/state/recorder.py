"""What one piece of code wrote, displayed and failed with, while it ran."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from statebook.protocol.tools import ArtifactData

from .bundle import read_bundle
from .capped import CappedText

MAX_DISPLAYS = 40
MAX_DISPLAY_BYTES = 32_000_000

INSIDE: ContextVar[Recorder | None] = ContextVar("statebook_recorder", default=None)
"""The recorder of the code that runs in this context; tasks that the code starts inherit it."""


class Recorder:
    """Collects output in bounded memory until it is closed."""

    def __init__(self) -> None:
        self.stdout = CappedText()
        self.stderr = CappedText()
        self.result = ""
        self.error: BaseException | None = None
        self.open = True
        self._displays: dict[str, ArtifactData] = {}
        self._dropped = 0
        self._older_threads = frozenset(threading.enumerate())

    @property
    def rich(self) -> tuple[ArtifactData, ...]:
        """Displays in order; the same bytes only once (a figure that is shown and is the last expression too)."""
        return tuple({(item.media_type, item.data): item for item in self._displays.values()}.values())

    def current(self) -> Recorder | None:
        """The open recorder this thread and context write to, or None for code that only runs beside.

        Threads do not inherit context: one that was started since this recorder opened is taken to be the code's own.
        """
        found = INSIDE.get()
        if found is None and self.open:
            here = threading.current_thread()
            if here is not threading.main_thread() and here not in self._older_threads:
                found = self
        return found if found is not None and found.open else None

    def display(self, data: Mapping[str, Any], display_id: str = "") -> None:
        """Keep a display; its text goes to stdout, as it would in a terminal. The same id replaces what it showed."""
        text, artifact = read_bundle(data)
        if artifact is None or not artifact.media_type.startswith("image/"):
            self.stdout.write(f"{text}\n" if text else "")
        self._keep(artifact, display_id)

    def finish(self, data: Mapping[str, Any]) -> None:
        """Keep the last expression's bundle as the result."""
        text, artifact = read_bundle(data)
        kept = CappedText()
        kept.write(text)
        self.result = kept.text()
        self._keep(artifact, "")

    def _keep(self, artifact: ArtifactData | None, display_id: str) -> None:
        if artifact is None:
            return
        key = display_id or f"#{len(self._displays)}"
        size = sum(len(item.data) for item in self._displays.values()) + len(artifact.data)
        if key not in self._displays and (len(self._displays) >= MAX_DISPLAYS or size > MAX_DISPLAY_BYTES):
            self._dropped += 1
            return
        self._displays[key] = artifact

    def clear(self) -> None:
        """Forget what was printed and displayed, as ``clear_output()`` asks."""
        self.stdout.clear()
        self.stderr.clear()
        self._displays.clear()

    def close(self) -> None:
        """Take nothing more."""
        self.open = False
        if self._dropped:
            self.stderr.write(f"\n[{self._dropped} more displays were not kept]\n")
