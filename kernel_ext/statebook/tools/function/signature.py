"""A typed function's parameters: their JSON schema for the model, and the check of what the model sends."""

from __future__ import annotations

import inspect
import reprlib
import types
import typing
import warnings
from collections.abc import Callable
from typing import Any

from statebook.errors import ToolError, UsageError

_CONTEXT = "ctx"
_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Signature:
    """What a function takes. Cheap to make; annotations are resolved, and pydantic imported, on first use."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self._name = name
        self._parameters = _checked(function, name)
        self.context = _context_of(self._parameters)
        self._model: Any = None

    def schema(self, descriptions: dict[str, str]) -> dict[str, Any]:
        """The JSON schema of the arguments; ``descriptions`` (by parameter) fill in where the annotation has none."""
        model = self._build(descriptions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a default that JSON can't show is left out of the schema, which is right
            schema: dict[str, Any] = _untitled(model.model_json_schema())
        schema.pop("description", None)
        schema.setdefault("properties", {})
        return schema

    def parse(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Checked and converted keyword arguments. Raises ToolError with one line per fault."""
        import pydantic

        model = self._build({})
        try:
            parsed = model.model_validate(arguments)
        except pydantic.ValidationError as error:
            faults = [_fault(item) for item in error.errors(include_url=False, include_context=False)]
            raise in_lines(f"Wrong arguments for {self._name}:", faults) from None
        # what was not sent is left to the function's own defaults
        names = {field: info.alias for field, info in type(parsed).model_fields.items()}
        return {names[field]: getattr(parsed, field) for field in names if field in parsed.model_fields_set}

    def _build(self, descriptions: dict[str, str]) -> Any:
        if self._model is None:
            import pydantic

            hints = self._hints()
            # numbered fields: parameter names like `schema` or `_x` are not allowed as names of pydantic's
            fields: dict[str, Any] = {}
            for index, parameter in enumerate(self._parameters):
                if parameter.name != self.context:
                    fields[f"p{index}"] = _field(parameter, hints[parameter.name], descriptions.get(parameter.name, ""))
            try:
                config = pydantic.ConfigDict(extra="forbid")
                model = pydantic.create_model("Arguments", __config__=config, **fields)
                model.model_json_schema()
            except (pydantic.PydanticUserError, pydantic.errors.PydanticSchemaGenerationError) as error:
                reason = str(error).splitlines()[0]
                raise UsageError(
                    f"The parameters of tool {self._name!r} have no JSON schema: {reason}",
                    "Use str, int, float, bool, list, dict, Literal, Enum, dataclasses or pydantic models.",
                ) from error
            self._model = model
        return self._model

    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(self._function, include_extras=True)
        except Exception as error:
            raise UsageError(
                f"An annotation of tool {self._name!r} can't be resolved: {error}.",
                "Define or import the type before the tool is used.",
            ) from error


def in_lines(head: str, lines: list[str]) -> ToolError:
    """A ToolError whose text keeps its lines: a model reads them one by one."""
    error = ToolError(head)
    error.message = "\n".join([head, *lines])
    return error


def _checked(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters:
        if parameter.kind not in _KINDS:
            raise UsageError(
                f"Tool {name!r} takes {_spelled(parameter)}, which a model can't fill in.",
                "Name each parameter, with a type.",
            )
        if parameter.annotation is parameter.empty and parameter.name != _CONTEXT:
            hint = (
                "A tool is a plain function: define it outside the class."
                if parameter.name in {"self", "cls"}
                else f"Write {parameter.name}: str, or the type it has."
            )
            raise UsageError(f"Parameter {parameter.name!r} of tool {name!r} has no type.", hint)
    return parameters


def _spelled(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return f"the positional-only parameter {parameter.name!r}"
    return f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else f"**{parameter.name}"


def _context_of(parameters: list[inspect.Parameter]) -> str:
    """The name of the parameter that gets the `ToolContext`, or ""."""
    for parameter in parameters:
        kind = parameter.annotation
        spelled = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        if parameter.name == _CONTEXT or spelled.strip("'\"").rpartition(".")[2] == "ToolContext":
            return parameter.name
    return ""


def _field(parameter: inspect.Parameter, annotation: Any, description: str) -> tuple[Any, Any]:
    import pydantic

    if typing.get_origin(annotation) is typing.Annotated:
        extras = annotation.__metadata__
        said = next((extra for extra in extras if isinstance(extra, str)), "")
        described = any(getattr(extra, "description", None) for extra in extras)
        description = "" if described else said or description
    options: dict[str, Any] = {"alias": parameter.name}
    if description:
        options["description"] = description
    if parameter.default is parameter.empty:
        return annotation, pydantic.Field(**options)
    if parameter.default is None and not _allows_none(annotation):
        annotation = annotation | None  # `x: int = None` means it
    return annotation, pydantic.Field(parameter.default, **options)


def _allows_none(annotation: Any) -> bool:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return any(_allows_none(member) for member in typing.get_args(annotation))
    return annotation in {Any, None, types.NoneType}


def _untitled(node: Any, *, names: bool = False) -> Any:
    """Without pydantic's generated titles; ``names``: the keys of ``node`` are the user's, not the schema's."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value
        if key in {"default", "enum", "const", "examples"} and not names
        else _untitled(value, names=not names and key in {"properties", "$defs"})
        for key, value in node.items()
        if names or key != "title"
    }


def _fault(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"- {where}: is required"
    if item["type"] == "extra_forbidden":
        return f"- {where}: there is no such parameter"
    return f"- {where}: {item['msg']} (got {reprlib.repr(item['input'])})"
