"""From the cell's text to the prompt: ``{{expr}}`` is evaluated, ``@name`` and ``@file:path`` are handed over.

Never ``str.format``: prompts hold JSON, LaTeX and code, whose single braces stay as they are. What an expression
gives is data: it is put in as it is, and an ``@`` or ``{{`` inside it means nothing. An ``@`` of the cell counts only
at the start of a word, and an ``@word`` that is no variable and looks like a mention of one is an error, so that a
typing mistake is not sent to the model; e-mail addresses and decorators in code are left alone. In code and mathematics
double braces are also templates and LaTeX: there, what is no expression or names nothing that exists stays as it is.
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
_MATH = re.compile(
    r"\$\$.{1,2000}?\$\$|\\\(.{1,2000}?\\\)|\\\[.{1,2000}?\\\]|(?<![\\\w$])\$(?=[^\s$])[^$\n]{0,2000}?(?<=[^\s\\])\$(?![\w{$])",
    re.DOTALL,
)
"""``$x$`` as in Markdown: no space inside the dollars, so that amounts of money are none."""
_VERBATIM = re.compile(f"{_CODE.pattern}|{_MATH.pattern}", re.DOTALL)
_WIDEST = 40
"""Characters of an expression that a hint repeats."""
_TRIES = 20
"""Closing braces that are tried as the end of one expression."""

_LONGEST = 20_000_000
"""Characters of a prompt: above what any model reads, and what a journal row should hold."""


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
    pieces = list(_filled(_bounded(text), evaluate))
    typed = "".join(" " if inside else piece for piece, inside in pieces)
    handed = _handed(_CODE.sub(lambda match: " " * len(match[0]), typed), variables, folder)
    prompt = _bounded("".join(piece for piece, _ in pieces))
    artifacts = {digest(data.data): data for _, data in handed if data is not None}
    return Prompt(prompt.strip(), tuple(attachment for attachment, _ in handed), tuple(artifacts.values()))


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        raise PromptError(
            f"The prompt has {len(text):,} characters, which no model reads.",
            "Hand over a summary with @name or a file with @file:path; the agent's tools can read the rest.",
        )
    return text


def _filled(text: str, evaluate: Callable[[str], object]) -> Iterator[tuple[str, bool]]:
    """The prompt's text in order, as (piece, whether an expression gave it). Raises PromptError."""
    spans, position = [match.span() for match in _VERBATIM.finditer(text)], 0
    for piece, inside in _pieces(text):
        if not inside:
            yield piece, False
            position += len(piece)
            continue
        verbatim = any(start <= position < end for start, end in spans)
        position += len(piece) + 4
        try:
            found = str(evaluate(piece.strip()))
        except Exception as error:
            if not (verbatim and _means_nothing(piece, error)):
                raise _failed(piece.strip(), error) from error
            yield f"{{{{{piece}}}}}", False
        else:
            yield found, True


def _means_nothing(expression: str, error: Exception) -> bool:
    """Whether it is no expression, or names something that does not exist, as templates and LaTeX do."""
    if not _is_expression(expression):
        return True
    names = compile(expression.strip(), "<prompt>", "eval").co_names
    return isinstance(error, NameError) and error.name in names


def _failed(expression: str, error: Exception) -> PromptError:
    braces = f"{{{{{expression}}}}}" if len(expression) <= _WIDEST else "{{...}}"
    return PromptError(
        f"{{{{{expression}}}}} failed: {type(error).__name__}: {error}.",
        f"Mend the expression; nothing was sent. Braces that are meant as text: {{{{{braces!r}}}}}.",
    )


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


def _near(name: str, variables: Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(name, variables, n=1)
    return f"Did you mean @{near[0]}?" if near else ""
