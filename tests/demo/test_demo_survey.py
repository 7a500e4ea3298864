"""What a folder is about: phrases that its documents share, and questions made of them."""

from __future__ import annotations

import pytest
from statebook.demo.script import write
from statebook.demo.survey import survey
from statebook.errors import UsageError

TOWNS = ("Aber", "Bude", "Cley", "Deal", "Eyam")


@pytest.fixture
def look(tmp_path):
    def at(files):
        sources = tmp_path / "docs"
        sources.mkdir()
        for name, text in files.items():
            (sources / name).write_text(text, encoding="utf-8")
        return survey(tmp_path / "research.ipynb", sources, lambda _: None)

    return at


def _harbours():
    """Five towns; three of them write about a tide table, two about lock gates, each in its own words."""
    tides = "The tide table of {0} is printed each year. A tide table tells the keeper when ships may enter {0}.\n"
    gates = "The lock gates of {0} were closed in winter. Nobody opens the lock gates of {0} at night.\n"
    kinds = (tides, tides, tides, gates, gates)
    return {f"{town}.md": f"# {town}\n\n{kind.format(town)}" for town, kind in zip(TOWNS, kinds, strict=True)}


def test_the_phrases_that_several_documents_share_are_its_topics(look):
    assert set(look(_harbours()).topics[:2]) == {"tide table", "lock gates"}


def test_what_is_read_waits_in_the_store_for_the_session(look, tmp_path):
    found = look(_harbours())
    assert (found.documents, found.unread) == (5, 0)
    assert sorted(found.titles) == list(TOWNS)
    assert (tmp_path / "research.statebook.duckdb").exists()


def test_paths_that_a_prompt_would_read_otherwise_are_left_out_of_it(look):
    text = "# A title\n\nThe tide table is printed each year in the harbour.\n"
    found = look({"plain name.md": text, "it's {{odd}}.md": text, "@scope.md": text})
    assert len(found.files) == 1
    assert found.files[0].endswith("/plain name.md")


def test_unreadable_files_are_counted_and_cost_nothing(look):
    assert look(_harbours() | {"empty.md": "", "broken.ipynb": "{"}).unread == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there are no documents in it"),
        ({"program.py": "print()"}, "there are no documents in it"),
        ({"a.md": "", "b.md": ""}, "2 files, none with text .2 x the file is empty."),
    ],
)
def test_a_folder_without_text_is_told_in_one_line(look, files, said):
    with pytest.raises(UsageError, match=said):
        look(files)


def test_the_questions_name_the_topics(look):
    found = look(_harbours())
    script = write(found, "docs", [], own=False)
    first, second = found.topics[:2]
    assert script.asks[0].prompt == f"What do these documents say about {first}?"
    assert second in script.asks[1].prompt
    assert script.asks[2].prompt.endswith("Keep the findings.")
    assert f"- {first}\n- {second}" in script.synthesis


def test_one_document_without_a_phrase_is_still_asked_about(look):
    found = look({"word.txt": "Hm."})
    assert "word" in write(found, "docs", [], own=False).synthesis


def test_a_persons_questions_take_the_place_of_ours(look):
    script = write(look(_harbours()), "docs", ["Who opens the gates?", "When?"], own=True)
    assert [ask.prompt for ask in script.asks] == ["Who opens the gates?", "When? Keep the findings."]
    assert "- Who opens the gates?\n- When?" in script.synthesis
