"""One question that is answered by yes or no, in the box below a cell or on a terminal's line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from statebook.state.interrupt import STOPS, Sigint

from .ladder import somebody_there

_YES, _NO = ("y", "yes"), ("", "n", "no")

MainThread = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Runs a function on the main thread and gives its result; ``input`` and signals work only there."""


async def confirm(shell: Any, main_thread: MainThread, question: str) -> bool | None:
    """The person's answer; an empty line and the end of input are no. None where nobody can answer.

    Raises CancelledError for the stop button.
    """
    if not somebody_there(shell):
        return None
    return await main_thread(lambda: _asked(question))


def _asked(question: str) -> bool:
    try:
        return Sigint().during(lambda: _line(question))
    except STOPS:
        raise asyncio.CancelledError from None


def _line(question: str) -> bool:
    while True:
        try:
            word = input(f"{question} [y/N] ").strip().lower()
        except EOFError:
            return False
        if word in _YES or word in _NO:
            return word in _YES
