"""What a move does to files: it takes back all that the agent did, and says what it can't tell."""

import os

import pytest
from statebook.config import Settings
from statebook.session.rewinding.move import checkpoint, redo
from statebook.session.rewinding.parts import parts_of
from statebook.testing import call, say
from statebook.ui.sheets.lines.preview import PreviewSheet

pytestmark = pytest.mark.slow  # stories of several runs


def python(code):
    return call("python", {"code": code})


def write(path, text):
    return call("write_file", {"path": path, "text": text})


def fates(preview):
    return {step.path: step.fate for step in preview.files.steps}


def back_again(book):
    return book.do(redo(book.session, parts_of(book.session)))


def test_an_ignored_file_that_the_agent_wrote_over_comes_back(notebook):
    book = notebook(say("one"), write("data.csv", "new\n"), write("made.csv", "new\n"), say("two"))
    (book.folder / ".gitignore").write_text("*.csv\n")
    (book.folder / "data.csv").write_text("precious\n")
    book.ask("first")
    book.ask("second")
    moved = book.go("r2")
    assert fates(moved.preview) == {"data.csv": "restore", "made.csv": "delete"}
    assert (book.file("data.csv"), book.file("made.csv")) == ("precious\n", None)
    back_again(book)
    assert (book.file("data.csv"), book.file("made.csv")) == ("new\n", "new\n")


def test_an_ignored_file_comes_back_in_another_kernel_too(notebook):
    book = notebook(write("data.csv", "new\n"), say("one"), say("two"))
    (book.folder / ".gitignore").write_text("*.csv\n")
    (book.folder / "data.csv").write_text("precious\n")
    book.ask("first")
    book.temporary.restart(book.model)
    book.ask("second")
    book.go("r1")
    assert book.file("data.csv") == "precious\n"
    back_again(book)
    assert book.file("data.csv") == "new\n"


def test_an_ignored_file_that_was_not_kept_at_the_point_stays(notebook):
    book = notebook(write("other.txt", "1"), write("data.csv", "new\n"), say("one"))
    (book.folder / ".gitignore").write_text("*.csv\n")
    (book.folder / "data.csv").write_text("precious\n")
    book.ask("first")
    moved = book.go("r1")
    assert fates(moved.preview) == {"data.csv": "not_kept", "other.txt": "delete"}
    assert book.file("data.csv") == "new\n"
    assert "data.csv stays as it is: it is left out by an ignore file" in repr(PreviewSheet(moved.preview))


def test_what_was_done_while_snapshots_were_off_is_named_and_taken_back_when_asked_for(notebook):
    book = notebook(
        python("x = 1"), say("one"), python("open('old', 'w').write('r2'); open('new', 'w').write('r2')"), say("two"),
        python("x = 3"), say("three"),
    )  # fmt: skip
    (book.folder / "old").write_text("mine")
    book.ask("first")
    plain = book.session.settings
    book.session.configure(Settings(snapshots="off", model=book.model.name))
    book.ask("second")
    book.session.configure(plain)
    book.ask("third")
    preview = book.foresee("#3")
    assert fates(preview) == {"old": "conflict", "new": "conflict"}
    assert "nobody can tell who changed it" in repr(PreviewSheet(preview))
    assert "Files         new and old left\n" in repr(PreviewSheet(preview))
    book.do(preview)
    assert (book.file("old"), book.file("new")) == ("r2", "r2")
    back_again(book)
    book.go("#3", overwrite=["old", "new"])
    assert (book.file("old"), book.file("new")) == ("mine", None)
    back_again(book)
    assert (book.file("old"), book.file("new")) == ("r2", "r2")


def test_what_others_changed_is_theirs_where_each_call_was_watched(notebook):
    book = notebook(python("open('agents', 'w').write('1')"), say("one"), say("two"))
    (book.folder / "mine").write_text("1")
    book.ask("first")
    (book.folder / "mine").write_text("2")
    (book.folder / "more").write_text("2")
    book.ask("second")
    assert fates(book.foresee("r1")) == {"agents": "delete"}
    assert fates(book.foresee("r2")) == {}


def test_an_edit_between_two_changes_of_the_agent_is_shown_and_kept(notebook):
    book = notebook(say("one"), write("a", "r2\n"), say("two"), write("a", "r3\n"), say("three"))
    book.ask("first")
    book.ask("second")
    (book.folder / "a").write_text("long work\n")
    book.ask("third")
    preview = book.foresee("r2")
    (step,) = preview.files.of("conflict")
    assert step.why == "was changed by someone else before r3 changed it (`%agent rewind r3 --scope files` has that)"
    book.do(preview)
    assert book.file("a") == "r3\n"
    back_again(book)
    book.go("r2", overwrite=["a"])
    assert book.file("a") is None
    back_again(book)
    assert book.file("a") == "r3\n"
    book.go("r3", "files")
    assert book.file("a") == "long work\n"


def test_a_file_goes_back_also_after_the_conversation_went_alone(notebook):
    book = notebook(say("one"), python("open('a', 'w').write('1')"), say("two"))
    book.ask("first")
    checkpoint(book.session, "start")
    book.ask("second")
    book.go("r2", "conversation")
    assert book.file("a") == "1"
    moved = book.go("start")
    assert fates(moved.preview) == {"a": "delete"}
    assert book.file("a") is None
    back_again(book)
    assert book.file("a") == "1"


def test_a_session_that_only_talked_moves_without_a_word_on_files(notebook):
    book = notebook(say("one"), say("two"))
    (book.folder / "mine").write_text("1")
    book.ask("first")
    book.ask("second")
    moved = book.go("r2")
    assert "files" in moved.preview.parts
    assert moved.preview.notes == ()
    assert back_again(book).preview.returning


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_that_the_agent_made_is_not_called_someone_elses(notebook):
    book = notebook(say("one"), python("import os; os.symlink('there', 'link')"), say("two"))
    book.ask("first")
    book.ask("second")
    text = repr(PreviewSheet(book.foresee("r2")))
    assert "  Files         link left\n" in text
    assert "stays as it is: it is a link, which is not kept: it could not be brought back" in text
    assert "--overwrite" not in text, "that would not help"


def test_code_that_may_have_done_more_is_said_so(notebook):
    book = notebook(say("one"), python("x = 1"), say("two"), python("x = 2"), say("three"))
    for prompt in ("first", "second", "third"):
        book.ask(prompt)
    preview = book.foresee("r2")
    note = "What the code of r2, r3 did outside variables and kept files stays: on the network, say."
    assert preview.notes == (note,)
    assert preview.effects == ()
    assert note not in book.foresee("r2", "conversation").notes, "there the calls themselves are listed"
