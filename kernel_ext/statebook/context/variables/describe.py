"""The door: picks the describer by what a value is, and never fails."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable

from .arrays import array_text, is_array
from .code import code_text, is_code
from .frames import frame_text, index_text, series_text
from .nested import is_nested, nested_text, string_text
from .objects import exception_text, object_text
from .pictures import pictured
from .summary import Summary, capped, clean, is_a, is_secret, kind_of, mask
from .tables import table_text


def describe(name: str, value: object) -> Summary:
    """What a model is told of the variable ``name``, and shown where the value is a picture or draws itself as one.

    Never raises, imports nothing, and calls nothing of a value but what its size, shape and repr need. Big data is
    sampled, and the text says so.
    """
    try:
        if is_secret(name, value):
            return Summary(f"{name}: {kind_of(value)} {mask(value)}")  # type: ignore[arg-type]  # it is a text or bytes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _look(name, value)
    except Exception as error:  # noqa: BLE001 - a user's class may fail in any way
        found = Summary(f"{kind_of(value)}\n[it could not be looked into: {type(error).__name__}]")
    return Summary(capped(clean(f"{name}: {found.text}")), found.picture)


def _look(name: str, value: object) -> Summary:
    if isinstance(value, str):
        return Summary(string_text(value))
    if table := table_text(value):
        return Summary(table)
    for fits, tell in _KINDS:
        if fits(value):
            return Summary(tell(value))
    return pictured(value) or Summary(object_text(name, value))


def _of(module: str, name: str) -> Callable[[object], bool]:
    return lambda value: is_a(value, module, name)


_KINDS: tuple[tuple[Callable[[object], bool], Callable[[object], str]], ...] = (
    (_of("pandas", "DataFrame"), frame_text),
    (_of("pandas", "Series"), series_text),
    (_of("pandas", "Index"), index_text),
    (is_array, array_text),
    (is_nested, nested_text),
    (is_code, code_text),
    (lambda value: isinstance(value, BaseException), exception_text),
    (lambda value: isinstance(value, types.GeneratorType | types.CoroutineType), kind_of),
)
"""In this order: the first that fits tells."""
