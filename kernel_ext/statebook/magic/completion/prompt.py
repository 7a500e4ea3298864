"""What Tab offers inside a prompt: ``@names``, ``@file:`` paths, Python inside ``{{``; in prose nothing."""

from __future__ import annotations

import re
from typing import Any

from .options import Option
from .values import Known

_FILE = re.compile(r"(?<![\w@/])@file:(\"[^\"\n]*|\S*)$")
_NAME = re.compile(r"(?<![\w@/.`])@(\w*)$")
_REACH = 1_000
"""Characters before the cursor in which the word that is being written is looked for."""
_PYTHON = re.compile(r"(?:[A-Za-z_]\w*\.)*(?:[A-Za-z_]\w*)?$")


def complete_prompt(before: str, known: Known, completer: Any) -> tuple[str, list[Option]]:
    """(the text that is replaced, what can stand there instead), for a prompt up to the cursor.

    ``completer`` is IPython's, for expressions: names and attributes of what exists, without jedi and its seconds.
    """
    opened = before.rfind("{{")
    if opened > before.rfind("}}"):
        return _python(before[opened + 2 :], completer)
    if before.count("```") % 2:
        return "", []  # in code an @ is a decorator
    near = before[-_REACH:]
    if match := _FILE.search(near):
        return match[1], known.paths(match[1])
    if match := _NAME.search(near):
        offered = [Option(f"@{option.text}", option.about) for option in known.variables()]
        offered.append(Option("@file:", "a file's text"))
        return f"@{match[1]}", [option for option in offered if option.text.startswith(f"@{match[1]}")]
    return "", []


def _python(expression: str, completer: Any) -> tuple[str, list[Option]]:
    match = _PYTHON.search(expression[-_REACH:])
    fragment = match[0] if match else ""
    if "." in fragment:
        found = completer.attr_matches(fragment)
    else:
        found = completer.global_matches(fragment) if fragment else []
    last = fragment.rpartition(".")[2]
    shown = [text for text in found if last.startswith("_") or not text.rpartition(".")[2].startswith("_")]
    return fragment, [Option(text, "Python") for text in dict.fromkeys(shown)]
