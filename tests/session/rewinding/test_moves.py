"""Going back and returning: all parts move together, or those that were named, and nothing is lost."""

import os
import random
import signal
from pathlib import Path

import pytest
from statebook.errors import UsageError
from statebook.protocol.calls import Limits
from statebook.protocol.journal.lines import HeadMoved, MoveFinished
from statebook.session.rewinding import move as move_of
from statebook.session.rewinding.looking.stale import stale_now
from statebook.session.rewinding.move import checkpoint, fork, redo
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import head, point
from statebook.session.rewinding.scope import parse_scope
from statebook.state.files.moving import Mover
from statebook.store.reading.checkpoints import Checkpoints
from statebook.testing import call, say
from statebook.ui.sheets.lines.preview import PreviewSheet

pytestmark = pytest.mark.slow  # stories of several runs


def everything(book):
    held = book.store.as_of_head.held()
    variables = {name: book.namespace.get(name) for name in ("count", "made")}
    return book.store.run_numbers(), book.memories(), held.grants, variables, book.file("made.txt")


def test_a_rewind_takes_every_part_back_and_a_redo_returns(worked):
    book = worked()
    before = everything(book)
    moved = book.go("r2")
    assert everything(book) == ([1], [], [], {"count": 1, "made": None}, None)
    assert moved.branch == "main-2"
    assert not moved.lost
    book.do(redo(book.session, parts_of(book.session)))
    assert everything(book) == before
    assert book.store.journal.branch.name == "main", "the line that was left goes on"
    assert book.store.verify().whole


def test_a_rewind_into_the_middle_keeps_what_was_there_then(worked):
    book = worked()
    book.go("r3")
    assert everything(book)[:2] == ([1, 2], ["M1"])
    assert book.namespace["made"] == [2]
    assert book.file("made.txt") == "by r2\n"


def test_what_a_person_changed_since_comes_along_to_return_to(worked):
    book = worked()
    book.namespace["count"] = 77
    book.go("r2")
    assert book.namespace["count"] == 1
    book.do(redo(book.session, parts_of(book.session)))
    assert book.namespace["count"] == 77


def test_what_was_kept_stays_where_only_the_conversation_goes_back(worked):
    book = worked()
    _, memories, grants, variables, text = everything(book)
    times = [memory.time for memory in book.store.as_of_head.memories()]
    book.go("r2", "conversation")
    assert everything(book) == ([1], memories, grants, variables, text)
    carried = book.store.as_of_head.memories()[0]
    assert (carried.number, carried.run, carried.time) == (1, 2, times[0])
    rows = book.store.sql("SELECT memory, run, kept FROM memories")
    assert [tuple(row) for row in rows[["memory", "run"]].to_numpy()] == [(1, 2)], "also for SQL"


def test_memory_goes_back_alone(worked):
    book = worked()
    book.go("r2", "memory")
    assert everything(book)[:3] == ([1, 2, 3], [], [])
    assert book.store.journal.branch.name == "main"
    book.do(redo(book.session, parts_of(book.session)))
    assert book.memories() == ["M1"]


@pytest.mark.parametrize("part", ["variables", "files"])
def test_a_single_part_does_not_move_the_conversation(worked, part):
    book = worked()
    runs, memories, grants, variables, text = everything(book)
    book.go("r2", part)
    expected = {"variables": {"count": 1, "made": None}, "files": None}
    variables, text = (expected["variables"], text) if part == "variables" else (variables, None)
    assert everything(book) == (runs, memories, grants, variables, text)
    assert len(book.store.journal.branches) == 1


@pytest.mark.parametrize("scope", ["variables", "files", "files+variables"])
def test_a_redo_returns_from_a_move_of_some_parts_only(worked, scope):
    book = worked()
    first = everything(book)
    book.go("r2", scope)
    assert everything(book) != first
    book.do(redo(book.session, parts_of(book.session)))
    assert everything(book) == first


def test_redo_again_goes_further_back(worked):
    book = worked(say("two b"))
    first = everything(book)
    book.go("r3")
    book.go("r2")
    book.do(redo(book.session, parts_of(book.session)))
    assert book.store.run_numbers() == [1, 2]
    book.do(redo(book.session, parts_of(book.session)))
    assert everything(book) == first
    with pytest.raises(UsageError, match="no move to return from"):
        redo(book.session, parts_of(book.session))


