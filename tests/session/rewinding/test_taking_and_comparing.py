"""What another line has found is taken over, and how two points differ is told."""

import pandas as pd
import pytest
from statebook.errors import UnknownName, UsageError
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.events import MemoryForgotten, MemoryKept, RuleSet, RulesReplaced, ToolStateSet
from statebook.session.rewinding.carry import carried
from statebook.session.rewinding.looking.compare import compare, described
from statebook.session.rewinding.looking.tree import tree
from statebook.session.rewinding.move import checkpoint
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.points import point
from statebook.session.rewinding.take import take_memories, take_variables
from statebook.store.projections.head import Held
from statebook.testing import call, say

pytestmark = pytest.mark.slow  # stories of several runs


def test_memories_are_taken_under_their_own_numbers(worked):
    book = worked()
    book.go("r2")
    assert book.memories() == []
    taken = take_memories(book.session, point(book.store, "main"), None)
    assert [memory.mark for memory in taken] == book.memories() == ["M1"]
    assert take_memories(book.session, point(book.store, "main"), (1,)) == []
    with pytest.raises(UnknownName, match="M7"):
        take_memories(book.session, point(book.store, "main"), (7,))


def test_variables_are_taken_under_names_that_are_free(worked):
    book = worked()
    book.go("r2")
    main, parts = point(book.store, "main"), parts_of(book.session)
    with pytest.raises(UsageError, match="count is here already"):
        take_variables(book.session, parts, main, {"count": "count", "made": "made"})
    assert "made" not in book.namespace, "nothing is done then"
    came = take_variables(book.session, parts, main, {"count": "count_main", "made": "made"})
    assert ({each.fate for each in came.outcomes}, came.replaced, came.kept) == ({"restored"}, (), 0)
    assert (book.namespace["count"], book.namespace["count_main"], book.namespace["made"]) == (1, 2, [2])
    with pytest.raises(UnknownName, match="cuont"):
        take_variables(book.session, parts, main, {"cuont": "x"})


def over(book, source, *names):
    """Takes these over what is here."""
    wanted = {name: name for name in names}
    return take_variables(book.session, parts_of(book.session), point(book.store, source), wanted, overwrite=True)


def test_what_is_written_over_is_kept_at_a_checkpoint(worked):
    book = worked()
    book.go("r2")
    came = over(book, "main", "count")
    assert (book.namespace["count"], [each.name for each in came.replaced]) == (2, ["count"])
    (row,) = [row for row in tree(book.session, 5).rows if row.number == came.kept]
    assert row.label == "", "a label would keep it for good"
    book.go(f"#{came.kept}")
    assert book.namespace["count"] == 1


def test_nothing_is_written_over_where_there_is_no_room_to_keep_it(worked):
    book = worked()
    checkpoint(book.session, "then")
    book.namespace["count"] = 7
    book.limit(store_size=1)
    book.session.keeper.forget()
    with pytest.raises(UsageError, match=r"so nothing was taken: the session has reached its limit on disk"):
        over(book, "then", "count")
    assert book.namespace["count"] == 7


def test_nothing_is_written_over_that_can_not_be_kept(worked):
    book = worked()
    checkpoint(book.session, "then")
    here = book.namespace["count"] = (number for number in range(3))
    with pytest.raises(UsageError, match=r"count as it is here can't be kept, so nothing was taken: generator: "):
        over(book, "then", "count")
    assert book.namespace["count"] is here


def test_what_is_kept_of_a_variable_that_is_written_over_is_told(worked):
    book = worked()
    checkpoint(book.session, "then")
    book.namespace["made"] = [1, (number for number in range(3))]
    (made,) = over(book, "then", "made").replaced
    assert made.ends == "what it is until then can be brought back only without its generator"


def test_two_points_are_compared_part_by_part(worked):
    book = worked(say("two b"))
    book.namespace["table"] = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    book.go("r2", "conversation")
    book.namespace["table"] = pd.DataFrame({"a": [1, 2], "b": [3, 5], "c": [0, 0]})
    book.ask("second, otherwise")
    found = compare(book.session, parts_of(book.session), point(book.store, "main"), point(book.store, "head"))
    assert [[run.number for run in side] for side in found.runs] == [[2, 3], [4]]
    (change,) = found.variables
    assert (change.name, change.one, change.other) == ("table", "DataFrame 2 × 2", "DataFrame 2 × 3")
    assert change.note == "new column c; changed column b"
    assert not found.files
    began = compare(book.session, parts_of(book.session), point(book.store, "r2"), point(book.store, "r3"))
    assert [memory.mark for memory in began.memories[1]] == ["M1"]
    assert [(diff.path, diff.added) for diff in began.files] == [("made.txt", 1)]
    assert [(each.name, each.one, each.other) for each in began.variables] == [
        ("count", "1", "2"),
        ("made", "", "list of 1: [2]"),
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x" * 99, "str of 99"),
        (3, "3"),
        ([1, 2], "list of 2: [1, 2]"),
        ({"a": object()}, "dict of 1"),
        (print, "builtin_function_or_method"),
    ],
)
def test_values_are_described_in_a_few_words(value, words):
    assert described(value) == words


def test_the_tree_tells_what_happened_at_each_checkpoint(worked):
    book = worked(say("two b"))
    book.go("r2")
    book.ask("second, otherwise")
    found = tree(book.session, 30)
    assert [(row.run, row.told.prompt, row.told.tools) for row in found.rows] == [
        (4, "second, otherwise", ()),
        (3, "third", ("send", "write_file")),
        (2, "second", ("python", "remember")),
        (1, "first", ()),
    ]
    assert found.rows[2].changed == ("count", "made", "made.txt")
    assert [row.on_head for row in found.rows] == [True, False, False, True]
    everything = tree(book.session, 100, inside=True)
    assert {"before_step", "step", "left"} <= {row.reason for row in everything.rows}
    assert tree(book.session, 2).more == 2
    assert [row.run for row in tree(book.session, 30, branch="main").rows] == [3, 2, 1]
    with pytest.raises(UnknownName):
        tree(book.session, 3, branch="mian")


def test_what_is_carried_makes_one_state_of_another(worked):
    book = worked()
    here = book.store.as_of_head.held()
    there = book.store.as_of_head.at(*point(book.store, "r2").line)
    there.state = {"tally": {"n": 1}}
    there.rules = [Rule("send", "deny")]
    kinds = [type(event) for event in carried(there, here)]
    assert kinds.count(MemoryKept) == 1
    assert RulesReplaced in kinds, "other rules, not more of them"
    assert ToolStateSet("tally", {"n": None}) in carried(there, here)
    assert MemoryForgotten(1, "person") in carried(here, there)
    assert carried(here, here) == []
    more = Held(rules=[Rule("*", "allow"), Rule("send", "ask")], grants=[Grant("send")] * 2)
    fewer = Held(rules=[Rule("*", "allow")], grants=[Grant("send")])
    assert RuleSet(Rule("send", "ask")) in carried(fewer, more)
    assert len(carried(fewer, more)) == 2


def test_rules_and_tool_state_go_back_and_come_again(notebook):
    book = notebook(say("one"), call("remember", {"text": "a"}), say("two"))
    book.ask("first")
    rules = book.session.permissions.rules()
    book.ask("second")
    book.session.permissions.set(Rule("send", "deny"))
    book.go("r2", "memory")
    assert book.session.permissions.rules() == rules
