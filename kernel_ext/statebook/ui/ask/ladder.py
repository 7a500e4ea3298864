"""Putting a question to a person: a card in the notebook, else a prompt, else nobody is there."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from statebook.protocol.approvals import Answer, Choice, Question
from statebook.protocol.journal.runs import Run
from statebook.run.seams import Asker, Silent
from statebook.state.interrupt import STOPS, Sigint
from statebook.ui.escape import one_line, visible

from .card import answered, ask_by_card, question_call, question_facts, question_title

MainThread = Callable[[Callable[[], Answer | None]], Awaitable[Answer | None]]
"""Runs a function on the main thread and gives its result; ``input`` and signals work only there."""

_LETTERS: dict[str, Choice] = {
    "y": "allow",
    "a": "allow_always",
    "n": "reject",
    "r": "retry",
    "h": "happened",
    "s": "skip",
}
_MENU = {
    "approval": "[y] allow once  [a] always allow in this session  [n] reject",
    "in_doubt": "[r] run it again  [h] it happened  [s] skip",
}
_COMMS_WHILE_RUNNING = (7, 0)


def choose_asker(shell: Any, main_thread: MainThread) -> Asker:
    """Whom to ask in this cell: ``shell`` is IPython's.

    A kernel with a front end: the card, else the input box. A terminal: a prompt. Otherwise nobody, and the run
    pauses on disk.
    """
    if not somebody_there(shell):
        return Silent()
    if getattr(shell, "kernel", None) is not None and _comms_reach_running_cells():
        return CardAsker(PromptAsker(main_thread))
    return PromptAsker(main_thread)


def somebody_there(shell: Any) -> bool:
    """A person can answer: the cell was sent with ``allow_stdin``, or a terminal is open."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return sys.stdin is not None and sys.stdin.isatty()
    parent = kernel.get_parent() or {}
    return bool(parent.get("content", {}).get("allow_stdin"))


def _comms_reach_running_cells() -> bool:
    """Whether a widget's messages can arrive while a cell runs: ipykernel 7 brought subshells."""
    from ipykernel._version import version_info

    return tuple(version_info[:2]) >= _COMMS_WHILE_RUNNING


class CardAsker:
    """Asks by the card; where the front end can't reach a running cell, by the next asker, from then on at once."""

    def __init__(self, otherwise: Asker) -> None:
        self._otherwise = otherwise
        self._works = True

    async def ask(self, question: Question, run: Run) -> Answer | None:
        """The person's answer."""
        if self._works:
            answer: Answer | None = None
            # a front end without widgets, or an unusable widget installation, still has an input box
            with contextlib.suppress(ImportError):
                answer = await ask_by_card(question)
            if answer is not None:
                return answer
            self._works = False
        return await self._otherwise.ask(question, run)


class PromptAsker:
    """Asks by ``input``: the box under a notebook cell, or a terminal's line."""

    def __init__(self, main_thread: MainThread) -> None:
        self._main_thread = main_thread

    async def ask(self, question: Question, run: Run) -> Answer | None:
        """The person's answer; None at the end of input."""
        return await self._main_thread(lambda: _prompt(question))


def _prompt(question: Question) -> Answer | None:
    """Ask until the answer is one of the choices: an empty or misspelt line decides nothing.

    Raises CancelledError for the stop button, which in an async cell could not break ``input`` otherwise.
    """
    reason = f"{visible(question.reason)}\n" if question.reason else ""
    print(f"{question_title(question)}\n{reason}{question_call(question)}\n{question_facts(question)}", flush=True)  # noqa: T201  the box is asked below it
    try:
        answer = Sigint().during(lambda: _line(question))
    except STOPS:
        raise asyncio.CancelledError from None
    if answer is not None:
        print(answered(question, answer), flush=True)  # noqa: T201  the box is asked below it
    return answer


def _line(question: Question) -> Answer | None:
    answer: Answer | None = None
    while answer is None:
        try:
            line = input(f"{_MENU[question.kind]}, then a word to the model if you like: ")
        except EOFError:
            return None
        answer = read_answer(question, line)
    return answer


def read_answer(question: Question, line: str) -> Answer | None:
    """``"n it is precious"`` -> reject, with a word; None where it begins with none of the choices."""
    letter, _, word = line.strip().partition(" ")
    choice = _LETTERS.get(letter.lower())
    if choice is None or choice not in question.choices:
        return None
    return Answer(choice, one_line(word, 2000), "prompt")