def test_a_redo_to_a_line_that_went_on_starts_another(worked):
    book = worked(say("after"))
    book.go("r3")
    main = book.store.journal.find_branch("main")
    book.store.journal.switch(main)
    book.ask("more on main")
    book.store.journal.switch(book.store.journal.find_branch("main-2"))
    book.do(redo(book.session, parts_of(book.session)))
    assert book.store.journal.branch.name == "main-3"
    assert book.store.run_numbers() == [1, 2, 3]


def test_switching_goes_to_the_head_of_a_branch(worked):
    book = worked(say("two b"))
    book.go("r2")
    book.namespace["count"] = 500
    book.ask("second, otherwise")
    main = head(book.store, book.store.journal.find_branch("main"))
    book.do(foresee(book.session, parts_of(book.session), main, parse_scope("all"), how="switch"))
    assert book.store.run_numbers() == [1, 2, 3]
    assert (book.namespace["count"], book.file("made.txt")) == (2, "by r3\n")
    other = head(book.store, book.store.journal.find_branch("main-2"))
    book.do(foresee(book.session, parts_of(book.session), other, parse_scope("all"), how="switch"))
    assert (book.namespace["count"], book.file("made.txt")) == (500, None)


def test_a_fork_keeps_what_was_there(worked):
    book = worked()
    fork(book.session, point(book.store, "r2"), "trial")
    assert everything(book)[0] == [1, 2, 3]
    trial = head(book.store, book.store.journal.find_branch("trial"))
    book.do(foresee(book.session, parts_of(book.session), trial, parse_scope("all"), how="switch"))
    assert everything(book) == ([1], [], [], {"count": 1, "made": None}, None)


def test_a_checkpoint_of_a_person_is_returned_to_without_leaving_the_line(worked):
    book = worked()
    number, _ = checkpoint(book.session, "good")
    book.namespace["count"] = "mess"
    book.go("good")
    assert book.namespace["count"] == 2
    assert book.store.journal.branch.name == "main", "nothing was said since, so no branch is needed"
    assert book.store.journal.head_checkpoint() > number


def test_a_ceiling_is_not_lifted_and_what_was_spent_stays_counted(worked):
    book = worked()
    book.session.spending.set("session", Limits(steps=100))
    spent = book.store.spent()
    book.go("r1")
    assert book.session.spending.limits("session") == Limits(steps=100)
    assert book.store.spent() == spent


def test_a_file_that_someone_else_changed_is_left_unless_it_was_asked_for(worked):
    book = worked()
    (book.folder / "made.txt").write_text("by hand\n")
    moved = book.go("r2")
    assert book.file("made.txt") == "by hand\n"
    assert [step.path for step in moved.preview.files.of("conflict")] == ["made.txt"]
    book.do(redo(book.session, parts_of(book.session)))
    book.go("r2", overwrite=["made.txt"])
    assert book.file("made.txt") is None


def test_a_variable_that_can_not_be_kept_is_lost_by_name(notebook):
    book = notebook(say("one"), call("python", {"code": "rows = 5"}), say("two"))
    book.namespace["rows"] = (n for n in range(3))
    book.ask("first")
    book.ask("second")
    moved = book.go("r2")
    assert [(each.name, each.fate) for each in moved.variables if each.fate == "lost"] == [("rows", "lost")]
    finished = [e.event for e in book.store.journal.entries(kinds=(MoveFinished.kind,))]
    assert [lost.name for lost in finished[-1].lost] == ["rows"]


def test_a_run_at_work_is_not_moved_under(worked):
    book = worked()
    preview = book.foresee("r2")
    book.session._active = 3
    with pytest.raises(UsageError, match="r3 is still running"):
        book.do(preview)
    book.session._active = 0


def test_where_nothing_would_move_it_says_so(worked):
    book = worked()
    with pytest.raises(UsageError, match="nothing to move"):
        book.foresee("head", "conversation")


def test_without_snapshots_the_rest_moves_and_that_is_said(worked):
    book = worked(snapshots="off")
    preview = book.foresee("r2")
    assert preview.parts == ("conversation", "memory")
    assert len(preview.notes) == 2
    book.do(preview)
    assert (book.store.run_numbers(), book.file("made.txt")) == ([1], "by r3\n")


