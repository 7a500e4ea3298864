"""Does an answer have the form that was asked for? Read leniently, judged strictly.

Servers differ in how they keep to a form: some put a fence or a sentence around the JSON, some leave out the object
that a list had to be put into. What can be read without guessing is read; what is there must then fit exactly.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from statebook.protocol.calls import AnswerForm

from .seams import Check

_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<body>.*?)\n?^[ \t]*(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
_MAGIC = re.compile(r"^(?P<indent>[ \t]*)(?:[%!].*|[A-Za-z_][\w, ]*=[ \t]*[%!].*|[\w.]+\?{1,2}[ \t]*)$", re.MULTILINE)
_SHOWN = 3
"""How many of the places where an answer does not fit are told at once."""
_LONGEST = 300
"""Characters of one such place."""


def problem(form: AnswerForm, text: str, check: Check | None = None) -> str:
    """What is wrong with an answer, in words its model can act on; "" when it has its form.

    ``check`` is asked last, about an answer that is right as far as can be seen here.
    """
    if form.kind == "code":
        wrong = _code_problem(text)
    elif form.structured:
        wrong = _json_problem(form, text)
    else:
        wrong = ""
    return wrong or (check(text) if check else "")


def read_json(form: AnswerForm, text: str) -> Any:
    """The value of a ``json`` or ``table`` answer, out of the object it was put into. ValueError: there is none."""
    value = _whole(form, text)
    return value[form.inside] if form.inside else value


def read_code(text: str) -> str:
    """The code of a ``code`` answer, without the fence it may stand in."""
    fenced = _FENCE.search(text)
    return (fenced["body"] if fenced else text).strip("\n")


def columns_of(form: AnswerForm) -> Mapping[str, Any]:
    """The columns that a table's schema names; empty where the model chooses them."""
    rows = form.schema.get("properties", {}).get("rows", {}).get("items", {})
    rows = pointed(rows["$ref"], form.schema) if "$ref" in rows else rows
    properties: Mapping[str, Any] = (rows or {}).get("properties", {})
    return properties


def pointed(pointer: str, top: Any) -> Any:
    """What ``#/...`` points to; None where that is nothing."""
    for key in filter(None, pointer.removeprefix("#").split("/")):
        top = top.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(top, Mapping) else None
    return top


def _whole(form: AnswerForm, text: str) -> Any:
    value = _parsed(text)
    if form.inside and not (isinstance(value, dict) and form.inside in value):
        value = {form.inside: value}
    return value


def _parsed(text: str) -> Any:
    """The JSON of the whole text, of its one fenced block, or of its outermost object or list."""
    fenced = _FENCE.search(text)
    enclosed = [_outermost(text, "{", "}"), _outermost(text, "[", "]")]
    enclosed.sort(key=len, reverse=True)  # a list in an object, or an object in a list: the outer one is meant
    first: ValueError | None = None
    for candidate in filter(str.strip, [text, *([fenced["body"]] if fenced else []), *enclosed]):
        try:
            return json.loads(candidate, parse_constant=_no_constant)
        except ValueError as error:
            first = first or error
    raise first or ValueError("the answer is empty")


def _outermost(text: str, opening: str, closing: str) -> str:
    start, end = text.find(opening), text.rfind(closing)
    return text[start : end + 1] if 0 <= start < end else ""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json_problem(form: AnswerForm, text: str) -> str:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        value = _whole(form, text)
    except (ValueError, RecursionError) as error:
        return f"it is not valid JSON ({error})."
    if not form.schema:
        return ""
    kind = validator_for(form.schema)
    offline: Registry[Any] = Registry()  # an address in a schema is never fetched
    # a class judges its own dates and times, which need no time zone as those of a JSON schema do
    formats = kind.FORMAT_CHECKER if form.becomes == "JSON schema" else None
    judge = kind(form.schema, format_checker=formats, registry=offline)
    try:
        found = sorted(judge.iter_errors(value), key=lambda error: error.json_path)
    except (SchemaError, Unresolvable) as error:
        return f"the schema can't be used ({error})."
    told = [f"{_clip(error.message)} (at {error.json_path})" for error in found[:_SHOWN]]
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{'; '.join(told)}{more}." if told else ""


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _code_problem(text: str) -> str:
    code = read_code(text)
    if not code.strip():
        return "there is no code in it."
    if code.lstrip().startswith("%%"):  # a cell magic's body may be of any language
        return ""
    wrong = _syntax_error(code)
    return wrong and _syntax_error(_MAGIC.sub(lambda line: f"{line['indent']}pass", code)) and wrong


def _syntax_error(code: str) -> str:
    try:
        compile(code, "<cell>", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"it is not valid Python: {getattr(error, 'msg', None) or error}{line}."
    return ""
