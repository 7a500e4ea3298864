"""`@tool`: what it reads from a function, its schema and arguments, and what it refuses."""

import asyncio
import dataclasses
import enum
import json
import subprocess
import sys
import threading
from typing import Annotated, Any, Literal, Optional

import pydantic
import pytest
from statebook.errors import ToolError, UsageError
from statebook.tools.base import ToolContext
from statebook.tools.function import FunctionTool, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Person(pydantic.BaseModel):
    name: str
    title: str = ""


def context(state=None, **more):
    return ToolContext(1, 2, "call_1", "key-1", {} if state is None else state, **more)


def call(wanted, state=None, **arguments):
    return asyncio.run(wanted.call(arguments, context(state)))


def test_a_schema_from_types_and_docstring():
    @tool(effect="read")
    def search(query: str, limit: int = 5, *, mode: Literal["all", "any"] = "all") -> list[str]:
        """Find documents.

        Looks everywhere.

        Args:
            query: what to look for,
                in words
            limit: how many
        """
        return [query if mode == "all" else mode] * limit

    spec = search.spec
    assert (spec.name, spec.effect, spec.origin) == ("search", "read", "user")
    assert spec.description == "Find documents.\n\nLooks everywhere."
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "what to look for, in words"},
            "limit": {"type": "integer", "default": 5, "description": "how many"},
            "mode": {"type": "string", "enum": ["all", "any"], "default": "all"},
        },
        "required": ["query"],
        "additionalProperties": False,
    }
    assert search("a", 2) == ["a", "a"]
    assert search.__name__ == "search"
    assert call(search, query="q", limit="2").text == '["q", "q"]'


def test_all_kinds_of_parameters_arrive_as_python_values():
    seen: dict[str, Any] = {}

    @tool
    def take(  # noqa: PLR0917 - one parameter per kind
        colour: Colour,
        points: list[Point],
        who: Person,
        sizes: dict[str, float],
        schema: Annotated[str, "a name pydantic reserves"],
        title: Annotated[int, pydantic.Field(ge=1, description="a rank")],
        maybe: Optional[int] = None,  # noqa: UP045 - people still write it
        fallback: str = None,  # noqa: RUF013 - people still write it
    ) -> None:
        seen.update(locals())

    properties = take.spec.parameters["properties"]
    assert properties["schema"] == {"type": "string", "description": "a name pydantic reserves"}
    assert properties["title"] == {"type": "integer", "description": "a rank", "minimum": 1}
    assert take.spec.parameters["$defs"]["Person"]["properties"]["title"] == {"type": "string", "default": ""}
    outcome = call(
        take, colour="blue", points=[{"x": 1}], who={"name": "Ada"}, sizes={"a": 1}, schema="s", title=3, fallback=None
    )
    assert outcome.text == "done"
    assert seen["colour"] is Colour.BLUE
    assert seen["points"] == [Point(1, 0)]
    assert seen["who"] == Person(name="Ada")
    assert (seen["sizes"], seen["schema"], seen["title"], seen["maybe"], seen["fallback"]) == (
        {"a": 1.0},
        "s",
        3,
        None,
        None,
    )


def test_the_schema_is_the_same_bytes_each_time():
    def one(b: int, a: Colour, c: Person) -> None:
        """One."""

    texts = {json.dumps(FunctionTool(one).spec.parameters) for _ in range(3)}
    assert len(texts) == 1


def test_wrong_arguments_are_told_one_by_one():
    @tool
    def buy(count: int, colour: Colour) -> None:
        """Buy."""

    with pytest.raises(ToolError) as caught:
        call(buy, count="many", size=3)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Wrong arguments for buy:"
    assert sorted(lines[1:]) == [
        "- colour: is required",
        "- count: Input should be a valid integer, unable to parse string as an integer (got 'many')",
        "- size: there is no such parameter",
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tool(name="x")(lambda word: word), "Write word: str"),
        (lambda: tool(name="x")(lambda *words: words), r"\*words"),
        (lambda: tool(name="x")(lambda **words: words), r"\*\*words"),
        (lambda: tool(name="bad name")(lambda: 1), "can't be a tool's name"),
        (lambda: tool(name="x", effect="maybe")(lambda: 1), "read, idempotent or write"),
        (lambda: tool(lambda: 1), "can't be a tool's name"),
    ],
)
def test_what_can_not_be_a_tool_is_refused_at_decoration(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_a_method_is_told_to_be_a_function():
    with pytest.raises(UsageError, match="outside the class"):

        class Shop:
            @tool
            def sell(self, what: str) -> None:
                """Sell."""


def test_types_without_a_schema_are_named_at_first_use():
    @tool
    def odd(thing: threading.Lock) -> None:  # type: ignore[valid-type] - the fault under test
        """Odd."""

    @tool
    def missing(thing: "NoSuchType") -> None:  # noqa: F821 - the fault under test
        """Missing."""

    with pytest.raises(UsageError, match="'odd' have no JSON schema"):
        _ = odd.spec
    with pytest.raises(UsageError, match="NoSuchType"):
        _ = missing.spec


def test_names_descriptions_and_verify():
    def verify(arguments: dict[str, Any], idempotency_key: str) -> bool | None:
        return arguments == {} and idempotency_key == "k"

    @tool(name="send-mail", verify=verify)
    def some_function() -> None: ...

    assert some_function.spec.name == "send-mail"
    assert some_function.spec.description == "send-mail"
    assert some_function.spec.effect == "write"
    assert some_function.verify({}, "k") is True

    @tool
    def list_all_files() -> None: ...

    assert list_all_files.spec.description == "list all files"


def test_decorating_imports_nothing_heavy():
    code = (
        "import sys\nfrom statebook.tools.function import tool\n"
        "@tool\ndef f(a: int) -> int:\n    return a\n"
        "print([n for n in ('pydantic', 'pandas', 'docstring_parser') if n in sys.modules], f(2))\n"
        "f.spec\nprint('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] 2\nTrue\n"
