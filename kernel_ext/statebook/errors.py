"""Every error statebook raises, as one tree; each shows as a single line that says what to do next.

::

    StatebookError                      what happened + what to do next
    ├── UsageError                      a flag, subcommand, name or cell that can't be understood
    │   ├── UnknownName                 a name that does not exist ("did you mean ...")
    │   └── NotRecorded                 a cell that may only be replayed, and differs from what is recorded
    ├── PromptError                     a missing @name or @file:, a failing {{expr}}
    ├── StoreError                      the DuckDB file beside the notebook
    │   ├── SessionLocked               another process holds it
    │   ├── StoreTooNew                 a newer statebook wrote it
    │   ├── StoreDamaged                it can't be read, or hashes and references do not agree
    │   ├── StoreReadOnly               the file or its folder can't be written
    │   ├── StoreGone                   it was removed, moved or replaced while it was open
    │   └── StoreFull                   the disk is full
    ├── ModelError                      the model did not answer
    ├── ToolError                       a tool could not do its work
    ├── SourceError                     a document can't be read
    ├── WorkspaceError                  files of the workspace can't be put back
    ├── RunFailed                       a run ended without an answer
    └── RunPaused                       a run waits on disk for a person or a higher limit

    RunInterrupted (KeyboardInterrupt)  the stop button; user code must not swallow it
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 12
"""How many known names an error lists."""


class StatebookError(Exception):
    """What happened (``message``) and what to do next (``hint``), shown as one line without a traceback."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = " ".join(message.split())
        self.hint = " ".join(hint.split())

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """IPython's hook for an exception that draws itself: one line instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(StatebookError):
    """A flag, subcommand, name or cell that can't be understood."""


class UnknownName(UsageError):
    """A name that does not exist, with the nearest ones that do."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        choices = sorted(known)
        near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
        if near:
            advice = f"Did you mean {near[0]!r}?"
        elif choices:
            shown = ", ".join(choices[:_SHOWN]) + (", ..." if len(choices) > _SHOWN else "")
            advice = f"Known: {shown}."
        else:
            advice = ""
        super().__init__(f"No {what} named {name!r}.", f"{advice} {hint}".strip())
        self.name = name


class NotRecorded(UsageError):
    """A cell that may only be answered from the journal and is not recorded; ``diff`` shows where its prompt differs.

    The diff's lines stand below the one line of the error.
    """

    def __init__(self, message: str, hint: str = "", diff: Iterable[str] = ()) -> None:
        super().__init__(message, hint)
        self.diff = tuple(diff)

    def _render_traceback_(self) -> list[str]:
        return [*super()._render_traceback_(), *self.diff]


class PromptError(StatebookError):
    """A prompt that can't be completed: a missing ``@name`` or ``@file:``, a failing ``{{expr}}``."""


class StoreError(StatebookError):
    """The DuckDB file beside the notebook can't do what was asked."""


class SessionLocked(StoreError):
    """Another process holds the store; ``pid`` names it where DuckDB told (else None)."""

    def __init__(self, message: str, hint: str = "", pid: int | None = None) -> None:
        super().__init__(message, hint)
        self.pid = pid


class StoreTooNew(StoreError):
    """A newer statebook wrote the store."""


class StoreDamaged(StoreError):
    """The store can't be read, or its hashes and references do not agree."""


class StoreReadOnly(StoreError):
    """The store's file or its folder can't be written."""


class StoreGone(StoreError):
    """The store was removed, moved or replaced while it was open; who has it open may still hold all of it."""


class StoreFull(StoreError):
    """The disk is full; nothing that was acknowledged is lost."""


class ModelError(StatebookError):
    """The model did not answer; ``retryable`` says whether asking again is safe and may help.

    ``fault`` is one of `statebook.protocol.models.Fault`; ``wait`` is the seconds a server asked to wait before the
    next try (None where it did not say).
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        retryable: bool = False,
        fault: str = "unknown",
        wait: float | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.retryable = retryable
        self.fault = fault
        self.wait = wait


class ToolError(StatebookError):
    """A tool could not do its work; the model is told and may try something else."""


class SourceError(StatebookError):
    """A document can't be read."""


class WorkspaceError(StatebookError):
    """Files of the workspace can't be put back; all are as they were."""


class RunFailed(StatebookError):
    """A run ended without an answer; everything up to there is in the journal."""


class RunPaused(StatebookError):
    """A run waits on disk for a person, or for a higher limit."""


class RunInterrupted(KeyboardInterrupt):
    """The stop button: the run stopped, what it had is kept.

    Derives from KeyboardInterrupt, so that a user's ``except Exception`` can't swallow it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def _render_traceback_(self) -> list[str]:
        return [self.message]
