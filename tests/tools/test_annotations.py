"""A tool's effect from MCP's annotations: believed only of who is trusted, and careful where they are silent."""

from types import SimpleNamespace

import pytest
from statebook.errors import UsageError
from statebook.protocol.tools import effect_of
from statebook.tools.function import tool

CASES = [
    ({}, "write"),
    (None, "write"),
    ({"readOnlyHint": True}, "read"),
    ({"readOnlyHint": True, "destructiveHint": True}, "read"),  # destructive means nothing where nothing is changed
    ({"readOnlyHint": False}, "write"),
    ({"idempotentHint": True}, "write"),  # destructive by default: it has to be asked for
    ({"idempotentHint": True, "destructiveHint": True}, "write"),
    ({"idempotentHint": True, "destructiveHint": False}, "idempotent"),
    ({"idempotentHint": False, "destructiveHint": False}, "write"),
    ({"destructiveHint": False}, "write"),  # may be repeated? by default not
    ({"readOnlyHint": "false"}, "write"),  # only true and false count
    ({"readOnlyHint": 1}, "write"),
    ({"readOnlyHint": None, "idempotentHint": None}, "write"),
    ({"title": "Search", "openWorldHint": True}, "write"),
]


@pytest.mark.parametrize(("annotations", "effect"), CASES)
def test_the_effect_of_annotations_as_a_mapping_and_as_an_object(annotations, effect):
    assert effect_of(annotations, trusted=True) == effect
    assert effect_of(SimpleNamespace(**(annotations or {})), trusted=True) == effect


@pytest.mark.parametrize(("annotations", "_effect"), CASES)
def test_what_an_untrusted_server_says_of_itself_counts_for_nothing(annotations, _effect):
    assert effect_of(annotations, trusted=False) == "write"


def test_a_tool_takes_them_in_place_of_an_effect():
    @tool(annotations={"readOnlyHint": True})
    def look(word: str) -> str:
        """Look."""
        return word

    @tool(annotations=SimpleNamespace(idempotentHint=True, destructiveHint=False))
    def put(word: str) -> str:
        """Put."""
        return word

    assert (look.spec.effect, put.spec.effect) == ("read", "idempotent")
    with pytest.raises(UsageError, match="both an effect and annotations"):
        tool(name="x", effect="read", annotations={})(lambda: 1)
