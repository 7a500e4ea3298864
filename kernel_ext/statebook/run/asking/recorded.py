"""Answers that are recorded already: a request that was answered once need not be asked and paid for again.

Which recorded answer may stand in for asking: that of an equal request (`statebook.context.window.request_key`) to the
same model, on whatever branch, unless the run that asked it is part of the same conversation and belongs to another
cell: an equal cell below is a new question, and wants an answer of its own. A run that was begun with ``--fresh`` or
under ``--replay off`` takes none at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from statebook.errors import ModelError
from statebook.model.base import Model
from statebook.protocol.journal.events import ModelAnswered
from statebook.protocol.journal.runs import Run
from statebook.store.projections.runs import Request
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Repeat:
    """A recorded answer that stands in for asking: the model that gave it, and the event to record."""

    model: str
    event: ModelAnswered


@dataclass(frozen=True, slots=True)
class Replay:
    """How one run uses the record of its ``store``.

    ``only`` never asks; ``any_model`` takes whichever model's answer is recorded.
    """

    store: Store
    only: bool = False
    any_model: bool = False

    def find(self, run: Run, model: str, key: str) -> Repeat | None:
        """The recorded answer to the request of this key that the run is about to make to ``model``."""
        if run.started.fresh and not self.only:
            return None
        for request in self.store.runs.requests(key):
            fits = (self.any_model or request.model == model) and request.run != run.number
            if fits and not self._is_another_question(request, run):
                event = self._answer(request)
                if event is not None:
                    return Repeat(request.model, event)
        return None

    def asked(self, run: Run, model: Model) -> tuple[str, int]:
        """The model whose recorded requests this run repeats, and the context that they were cut to.

        Where nobody is asked, ``model`` may stand for one that is not here, and whose context is not known.
        """
        wanted = "" if self.any_model else model.name
        name, context = self.store.journal.asked(run.number, run.started.prompt, wanted) if self.only else ("", 0)
        return (name, context) if context else (model.name, model.context_tokens)

    def refuse(self) -> ModelError:
        """What a run that may not ask ends with, where the next answer is not recorded."""
        return ModelError(
            "its next model answer is not recorded, and under --replay only no model is asked.",
            "Run the cell with --replay auto to ask.",
        )

    def _is_another_question(self, request: Request, run: Run) -> bool:
        past = self.store.journal.lineage(run.branch)
        in_conversation = any(request.branch == branch and request.seq <= upto for branch, upto in past)
        return in_conversation and self.store.run(request.run).started.cell_id != (run.started.cell_id or None)

    def _answer(self, request: Request) -> ModelAnswered | None:
        """The answer to a request as an event that repeats it: the same bytes, nothing spent. None: it has none."""
        for entry in self.store.journal.entries_of_run(request.run):
            event = entry.event
            if entry.step == request.step and isinstance(event, ModelAnswered):
                origin = event.repeats or entry.seq
                return ModelAnswered(event.message, event.usage, event.stop, 0.0, event.response_id, 0.0, origin)
        return None