def test_the_journal_tells_each_move(worked):
    book = worked()
    left = book.store.journal.head_checkpoint() + 1
    book.go("r2")
    moved = next(e.event for e in book.store.journal.entries(kinds=(HeadMoved.kind,)))
    assert (moved.how, moved.to, moved.left) == ("rewind", 1, left)
    assert moved.parts == ("conversation", "memory", "variables", "files")
    assert [(change.path, change.after) for change in moved.files] == [("made.txt", "")]


def test_cells_whose_outputs_no_longer_match_are_known(worked):
    book = worked(say("second anew"))
    assert not stale_now(book.session)
    book.go("r2")
    assert [(each.cell, each.run) for each in stale_now(book.session)] == [("cell-2", 2), ("cell-3", 3)]
    book.ask("second anew", cell_id="cell-2")
    assert [each.cell for each in stale_now(book.session)] == ["cell-3"]
    book.do(redo(book.session, parts_of(book.session)))
    assert [(each.cell, each.run) for each in stale_now(book.session)] == [("cell-2", 4)]
    book.temporary.restart(book.model)
    assert [(each.cell, each.run) for each in stale_now(book.session)] == [("cell-2", 4)], "also in the next kernel"


@pytest.mark.parametrize("moment", ["commit", "apply", "swap"])
def test_the_stop_button_waits_for_the_end_of_a_move(worked, monkeypatch, moment):
    """Pressed once it is decided, it finds all parts at the new place; pressed before, none."""
    book = worked()
    before = everything(book)
    where, name = {
        "commit": (book.store.journal, "start_branch"),
        "apply": (Mover, "apply"),
        "swap": (move_of, "_swap"),
    }[moment]
    real = getattr(where, name)

    def pressed(*args, **options):
        monkeypatch.setattr(where, name, real)
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **options)

    monkeypatch.setattr(where, name, pressed)
    with pytest.raises(KeyboardInterrupt):
        book.go("r2")
    assert everything(book) == ([1], [], [], {"count": 1, "made": None}, None)
    assert book.store.journal.entries(kinds=[MoveFinished.kind])
    book.do(redo(book.session, parts_of(book.session)))
    assert everything(book) == before


def test_the_stop_button_right_before_it_is_decided_leaves_nothing_staged(worked, monkeypatch):
    book = worked()
    before = everything(book)
    real, staged = Mover.stage, []

    def pressed(*args):
        real(*args)
        staged.extend(book.folder.rglob("*.part"))
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Mover, "stage", pressed)
        with pytest.raises(KeyboardInterrupt):
            book.go("r3")
    assert len(staged) == 1
    assert not list(book.folder.rglob("*.part"))
    assert everything(book) == before
    book.go("r3")
    assert book.file("made.txt") == "by r2\n"


def test_what_no_snapshot_had_room_for_stays_where_it_is_still_there(worked):
    """Of a point whose snapshot left it out: the object itself, if nobody replaced it; the preview says the same."""
    book = worked(say("four"))
    book.limit(snapshot_size=100_000)
    text = book.namespace["text"] = random.Random(1).randbytes(200_000)
    book.namespace["other"] = random.Random(2).randbytes(200_000)
    book.ask("fourth")
    at = book.store.journal.head_checkpoint()
    book.namespace["other"] = b"another"
    preview = book.foresee(f"#{at}")
    fates = {each.name: each.fate for each in preview.variables}
    assert (fates["text"], fates["other"]) == ("kept", "lost")
    moved = book.do(preview)
    assert {each.name: each.fate for each in moved.variables} == fates
    assert book.namespace["text"] is text
    assert "other" not in book.namespace
    book.do(redo(book.session, parts_of(book.session)))
    assert book.namespace["other"] == b"another"


def test_what_nothing_can_bring_back_is_told_before_it_goes(worked):
    book = worked()
    book.namespace["made"] = (number for number in range(3))
    preview = book.foresee("r3")
    (made,) = [each for each in preview.variables if each.name == "made"]
    assert made.fate == "restored"
    assert made.ends.startswith("what it is until then can't be brought back: generator")
    told = repr(PreviewSheet(preview))
    assert "made restored: what it is until then can't be brought back" in told
    assert "Nothing brings back all of made" in told
    assert "Nothing is deleted" not in told


