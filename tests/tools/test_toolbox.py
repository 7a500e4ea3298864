"""The toolbox: names, order, selection, and the reading of arguments."""

import pytest
from statebook.errors import ToolError, UnknownName, UsageError
from statebook.protocol.messages import ToolCall
from statebook.protocol.tools import ToolOutcome, ToolSpec
from statebook.tools.toolbox import Toolbox, parse_arguments


class Named:
    def __init__(self, name, origin="user"):
        self.spec = ToolSpec(name, name, {"type": "object"}, "read", origin)

    async def call(self, arguments, ctx):
        return ToolOutcome("")


def test_order_does_not_depend_on_how_tools_came():
    tools = [Named("b"), Named("z", "builtin"), Named("a"), Named("m", "builtin"), Named("c", "server")]
    one, two = Toolbox(tools), Toolbox(reversed(tools))
    assert [spec.name for spec in one.specs()] == ["m", "z", "a", "b", "c"]
    assert one.specs() == two.specs()
    assert [tool.spec.name for tool in one] == ["m", "z", "a", "b", "c"]


def test_only_a_users_tool_replaces_a_users_tool():
    box = Toolbox([Named("a"), Named("python", "builtin")])
    newer = Named("a")
    box.add(newer)
    assert box.get("a") is newer
    assert len(box) == 2
    for tool in (Named("python"), Named("a", "server")):
        with pytest.raises(UsageError, match="already a tool"):
            box.add(tool)


def test_select_names_what_is_near():
    box = Toolbox([Named("search_sources", "builtin"), Named("python", "builtin")])
    assert [spec.name for spec in box.select(["python", "python"]).specs()] == ["python"]
    with pytest.raises(UnknownName, match="Did you mean 'search_sources'"):
        box.select(["search_source"])
    assert "python" in box
    assert "ruby" not in box


@pytest.mark.parametrize("name", ["", "a b", "a.b", "é", "x" * 65, "a\n"])
def test_names_that_providers_refuse_are_refused(name):
    with pytest.raises(UsageError, match="can't be a tool's name"):
        Toolbox([Named(name)])


@pytest.mark.parametrize(("text", "value"), [("", {}), ("  ", {}), ("{}", {}), ('{"a": [1]}', {"a": [1]})])
def test_arguments_are_read(text, value):
    assert parse_arguments(ToolCall("1", "t", text)) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": ', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "not JSON"),
        ('"{\\"a\\": 1}"', "object inside a string"),
        ("[1]", "a JSON list"),
        ("null", "null"),
        ("3", "the JSON value 3"),
    ],
)
def test_arguments_that_are_no_object_are_told_plainly(text, words):
    with pytest.raises(ToolError, match=words) as caught:
        parse_arguments(ToolCall("1", "mail", text))
    assert "mail" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
