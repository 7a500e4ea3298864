"""A real session on a real file in a temporary folder, without IPython: for testing agents, tools and prompts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from statebook.config import Settings, store_path
from statebook.errors import StoreError
from statebook.model.base import Model
from statebook.protocol.approvals import Answer, Question
from statebook.protocol.calls import AgentCall, Limits
from statebook.protocol.journal.runs import Run
from statebook.run.seams import Asker, Silent, Sink
from statebook.session.keeping.variables import Kernel
from statebook.session.notebook.identity import Notebook
from statebook.session.registry import Registry
from statebook.session.session import Session
from statebook.session.toolset import Surfaces
from statebook.store.store import Store
from statebook.tools.base import Tool
from statebook.tools.python import CodeRunner

from .scripted import ScriptedModel


class TemporarySession:
    """A session as a notebook has it, on a real DuckDB file.

    ::

        with TemporarySession(model=ScriptedModel([call("add", {"a": 1, "b": 2}), say("3")]), tools=[add]) as session:
            run = await session.ask("What is 1 + 2?")
            assert run.answer == "3"

    ``model`` is a model object or a name (``offline:``). ``folder`` is used and left as it is; None makes one and
    removes it. ``sources`` are paths to cite, relative to the folder. ``tools`` are the user's own. ``variables`` are
    what ``sql`` can query; ``runner`` runs code for the ``python`` tool (None: there is no such tool). ``limits`` of
    the session (steps, tokens, seconds, dollars) hold where a call sets none. ``namespace`` is the dict of variables
    that checkpoints keep (None: they keep only files), as ``snapshots`` says.

    ``answers`` is what a person would say, in order, to the questions a run asks (approvals, calls in doubt); without
    any, nobody is there and a run pauses. A question that was not expected, and an answer that nobody asked for,
    fail the test with AssertionError, and so does a `ScriptedModel` whose steps were not all used, when the block
    is left. ``questions`` keeps what was asked and ``notices`` what a person was told.
    """

    def __init__(
        self,
        *,
        model: Model | str = "offline:",
        folder: Path | str | None = None,
        sources: Sequence[str] = (".",),
        tools: Iterable[Tool] = (),
        answers: Iterable[Answer] = (),
        variables: Mapping[str, object] | None = None,
        runner: CodeRunner | None = None,
        limits: Limits = Limits(50),
        notebook: str = "test.ipynb",
        namespace: dict[str, object] | None = None,
        snapshots: Literal["agent", "cells", "off"] = "agent",
    ) -> None:
        self.model = model
        self.tools = list(tools)
        self.answers = list(answers)
        self.questions: list[Question] = []
        self.notices: list[str] = []
        self.sink: Sink = Silent()
        self._unexpected: list[str] = []
        self._given = bool(self.answers)
        self._exit = ExitStack()
        self.folder = Path(folder) if folder is not None else Path(self._temporary())
        self._settings = Settings(
            sources=tuple(sources),
            max_steps=limits.steps,
            max_tokens=limits.tokens,
            timeout=limits.seconds,
            budget=limits.dollars,
            snapshots=snapshots,
        )
        kernel = Kernel(namespace) if namespace is not None else None
        self._surfaces = Surfaces(runner, lambda: variables or {}, lambda: self.tools, kernel)
        self.notebook = self.folder / notebook
        self._registry: Registry | None = None

    # -- what a cell does ----------------------------------------------------------------------------------------

    async def ask(self, prompt: str, **fields: Any) -> Run:
        """Execute a cell with this prompt; ``fields`` are those of `AgentCall` (``fresh=True``, ``cell_id="a"``, ...).

        Returns the run that has its answer. Raises RunPaused, RunFailed and UsageError as the cell would, and
        asyncio.CancelledError when it was cancelled.
        """
        call = AgentCall(prompt, **{"source": prompt, **fields})
        return await self.session.execute(call, self.sink, self._asker())

    async def resume(self, run: int | Run, *, limits: Limits = Limits()) -> Run:
        """``%agent resume`` for a run or its number; ``limits`` replace those it had, where they say something."""
        number = run if isinstance(run, int) else run.number
        return await self.session.resume(number, limits, self.sink, self._asker())

    # -- the kernel's life ---------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The open session."""
        if self._registry is None:
            self._open()
        assert self._registry is not None
        assert self._registry.current is not None
        return self._registry.current

    @property
    def store(self) -> Store:
        """Its store."""
        return self.session.store

    def restart(self, model: Model | str | None = None) -> None:
        """Close the file and open it again, as a new kernel would; ``model`` takes over from the one before."""
        self.close()
        self.model = model if model is not None else self.model
        self._open()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        registry, self._registry = self._registry, None
        if registry is not None:
            with suppress(StoreError):
                registry.close()

    def verify(self) -> None:
        """Raise AssertionError for questions nobody expected, answers and scripted steps nobody asked for."""
        problems = list(self._unexpected)
        if self.answers:
            left = ", ".join(answer.choice for answer in self.answers)
            problems.append(f"{len(self.answers)} answers were never asked for: {left}")
        if problems:
            raise AssertionError("\n".join(problems))
        if isinstance(self.model, ScriptedModel):
            self.model.verify()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._exit.close()
        if kind is None:  # an error on its way out tells more than what it left unused
            self.verify()

    # -- inside --------------------------------------------------------------------------------------------------

    def _temporary(self) -> str:
        return self._exit.enter_context(tempfile.TemporaryDirectory(prefix="statebook-"))

    def _open(self) -> None:
        registry = Registry(self._surfaces, self.notices.append)
        path = self.notebook.absolute()
        name = self.model if isinstance(self.model, str) else ""
        settings = replace(self._settings, model=name)
        session = registry.open(Notebook(path, store_path(path), "named by the test"), settings)
        if not isinstance(self.model, str):
            session.use(self.model)
        self._registry = registry

    def _asker(self) -> Asker:
        self._given = self._given or bool(self.answers)
        return _Script(self) if self._given else Silent()

    def answer(self, question: Question) -> Answer:
        """The next scripted answer. Raises AssertionError when there is none, or it does not fit the question."""
        self.questions.append(question)
        if not self.answers:
            problem = f"A question nobody expected: {question.kind} of {question.call.name}({question.call.arguments})"
        elif self.answers[0].choice not in question.choices:
            problem = f"{self.answers[0].choice!r} does not answer a question of kind {question.kind!r}"
        else:
            return self.answers.pop(0)
        self._unexpected.append(problem)
        raise AssertionError(problem)


class _Script:
    """The person, as the test wrote them."""

    def __init__(self, session: TemporarySession) -> None:
        self._session = session

    async def ask(self, question: Question, run: Run) -> Answer | None:
        """The next answer."""
        return self._session.answer(question)
