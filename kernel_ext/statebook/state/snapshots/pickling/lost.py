"""What stands in place of a part that could not be captured, and the live objects that may still take its place."""

from __future__ import annotations

import itertools
import secrets
import weakref
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands in a restored container where an object was that could not be captured."""

    type: str
    why: str

    def __repr__(self) -> str:
        return f"<lost {self.type}: {self.why}>"


class Live:
    """Objects of this kernel that can't be captured, by a token: an undo in the same kernel gives them back."""

    def __init__(self) -> None:
        self._kernel = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._tokens: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._objects: dict[str, weakref.ref[Any]] = {}

    def token(self, found: Any) -> str:
        """A name for ``found``, the same each time while it lives.

        What can't be referred to weakly is found by nobody: it is told only whether a name still has it.
        """
        known = self._tokens.get(id(found))
        if known is not None and known[0]() is found:
            return known[1]
        try:
            reference = weakref.ref(found)
        except TypeError:
            return f"{self._kernel}-at-{id(found):x}"
        token = f"{self._kernel}-{next(self._numbers)}"
        self._tokens[id(found)] = (reference, token)
        self._objects[token] = reference
        return token

    def find(self, token: str) -> Any:
        """The object, while it lives; else None."""
        reference = self._objects.get(token)
        return None if reference is None else reference()

    def forget_dead(self) -> None:
        """Drop the tokens of objects that are gone."""
        self._tokens = {key: known for key, known in self._tokens.items() if known[0]() is not None}
        self._objects = {token: reference for token, reference in self._objects.items() if reference() is not None}