def test_a_preview_keeps_no_more_than_there_is_room_for(worked):
    book = worked()
    book.limit(store_size=book.store.size().total + 500_000)
    before = book.store.size().packs
    book.namespace["noise"] = random.Random(1).randbytes(3_000_000)
    preview = book.foresee("r2")
    (noise,) = [each for each in preview.variables if each.name == "noise"]
    assert (noise.fate, "that are left of store_size" in noise.ends) == ("removed", True)
    book.store.chunks.sync()
    assert book.store.size().packs - before < 500_000


def test_the_way_back_from_a_return_is_by_its_number(worked):
    book = worked()
    moved = book.go("r2")
    assert f"kept at #{moved.left}: %agent redo returns" in repr(PreviewSheet(moved.preview, moved)).replace("`", "")
    back = book.do(redo(book.session, parts_of(book.session)))
    assert f"%agent rewind #{back.left} returns" in repr(PreviewSheet(back.preview, back)).replace("`", "")


def test_the_working_directory_and_the_environment_go_back_and_that_is_said(notebook, monkeypatch):
    monkeypatch.setenv("PLACE", "here")
    code = "import os; os.mkdir('sub'); os.chdir('sub'); os.environ['PLACE'] = 'there'; os.environ['MADE_BY_IT'] = '1'"
    book = notebook(say("one"), call("python", {"code": code}), say("two"))
    book.ask("first")
    book.ask("second")
    moved = book.go("r2")
    assert (str(Path.cwd()), os.environ["PLACE"], "MADE_BY_IT" in os.environ) == (str(book.folder), "here", False)
    around = f"the working directory ({book.folder}) and MADE_BY_IT, PLACE of the environment"
    assert f"What goes back too: {around}." in repr(PreviewSheet(moved.preview))
    assert f"What is as it was then too: {around}." in repr(PreviewSheet(moved.preview, moved))
    back = redo(book.session, parts_of(book.session))
    assert f"the working directory ({book.folder / 'sub'})" in back.around
    book.do(back)
    assert (str(Path.cwd()), os.environ["PLACE"], os.environ["MADE_BY_IT"]) == (str(book.folder / "sub"), "there", "1")
    monkeypatch.delenv("MADE_BY_IT")


def test_a_cell_that_shows_an_older_run_again_is_not_stale_in_the_next_kernel(worked):
    book = worked(say("two anew"))
    book.ask("second", cell_id="cell-2", fresh=True)
    main = head(book.store, book.store.journal.find_branch("main"))
    book.do(foresee(book.session, parts_of(book.session), main, parse_scope("all"), how="switch"))
    assert [(each.cell, each.run) for each in stale_now(book.session)] == [("cell-2", 4)]
    again = book.ask("second", cell_id="cell-2")
    assert (again.number, again.replayed) == (2, True)
    assert not stale_now(book.session)
    book.temporary.restart(book.model)
    assert not stale_now(book.session), "the next kernel knows what the cell shows"
    fresh = head(book.store, book.store.journal.find_branch("main-2"))
    book.do(foresee(book.session, parts_of(book.session), fresh, parse_scope("all"), how="switch"))
    assert [(each.cell, each.run) for each in stale_now(book.session)] == [("cell-2", 2), ("cell-3", 3)]


def test_a_long_preview_counts_what_it_does_not_list(notebook):
    book = notebook(*(say(f"answer {number}") for number in range(45)))
    for number in range(45):
        book.ask(f"question {number}", cell_id=f"cell-{number}")
    preview = book.foresee("r2", "+memory")
    assert [run.number for run in preview.leaving] == list(range(2, 46))
    text, html = repr(PreviewSheet(preview)), PreviewSheet(preview)._repr_html_()
    assert "r45   leaves: question 44" in text
    assert text.count("and 24 more") == 2, "runs that leave, and cells that will not match"
    assert html.count("and 4 more") == 2
    assert "question 1<" not in html


def test_returning_with_a_flag_of_a_cell_keeps_what_is_left(notebook):
    """``--branch`` and ``--fresh`` move the conversation only; what was there can be returned to."""
    book = notebook(*map(say, ("one", "two", "three", "four")))
    book.ask("first", cell_id="a")
    book.namespace["df"] = 1
    (book.folder / "mine.txt").write_text("mine")
    book.ask("second", branch="idea", cell_id="b")
    (book.folder / "mine.txt").write_text("mine still")
    book.namespace["df2"] = 2
    main = head(book.store, book.store.journal.find_branch("main"))
    book.do(foresee(book.session, parts_of(book.session), main, parse_scope("all"), how="switch"))
    assert (book.namespace.get("df"), book.namespace.get("df2")) == (1, None)
    assert book.file("mine.txt") == "mine still", "nobody but the person changed it"
    book.namespace["df"] = 3
    fresh = book.ask("first", fresh=True, cell_id="a")
    assert book.store.journal.branch.name == "main-2"
    assert not fresh.notes
    book.namespace["df"] = 4
    book.do(foresee(book.session, parts_of(book.session), head_of(book, "main"), parse_scope("all"), how="switch"))
    assert book.namespace["df"] == 3
    assert book.store.verify().whole


