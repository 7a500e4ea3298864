"""Answers that are recorded already: a request that was answered once need not be asked and paid for again.

Which recorded answer may stand in for asking: that of an equal request (`statebook.context.window.request_key`) to the
same model, on whatever branch, unless the run that asked it is part of the same conversation and belongs to another
cell: an equal cell below is a new question, and wants an answer of its own. A run that was begun with ``--fresh`` or
under ``--replay off`` takes none at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from statebook.errors import ModelError
from statebook.protocol.journal.events import ModelAnswered
from statebook.protocol.journal.runs import Run
from statebook.store.journal import Request
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Repeat:
    """A recorded answer that stands in for asking: the model that gave it, and the event to record."""

    model: str
    event: ModelAnswered


class Recorded:
    """The answered requests of a store, by their key; read from the journal once, then followed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_key: dict[str, list[Request]] = {}
        self._seq = 0

    def requests(self, key: str) -> Iterator[Request]:
        """The recorded requests of a key, newest first; answered or not."""
        last = self._store.journal.last_seq
        for request in self._store.journal.requests(after=self._seq) if last > self._seq else ():
            self._by_key.setdefault(request.key, []).append(request)
        self._seq = last
        yield from reversed(self._by_key.get(key, []))

    def answer(self, request: Request) -> ModelAnswered | None:
        """The answer to a request as an event that repeats it: the same bytes, nothing spent. None: it has none."""
        for entry in self._store.journal.entries_of_run(request.run):
            event = entry.event
            if entry.step == request.step and isinstance(event, ModelAnswered):
                origin = event.repeats or entry.seq
                return ModelAnswered(event.message, event.usage, event.stop, 0.0, event.response_id, 0.0, origin)
        return None

    def lineage(self, branch: int) -> list[tuple[int, int]]:
        """The ranges (branch, last seq) of a conversation's past."""
        return self._store.journal.lineage(branch)

    def cell_of(self, run: int) -> str:
        """The id of the cell that a run belongs to."""
        return self._store.run(run).started.cell_id


@dataclass(frozen=True, slots=True)
class Replay:
    """How one run uses the record. ``only`` never asks; ``any_model`` takes whichever model's answer is recorded."""

    recorded: Recorded
    only: bool = False
    any_model: bool = False

    def find(self, run: Run, model: str, key: str) -> Repeat | None:
        """The recorded answer to the request of this key that the run is about to make to ``model``."""
        if run.started.fresh and not self.only:
            return None
        past = self.recorded.lineage(run.branch)
        for request in self.recorded.requests(key):
            fits = (self.any_model or request.model == model) and request.run != run.number
            if fits and not self._is_another_question(request, run, past):
                event = self.recorded.answer(request)
                if event is not None:
                    return Repeat(request.model, event)
        return None

    def _is_another_question(self, request: Request, run: Run, past: list[tuple[int, int]]) -> bool:
        in_conversation = any(request.branch == branch and request.seq <= upto for branch, upto in past)
        return in_conversation and self.recorded.cell_of(request.run) != (run.started.cell_id or None)

    def refuse(self) -> ModelError:
        """What a run that may not ask ends with, where the next answer is not recorded."""
        return ModelError(
            "its next model answer is not recorded, and under --replay only no model is asked.",
            "Run the cell with --replay auto to ask.",
        )
