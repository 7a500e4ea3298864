"""What a scratch copy keeps besides the session's own file: a ledger of what was done, and the fuse that kills."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from statebook.protocol.journal.events import (
    Entry,
    Event,
    ModelAnswered,
    ModelRequested,
    ToolFinished,
    ToolIntended,
)
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.tools import ArtifactData
from statebook.store.journal import Place
from statebook.store.store import Store

from .moments import Moment, Where

_BEFORE: dict[type[Event], Where] = {ModelRequested: "request", ToolIntended: "intent"}
_AFTER: dict[type[Event], Where] = {ModelAnswered: "answer", ToolFinished: "result"}


def store_in(folder: Path) -> Path:
    """The session's file in a scratch folder."""
    return folder / "drill.statebook.duckdb"


class Ledger:
    """The world outside: a file of JSON lines that no crash of a process and no rewind takes anything from."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger"

    def note(self, what: str, **fields: Any) -> None:
        """One line. It is the kernel's as soon as this returns, so that the death of this process can't take it."""
        line = json.dumps({"what": what, **fields}) + "\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def lines(self, what: str = "") -> list[dict[str, Any]]:
        """The lines so far, or those of one kind."""
        found = [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []
        return [line for line in found if what in ("", line["what"])]

    def acted(self, call: str) -> bool:
        """Whether this call happened."""
        return any(line["call"] == call for line in self.lines("act"))


class Fuse:
    """Kills this process, with nothing to clean up after it, when the run comes to a moment. None: never."""

    def __init__(self, moment: Moment | None = None) -> None:
        self._moment = moment

    def burn(self, where: Where, step: int) -> None:
        """The run is at this place."""
        if self._moment is not None and (where, step) == (self._moment.where, self._moment.step):
            # on Windows any signal that it does not know ends the process just as hard
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class WatchedStore(Store):
    """A store that notes what it has acknowledged, and where a kill can come before and after a commit."""

    def __init__(self, folder: Path, fuse: Fuse, ledger: Ledger) -> None:
        super().__init__(store_in(folder))
        self._fuse, self._ledger = fuse, ledger

    def commit(
        self,
        events: Sequence[tuple[Place, Event]],
        *,
        branch: int | None = None,
        artifacts: Iterable[ArtifactData] = (),
        snapshots: Sequence[SnapshotRow] = (),
    ) -> list[Entry]:
        """See `Store.commit`."""
        self._burn(_BEFORE, events)
        entries = super().commit(events, branch=branch, artifacts=artifacts, snapshots=snapshots)
        for entry in entries:
            self._ledger.note("kept", seq=entry.seq, kind=entry.event.kind, step=entry.step, run=entry.run)
        self._burn(_AFTER, events)
        return entries

    def draft(self, run: int, step: int, part: int, text: str) -> None:
        """See `Store.draft`."""
        super().draft(run, step, part, text)
        self._ledger.note("drawn", step=step, text=text)

    def _burn(self, places: dict[type[Event], Where], events: Sequence[tuple[Place, Event]]) -> None:
        for place, event in events:
            where = places.get(type(event))
            if where:
                self._fuse.burn(where, place.step)