def head_of(book, name):
    return head(book.store, book.store.journal.find_branch(name))


def test_going_to_a_branch_by_a_flag_says_what_stays(notebook):
    book = notebook(*map(say, ("one", "two", "three", "four")))
    book.ask("first")
    book.ask("second", branch="idea")
    assert book.ask("third", branch="main").notes == [], "they are no other there"
    assert [bool(mark.files) for mark in left_of(book)] == [True], "only where the line's end did not tell it already"
    book.namespace["df"] = 1
    before = book.store.journal.head_checkpoint(book.store.journal.find_branch("idea").number)
    run = book.ask("fourth", branch="idea")
    back = f"%agent rewind #{before} --scope variables"
    assert run.notes == [f"Variables stay as they are; `{back}` brings those of idea."]
    assert book.namespace["df"] == 1
    assert len(left_of(book)) == 2
    book.go(f"#{before}", "variables")
    assert "df" not in book.namespace


def left_of(book):
    """The checkpoints that were made when a line was left, oldest first."""
    return [mark for mark in reversed(Checkpoints(book.store).newest(50)) if mark.reason == "left"]


@pytest.mark.parametrize("before", ["nothing", "a checkpoint", "a move"])
def test_a_line_that_a_cell_leaves_keeps_the_files_of_that_moment(worked, before):
    """Seen then, whatever was looked at before: after a rewind, say, they are others than at its begin."""
    book = worked(say("four"), call("write_file", {"path": "made.txt", "text": "by r5\n"}), say("five"))
    book.go("r2")
    (book.folder / "mine.txt").write_text("old")
    if before == "a checkpoint":
        checkpoint(book.session)
    elif before == "a move":
        book.do(redo(book.session, parts_of(book.session)))
        book.go("r2")
    (book.folder / "mine.txt").write_text("new")
    line = book.store.journal.branch.name
    book.ask("fourth", branch="idea")
    kept = book.session.keeper.files.manifest(left_of(book)[-1].files).files
    assert "made.txt" not in kept
    assert kept["mine.txt"].size == 3
    assert book.ask("fifth").notes == []
    assert book.file("made.txt") == "by r5\n"
    again = book.foresee(line, how="switch")
    assert [(step.path, step.fate) for step in again.files.steps] == [("made.txt", "delete")]
    book.do(again)
    assert (book.file("made.txt"), book.file("mine.txt")) == (None, "new")


def test_going_to_a_branch_by_a_flag_says_that_files_stay_where_others_are_its_own(worked):
    book = worked(*map(say, "ab"), call("write_file", {"path": "made.txt", "text": "by r6\n"}), *map(say, "cd"))
    book.ask("fourth", branch="idea")
    (book.folder / "mine.txt").write_text("a person's own")
    assert book.ask("back", branch="main").notes == [], "what nobody but the person changed is not moved"
    book.ask("there", branch="idea")
    assert book.file("made.txt") == "by r6\n"
    before = book.store.journal.head_checkpoint(1)
    run = book.ask("and back", branch="main")
    back = f"%agent rewind #{before} --scope files"
    assert run.notes == [f"Files stay as they are; `{back}` brings those of main."]
    book.go(f"#{before}", "files")
    assert (book.file("made.txt"), book.file("mine.txt")) == ("by r3\n", "a person's own")


def test_without_snapshots_a_flag_of_a_cell_leaves_no_checkpoint(notebook):
    book = notebook(*map(say, ("one", "two")), snapshots="off")
    book.ask("first", cell_id="a")
    book.namespace["df"] = 1
    run = book.ask("first", fresh=True, cell_id="a")
    assert not run.notes
    assert [mark.reason for mark in Checkpoints(book.store).newest(20)] == ["run_end", "run_end"]
