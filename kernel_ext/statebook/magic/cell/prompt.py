"""From the cell's text to the prompt: ``{{expr}}`` is evaluated, ``@name`` and ``@file:path`` are handed over.

Never ``str.format``: prompts hold JSON, LaTeX and code, whose single braces stay as they are. What an expression
gives is data: it is put in as it is, and an ``@`` or ``{{`` inside it means nothing. An ``@`` of the cell counts only
at the start of a word, and an ``@word`` that is no variable and looks like a mention of one is an error, so that a
typing mistake is not sent to the model; e-mail addresses and decorators in code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from statebook.context.variables import describe
from statebook.errors import PromptError
from statebook.protocol.calls import Attachment
from statebook.protocol.journal.codec import digest
from statebook.protocol.messages import File
from statebook.protocol.tools import ArtifactData

from .files import Handed, hand_over

_OPEN = re.compile(r"\{\{(?!\s*\}\})")
_FILE = re.compile(r'(?<![\w@/])@file:(?:"([^"\n]+)"|(\S+))')
_NAME = re.compile(r"(?<![\w@/.`])@([A-Za-z_]\w*)(?![\w:/@])")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_TRIES = 20
"""Closing braces that are tried as the end of one expression."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A cell's prompt, what it hands over, and the bytes of the files that are named in it."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    artifacts: tuple[ArtifactData, ...] = ()


def complete(
    text: str,
    evaluate: Callable[[str], object],
    variables: Mapping[str, object],
    folder: Path,
) -> Prompt:
    """The prompt with its expressions evaluated, and what it hands over. Raises PromptError."""
    pieces = list(_pieces(text))
    typed = "".join(" " if inside else piece for piece, inside in pieces)
    handed = _handed(_CODE.sub(lambda match: " " * len(match[0]), typed), variables, folder)
    prompt = "".join(_value(piece, evaluate) if inside else piece for piece, inside in pieces)
    artifacts = {digest(data.data): data for _, data in handed if data is not None}
    return Prompt(prompt.strip(), tuple(attachment for attachment, _ in handed), tuple(artifacts.values()))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in order, as (piece, whether it is an expression from between ``{{`` and ``}}``).

    An expression may hold braces itself: it ends at the first ``}}`` that makes it valid Python.
    """
    position = 0
    while match := _OPEN.search(text, position):
        ends = [found.start() for found in re.finditer(r"(?=\}\})", text[match.end() :])]
        if not ends:
            break
        yield text[position : match.start()], False
        bodies = [text[match.end() : match.end() + end] for end in ends[:_TRIES]]
        body = next((body for body in bodies if _is_expression(body)), bodies[0])
        yield body, True
        position = match.end() + len(body) + 2
    yield text[position:], False


def _is_expression(body: str) -> bool:
    try:
        compile(body.strip(), "<prompt>", "eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _handed(prose: str, variables: Mapping[str, object], folder: Path) -> list[Handed]:
    handed: dict[str, Handed] = {}
    for match in _FILE.finditer(prose):
        path = (match[1] or match[2]).rstrip(".,;:!?)") if not match[1] else match[1]
        handed[f"@file:{path}"] = hand_over(path, folder)
    for match in _NAME.finditer(_FILE.sub(" ", prose)):
        name = match[1]
        if name not in variables:
            near = _near(name, variables)
            raise PromptError(
                f"There is no variable {name!r} for @{name}.",
                near or "Define it in a cell above, or put the word in `backticks` to leave it alone.",
            )
        handed[f"@{name}"] = _variable(name, variables[name])
    return list(handed.values())


def _variable(name: str, value: object) -> Handed:
    told = describe(name, value)
    if told.picture is None:
        return Attachment(name, told.text), None
    data, media = told.picture.data, told.picture.media_type
    file = f"{name}.{media.rpartition('/')[2]}"
    return Attachment(name, told.text, File(digest(data), media, file)), ArtifactData(data, media, file)


def _value(expression: str, evaluate: Callable[[str], object]) -> str:
    try:
        return str(evaluate(expression.strip()))
    except Exception as error:
        raise PromptError(
            f"{{{{{expression.strip()}}}}} failed: {type(error).__name__}: {error}.",
            "Mend the expression; nothing was sent.",
        ) from error


def _near(name: str, variables: Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(name, variables, n=1)
    return f"Did you mean @{near[0]}?" if near else ""
