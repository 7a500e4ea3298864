"""What a person can call a point, and what each name leads to."""

import pytest
from statebook.errors import UnknownName, UsageError
from statebook.protocol.journal.lines import CheckpointLabelled
from statebook.session.rewinding.move import checkpoint, fork
from statebook.session.rewinding.points import point
from statebook.session.rewinding.scope import parse_scope
from statebook.store.journal import Place


def test_each_way_of_naming_a_point(worked):
    book = worked()
    head = point(book.store, "head")
    assert head.tip
    assert head.checkpoint == book.store.journal.head_checkpoint()
    by_number = point(book.store, f"#{head.checkpoint}")
    assert by_number == point(book.store, str(head.checkpoint))
    assert (by_number.variables, by_number.files) == (head.variables, head.files)
    began = point(book.store, "r2")
    assert began.run == 2
    assert began.checkpoint == book.session.run(1).checkpoint
    assert point(book.store, "").run == 3, "without a name: where the last run began"
    step = point(book.store, "r2.2")
    assert began.at < step.at < head.at
    assert not step.run
    assert point(book.store, "main").checkpoint == head.checkpoint


def test_labels_are_found_also_when_they_are_given_later_or_have_spaces(worked):
    book = worked()
    number, _ = checkpoint(book.session, "before the mess")
    assert point(book.store, "before the mess").checkpoint == number
    book.store.commit([(Place(), CheckpointLabelled(1, "start"))])
    assert point(book.store, "start").checkpoint == 1
    book.store.commit([(Place(), CheckpointLabelled(1, ""))])
    with pytest.raises(UnknownName):
        point(book.store, "start")


def test_a_branch_is_its_head(worked):
    book = worked()
    fork(book.session, point(book.store, "r2"), "trial")
    assert point(book.store, "trial").name == "trial (#1)"
    assert book.store.journal.branch.name == "main", "a fork does not move"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("#99", "There is no checkpoint #99; the newest here is #"),
        ("r9", "There is no run r9"),
        ("r2.9", "r2 has no step 9"),
        ("mian", "Did you mean 'main'?"),
    ],
)
def test_what_is_no_point_is_told_with_what_is_near(worked, words, told):
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        point(worked().store, words)


def test_there_is_nothing_to_go_back_to_before_the_first_run(notebook):
    with pytest.raises(UsageError, match="Begin a cell"):
        point(notebook().store, "")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("all", ("conversation", "memory", "variables", "files")),
        ("conversation", ("conversation",)),
        ("+memory", ("conversation", "memory")),
        ("memory+conversation", ("conversation", "memory")),
        ("variables", ("variables",)),
        ("files+variables", ("variables", "files")),
    ],
)
def test_scopes(words, parts):
    assert parse_scope(words) == parts


def test_what_is_no_scope_is_told():
    with pytest.raises(UsageError, match="'memries' is no scope"):
        parse_scope("memries")
