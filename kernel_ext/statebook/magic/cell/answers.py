"""From ``--format`` and ``--schema`` to the form of an answer, and from the answer's text to a Python value.

A schema is a pydantic model, a dataclass, a TypedDict, a JSON schema in a dict, or any type that pydantic can read,
such as ``list[Paper]``. What is defined in the notebook is looked up when the cell runs.
"""

from __future__ import annotations

import ast
import builtins
import json
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from statebook.errors import UsageError
from statebook.ids import run_name
from statebook.protocol.calls import AnswerForm, AnswerKind
from statebook.protocol.journal.codec import canonical, to_json
from statebook.protocol.journal.runs import Run
from statebook.run.answers import columns_of, problem, read_code, read_json

from .schemas import closed, form_of, unresolved

_FREE_ROW = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    "minProperties": 1,
}
_SHOWN = 3
_OF_TYPES = ("pydantic model", "dataclass", "TypedDict", "list", "dict", "value")
"""What `AnswerForm.becomes` says where the schema was made from a type."""
_OF_NAMES = (ast.Name, ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Constant, ast.Load)


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of an answer, and how its text becomes a value.

    ``adapter`` is pydantic's `TypeAdapter` of the value (None without a type), ``to_python`` makes plain Python of a
    cell's code with its magics.
    """

    form: AnswerForm
    adapter: Any = None
    to_python: Callable[[str], str] | None = None

    def check(self, text: str) -> str:
        """What is wrong with an answer that only the kernel can tell; "" for nothing."""
        if self.form.kind == "code" and self.to_python is not None:
            return _code_problem(self.to_python(read_code(text)))
        if self.form.kind == "table" and not all(isinstance(row, dict) for row in read_json(self.form, text)):
            return "every row must be an object, with the columns as its properties."
        if self.adapter is None:
            return ""
        from pydantic import ValidationError

        try:
            self._validated(text)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            told = "; ".join(f"{each['msg']} (at {_path(each['loc'])})" for each in found[:_SHOWN])
            return f"{told}; and {len(found) - _SHOWN} more." if len(found) > _SHOWN else f"{told}."
        except Exception as error:  # noqa: BLE001 - a class's own validators may raise anything; the model is told
            return f"{type(error).__name__}: {error}"
        return ""

    def value(self, text: str) -> Any:
        """The value: a model or dataclass instance, a dict or list, a DataFrame, or a text."""
        if self.form.kind == "table":
            return self._frame(text)
        if self.form.kind == "json":
            return read_json(self.form, text) if self.adapter is None else self._validated(text)
        return read_code(text) if self.form.kind == "code" else text

    def _validated(self, text: str) -> Any:
        return self.adapter.validate_json(json.dumps(read_json(self.form, text)))  # as JSON: a date is a string there

    def _frame(self, text: str) -> Any:
        import pandas as pd

        rows = read_json(self.form, text) if self.adapter is None else self.adapter.dump_python(self._validated(text))
        return pd.DataFrame.from_records(rows, columns=None if rows else list(columns_of(self.form)))


def shape_of(
    kind: AnswerKind | None,
    schema: str,
    evaluate: Callable[[str], object],
    to_python: Callable[[str], str] | None = None,
) -> Shape:
    """The shape that ``-f KIND --schema EXPRESSION`` asks for; ``evaluate`` gives an expression's value.

    Raises UsageError for an expression that fails or gives no schema, and for flags that do not go together.
    """
    if not schema:
        if kind == "table":
            return Shape(form_of({"type": "array", "items": _FREE_ROW}, "", "", table=True))
        return Shape(AnswerForm(kind or "markdown"), None, to_python if kind == "code" else None)
    if kind not in (None, "json", "table"):
        raise UsageError(f"--schema does not go with --format {kind}.", "Leave --format out, or use json or table.")
    found = _evaluated(schema, evaluate)
    if isinstance(found, Mapping):
        return _of_json_schema(dict(found), schema, table=kind == "table")
    return _of_type(found, schema, table=kind == "table")


def shape_again(
    form: AnswerForm,
    variables: Collection[str],
    evaluate: Callable[[str], object],
    to_python: Callable[[str], str] | None = None,
) -> Shape:
    """The shape of a recorded form: with its class where ``variables`` have one of that name that asks the same.

    A record may come from anyone, so its name is evaluated only where it is made of types: names, ``[...]`` and ``|``.
    """
    if form.kind == "code":
        return Shape(form, None, to_python)
    if form.becomes not in _OF_TYPES or not _names_types(form.name, variables):
        return Shape(form)
    try:
        found = _of_type(evaluate(form.name), form.name, table=form.kind == "table")
    except Exception:  # noqa: BLE001 - what has that name now is something else; the JSON schema holds alone
        return Shape(form)
    return found if canonical(to_json(found.form)) == canonical(to_json(form)) else Shape(form)


def hand_over(run: Run, shape: Shape, shell: Any, name: str) -> None:
    """Give a cell's answer to the kernel: into the variable ``name`` ("" for none), and code into a cell below.

    Code is put there for a person to run, never run. What is only drawn again is not put there again. Raises
    UsageError for a recorded answer that does not fit: its class takes it no more, or was not there when it was given.
    """
    if run.replayed and (wrong := problem(shape.form, run.answer, shape.check)):
        raise _misfit(run, shape, wrong)
    if shape.form.kind == "code" and not run.replayed:
        shell.set_next_input(read_code(run.answer), replace=False)
    if not name:
        return
    try:
        shell.user_ns[name] = shape.value(run.answer)
    except ValueError as error:  # pydantic's is one
        raise _misfit(run, shape, str(error)) from error


def _misfit(run: Run, shape: Shape, wrong: str) -> UsageError:
    form = shape.form.name or shape.form.kind
    return UsageError(f"The answer of {run_name(run.number)} does not fit {form}: {wrong}", "--fresh asks again.")


def _names_types(expression: str, variables: Collection[str]) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval").body))
    except (SyntaxError, ValueError, RecursionError):
        return False
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return all(isinstance(node, _OF_NAMES) for node in nodes) and all(
        name in variables or hasattr(builtins, name) for name in names
    )


def _evaluated(schema: str, evaluate: Callable[[str], object]) -> object:
    try:
        return evaluate(schema)
    except Exception as error:
        raise UsageError(
            f"--schema {schema} can't be read: {type(error).__name__}: {error}.",
            "Name a pydantic model, dataclass, TypedDict or JSON schema that a cell above defines.",
        ) from error


def _of_json_schema(schema: dict[str, Any], name: str, *, table: bool) -> Shape:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        json.dumps(schema, allow_nan=False)
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise UsageError(
            f"{name} is not a valid JSON schema: {error.message}.", "Mend it; nothing was sent."
        ) from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} is not a JSON schema: {error}.", "It must hold JSON values only.") from error
    if lost := unresolved(schema):
        raise UsageError(f"{name} refers to {lost}, which is not in it.", "A schema must hold all that it refers to.")
    return Shape(form_of(schema, name, "JSON schema", table=table))


def _of_type(found: object, name: str, *, table: bool) -> Shape:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        wanted = _readable(found)
        adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        if table and adapter.json_schema().get("type") != "array":
            adapter = TypeAdapter(list[wanted])  # type: ignore[valid-type]  # a type that is known when the cell runs
        schema = closed(adapter.json_schema())
    except RecursionError as error:  # of a TypedDict that holds itself
        why = "it holds itself, and before Python 3.12 typing's TypedDict does not tell how."
        raise UsageError(f"--schema {name} can't be used: {why}", "Import TypedDict from typing_extensions.") from error
    except (PydanticUserError, NameError, TypeError) as error:  # a name in a type that no cell defines
        first = f"{str(error).splitlines()[0].rstrip('.')}."
        raise UsageError(f"--schema {name} can't be used: {first}", "Name a type that pydantic can read.") from error
    called = name if typing.get_args(found) else str(getattr(found, "__name__", name))
    return Shape(form_of(schema, called, _becomes(found, schema), table=table), adapter)


def _becomes(found: object, schema: Mapping[str, Any]) -> str:
    if typing.is_typeddict(found):
        return "TypedDict"
    if isinstance(found, type) and is_dataclass(found):
        return "dataclass"
    if hasattr(found, "model_json_schema"):
        return "pydantic model"
    return {"array": "list", "object": "dict"}.get(str(schema.get("type")), "value")


def _readable(found: object) -> Any:
    """The type with its TypedDicts as pydantic takes them: before Python 3.12 ``typing``'s do not tell enough."""
    if sys.version_info >= (3, 12):
        return found
    from typing_extensions import TypedDict

    if typing.is_typeddict(found) and found.__module__ != "typing_extensions":
        hints = typing.get_type_hints(found, include_extras=True)
        required: frozenset[str] = getattr(found, "__required_keys__", frozenset(hints))
        fields: dict[str, Any] = {
            key: _readable(hint) if key in required else typing.NotRequired[_bare(hint)] for key, hint in hints.items()
        }
        made: Any = TypedDict(found.__name__, fields)  # type: ignore[misc]  # named when the cell runs
        made.__doc__ = found.__doc__
        return made
    inner, origin = typing.get_args(found), typing.get_origin(found)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_readable(each) for each in inner)]  # noqa: UP007 - made of types that are known now
    if isinstance(origin, type) and inner:
        return types.GenericAlias(origin, tuple(_readable(each) for each in inner))
    return found


def _bare(hint: Any) -> Any:
    return _readable(typing.get_args(hint)[0] if typing.get_origin(hint) is typing.NotRequired else hint)


def _path(places: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in places)


def _code_problem(code: str) -> str:
    if not code.strip():
        return "there is no code in it."
    try:
        compile(code, "<cell>", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"it is not valid Python: {getattr(error, 'msg', None) or error}{line}."
    return ""
