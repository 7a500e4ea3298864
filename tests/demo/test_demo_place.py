"""Where the demo reads and writes: nothing of a person's is touched, and every refusal says what to do."""

from __future__ import annotations

import pytest
from statebook.demo.place import choose
from statebook.errors import UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_folder_the_briefs_are_copied_beside_the_notebook(here):
    place = choose(None, None)
    assert place.folder == here / "statebook-demo"
    assert place.own
    assert place.named == "briefs"
    assert len(list(place.sources.iterdir())) == 14


def test_a_folder_in_use_is_left_alone_and_the_next_number_is_taken(here):
    (here / "statebook-demo").mkdir()
    (here / "statebook-demo" / "mine.txt").write_text("mine")
    (here / "statebook-demo-2").write_text("a file of that name")
    place = choose(None, None)
    assert place.folder == here / "statebook-demo-3"
    assert (here / "statebook-demo" / "mine.txt").read_text() == "mine"
    assert [path.name for path in (here / "statebook-demo").iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_used_as_it_is(here):
    (here / "out").mkdir()
    assert choose(None, "out").folder == here / "out"


def test_sources_nearby_are_named_relative_and_others_absolute(here):
    (here / "a" / "docs").mkdir(parents=True)
    assert choose("a/docs", "out").named == "../a/docs"
    assert choose("a/docs", "b/c/out").named == (here / "a" / "docs").as_posix()


def test_whoever_stands_among_the_sources_gets_the_output_beside_them(here, monkeypatch):
    docs = here / "docs" / "deep"
    docs.mkdir(parents=True)
    monkeypatch.chdir(docs)
    assert choose("..", None).folder == here / "statebook-demo"
    assert list((here / "docs").iterdir()) == [docs]


@pytest.mark.parametrize(
    ("folder", "out", "said"),
    [
        ("nowhere", None, r"There is no folder .*nowhere\. Name one with documents"),
        ("note.md", None, r"note\.md is a file\. Name the folder that holds it"),
        ("docs", "docs/out", r"writes nothing into the folder that it reads\. Name another place"),
        (None, "note.md/out", r"can't be used: .*\. Name another place with --out"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(here, folder, out, said):
    (here / "docs").mkdir()
    (here / "note.md").write_text("a note")
    with pytest.raises(UsageError, match=said) as caught:
        choose(folder, out)
    assert "\n" not in str(caught.value)
    assert list((here / "docs").iterdir()) == []
