"""The matcher that IPython's completer asks first, in a kernel and in a terminal."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from statebook.magic.grammar import cell_parser, line_parser

from .options import Option, Walk
from .place import Place, find, words
from .prompt import complete_prompt
from .values import Around, Known

_FIRST = 1000.0
"""A priority above IPython's own matchers, so that none of them runs where the cursor is ours."""
_WIDEST = 70
_PROMPTS = ("context",)
"""Subcommands whose words are a prompt."""


def _one_line(about: str) -> str:
    """JupyterLab would break a type's words over lines that cover each other: at most 70 characters, unbreakable."""
    short = about if len(about) <= _WIDEST else f"{about[: _WIDEST - 1]}…"
    return short.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{NON-BREAKING HYPHEN}")


class Silence(list[SimpleCompletion]):
    """No completion that counts as one: IPython lets a matcher silence the others only where it has found something.

    Without it jedi would guess Python in the middle of prose, for up to seconds.
    """

    def __len__(self) -> int:
        return 1


class Matcher:
    """Completes what belongs to the extension, and leaves all else to IPython."""

    def __init__(self, around: Around, owns: Any) -> None:
        self._around = around
        self._owns = owns
        self._known = Known(around)

    def install(self) -> None:
        """Be asked from now on."""
        self._around.shell.Completer.custom_matchers.append(self.match)

    def remove(self) -> None:
        """Be asked no longer."""
        matchers = self._around.shell.Completer.custom_matchers
        if self.match in matchers:
            matchers.remove(self.match)

    @context_matcher(identifier="statebook", priority=_FIRST)  # type: ignore[untyped-decorator]  # IPython's
    def match(self, context: CompletionContext) -> dict[str, Any]:
        """IPython's matcher API, version 2."""
        place = find(context.full_text, context.cursor_line, context.cursor_position, self._owns)
        if place is None:
            return {"completions": [], "suppress": False}
        try:
            fragment, options = self.complete(place)
        except Exception:  # noqa: BLE001 - what fails is told by the next command; IPython would print it below the cell
            fragment, options = "", []
        found = [SimpleCompletion(text=option.text, type=_one_line(option.about)) for option in options]
        return {"completions": found or Silence(), "suppress": True, "matched_fragment": fragment, "ordered": True}

    def complete(self, place: Place) -> tuple[str, list[Option]]:
        """(the text before the cursor that is replaced, what can stand there instead)."""
        completer = self._around.shell.Completer
        if place.kind == "prompt":
            return complete_prompt(place.before, self._known, completer)
        given, fragment = words(place.before)
        if place.kind == "line":
            if given[:1] and given[0] in _PROMPTS and not fragment.startswith("-"):
                return complete_prompt(place.before, self._known, completer)
            return Walk(self._line, self._known.values).next(given, fragment)
        if "<<" in given:  # NAME << may stand anywhere on the line
            at = given.index("<<")
            given = given[: max(at - 1, 0)] + given[at + 1 :]
        return Walk(self._cell, self._known.values).next(given, fragment)

    @cached_property
    def _line(self) -> Any:
        return line_parser()

    @cached_property
    def _cell(self) -> Any:
        return cell_parser()
