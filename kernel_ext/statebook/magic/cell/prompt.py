"""From the cell's text to the prompt: ``{{expr}}`` is evaluated, ``@name`` and ``@file:path`` are handed over.

Never ``str.format``: prompts hold JSON, LaTeX and code, whose single braces stay as they are. What an expression
gives is data: it is put in as it is, and an ``@`` or ``{{`` inside it means nothing. An ``@`` of the cell counts only
at the start of a word, and an ``@word`` that is no variable and looks like a mention of one is an error, so that a
typing mistake is not sent to the model; e-mail addresses and decorators in code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath

from statebook.context.variables import describe
from statebook.errors import PromptError
from statebook.protocol.calls import Attachment
from statebook.tools.workspace.protected import why_protected

_OPEN = re.compile(r"\{\{(?!\s*\}\})")
_FILE = re.compile(r'(?<![\w@/])@file:(?:"([^"\n]+)"|(\S+))')
_NAME = re.compile(r"(?<![\w@/.`])@([A-Za-z_]\w*)(?![\w:/@])")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_TRIES = 20
"""Closing braces that are tried as the end of one expression."""
_LARGEST = 200_000
"""Characters of a file that are handed over; the rest is cut, and the model is told."""


def complete(
    text: str,
    evaluate: Callable[[str], object],
    variables: Mapping[str, object],
    folder: Path,
) -> tuple[str, tuple[Attachment, ...]]:
    """The prompt with its expressions evaluated, and what it hands over. Raises PromptError."""
    pieces = list(_pieces(text))
    typed = "".join(" " if inside else piece for piece, inside in pieces)
    attachments = _attachments(_CODE.sub(lambda match: " " * len(match[0]), typed), variables, folder)
    prompt = "".join(_value(piece, evaluate) if inside else piece for piece, inside in pieces)
    return prompt.strip(), attachments


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


def _attachments(prose: str, variables: Mapping[str, object], folder: Path) -> tuple[Attachment, ...]:
    attachments: dict[str, Attachment] = {}
    for match in _FILE.finditer(prose):
        path = (match[1] or match[2]).rstrip(".,;:!?)") if not match[1] else match[1]
        attachments[f"@file:{path}"] = Attachment(path, _read(path, folder))
    for match in _NAME.finditer(_FILE.sub(" ", prose)):
        name = match[1]
        if name not in variables:
            near = _near(name, variables)
            raise PromptError(
                f"There is no variable {name!r} for @{name}.",
                near or "Define it in a cell above, or put the word in `backticks` to leave it alone.",
            )
        attachments[f"@{name}"] = Attachment(name, describe(name, variables[name]))
    return tuple(attachments.values())


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


def _read(path: str, folder: Path) -> str:
    target = (folder / Path(path).expanduser()).resolve()
    if why := why_protected(PurePath(target.name)):
        raise PromptError(f"@file:{path} can't be handed over: it {why}.", "Name another file.")
    try:
        with target.open("rb") as file:
            data = file.read(4 * _LARGEST + 1)
    except OSError as error:
        raise PromptError(
            f"@file:{path} can't be read: {error.strerror or error}.",
            f'Paths start at {folder}; write @file:"with space" around spaces.',
        ) from error
    if b"\0" in data[:4096]:
        raise PromptError(f"@file:{path} is not a text file.", "Put it into the sources folder, if it is a document.")
    text = data.decode("utf-8", errors="replace")
    if len(text) > _LARGEST:
        return f"{text[:_LARGEST]}\n[cut here: the file is longer]"
    return text
