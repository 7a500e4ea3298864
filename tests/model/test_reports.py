"""What a person may expect of a report: sections as asked, several voices, sentences that stand alone."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from statebook.model.extract.kindred import kin, other_words
from statebook.model.extract.standing import LEANS, introduces, standing
from statebook.model.extract.themes import themes
from statebook.model.extract.words import stem, term_set
from statebook.model.offline.questions import understand
from statebook.protocol.passages import Passage, marks_in

BRIEFS = runpy.run_path(str(Path(__file__).with_name("briefs.py")))["BRIEFS"]
CITY = {
    "lanes.md": (
        "Protected bike lanes in Norwich",
        """A protected bike lane on Park Street cut injuries by 44% in two years. It was opened in May. Shops on Park
Street reported higher sales after the lane was opened.

The protected lane cost 1.2 million euros per kilometre. The lane is cleared of snow before 7 in the morning. This
surprised many people in the town hall.""",
    ),
    "critics.md": (
        "A critical look at bike lanes",
        """Shops on Park Street reported lower sales after the lane was opened. A survey of 85 shopkeepers found that
52% had lost customers. A protected lane cost 2.9 million euros per kilometre.

Protected bike lanes do not cut injuries at junctions. The bike lane is not cleared of snow in most weeks.""",
    ),
    "buses.md": (
        "Buses and the new street plan",
        """Bus line 4 lost two minutes on Park Street after the lanes were narrowed. Ridership on line 4 fell by 6% in
2024. Electric buses cost 510,000 euros each, and charging at the depot takes five hours.""",
    ),
    "trees.md": (
        "Street trees and heat",
        """Street trees lower the temperature of a street by 3 degrees on a hot day. A young tree needs 200 litres of
water a week in its first summer. The city planted 1,400 trees between 2020 and 2025.""",
    ),
}
REPORT = (
    "Write a report on the bike lanes. "
    "Cover: injuries and safety; cost of a kilometre; sales of shops; snow on the lane. "
    "Use headings. Say where the sources disagree. Keep the findings."
)
SUB_TOPICS = ["Injuries and safety", "Cost of a kilometre", "Sales of shops", "Snow on the lane"]
FRAME = {"In short", "Where the sources disagree", "What the sources do not say", "Side by side"}


@pytest.fixture
def city(make_library, make_talk):
    return make_talk(make_library(CITY, size=300))


def heads(answer):
    return re.findall(r"^## (.+)$", answer, re.MULTILINE)


def section(answer, title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", answer, re.MULTILINE | re.DOTALL)[1]


def quoted(answer):
    """(sentence, mark) of everything cited, without labels and table frames."""
    plain = re.sub(r"\*\*[^*]+:\*\* |\*[^*\n]+\*: ", "", answer)
    return re.findall(r"(?:^- |^\| |\| |\] )([^\[\]|\n]+?) \[(S\d+\.\d+)\]", plain, re.MULTILINE)


def test_each_sub_topic_has_a_section_and_no_order_has_one(city):
    answer = city.ask(REPORT)
    own = [head for head in heads(answer) if head not in FRAME]
    assert own[-4:] == SUB_TOPICS
    assert not any(re.search(r"disagree|headings|findings|\bcover\b|report", head, re.IGNORECASE) for head in own)


def test_most_sections_cite_two_documents(city):
    answer = city.ask(REPORT)
    lead = section(answer, "In short")
    voices = []
    for title in SUB_TOPICS:
        line = next((each for each in lead.splitlines() if title in each), "")
        voices.append({mark.split(".")[0] for mark in marks_in(section(answer, title) + line)})
    assert sum(len(each) >= 2 for each in voices) >= 3


def test_no_sentence_leans_on_one_that_is_not_there(city, make_library, make_talk):
    for talk, prompt in (
        (city, REPORT),
        (make_talk(make_library(BRIEFS)), "Write a report on recovery, cost and memory"),
    ):
        found = quoted(talk.ask(prompt))
        assert len(found) >= 5
        assert [text for text, _ in found if LEANS.match(text)] == []


def test_the_lead_is_labelled_and_says_nothing_twice(city):
    lines = [line for line in section(city.ask(REPORT), "In short").splitlines() if line]
    assert 3 <= len(lines) <= 5
    assert len({line.split(":**")[1] for line in lines}) == len(lines)


def test_disagreements_stand_side_by_side_with_both_marks(city):
    rows = section(city.ask(REPORT), "Where the sources disagree").splitlines()
    pairs = [row for row in rows if row.count("[S") == 2]
    assert len(pairs) == 4
    assert all(len({mark.split(".")[0] for mark in marks_in(row)}) == 2 for row in pairs)
    assert {"shops", "snow", "injuries", "cost"} <= set(re.findall(r"\w+", " ".join(pairs).lower()))


def test_findings_are_kept_with_marks_and_telling_tags(city):
    city.ask(REPORT)
    kept = [arguments for name, arguments in city.library.calls if name == "remember"]
    assert 3 <= len(kept) <= 5
    assert all(re.fullmatch(r"S\d+\.\d+", each["mark"]) for each in kept)
    topics = term_set(" ".join(SUB_TOPICS))
    assert all(each["tags"] and {stem(tag) for tag in each["tags"]} <= topics | {"bik", "lan"} for each in kept)


def test_where_do_they_disagree_needs_no_topic(city):
    answer = city.ask("Where do the sources disagree?")
    assert heads(answer) == ["Where the sources disagree"]
    assert answer.count("[S") == 8


def test_no_topic_gives_each_of_a_few_documents_its_section(city):
    answer = city.ask("Write a report on what these documents are about.")
    assert "The 4 documents are about" in answer
    assert {"Buses and the new street plan", "Street trees and heat"} <= set(heads(answer))


def test_an_abstention_names_titles_and_no_stray_passages(city):
    answer = city.ask("Who won the world cup in 1990?")
    assert answer.startswith("The sources do not answer this.")
    assert marks_in(answer) == []
    assert "*Street trees and heat*" in answer


def test_a_recap_without_findings_turns_to_the_sources(city):
    answer = city.ask("What did we find about street trees?")
    assert answer.startswith("Nothing was kept about this so far. From the sources:")
    assert "[S4.1]" in answer
    assert "search_sources" in city.called


def test_memory_does_not_repeat_what_the_answer_says(city):
    line = "M1 (2026-11-20, S4.1): A young tree needs 200 litres of water a week in its first summer."
    answer = city.ask(f"<memory>\n{line}\n</memory>\n\nHow much water does a young tree need?")
    assert answer.count("200 litres") == 1


def test_a_disputed_question_gets_both_sides(city):
    answer = city.ask("Did shops on Park Street report higher sales after the lane was opened?")
    assert "higher sales" in answer
    assert "lower sales" in answer


def test_a_comparison_in_a_report_has_a_table_between_lead_and_disagreements(city):
    answer = city.ask(
        "Compare bike lanes and buses. What do the sources say about cost, and where do they disagree? Write a report."
    )
    assert heads(answer)[:2] == ["In short", "Side by side"]
    assert "510,000" in answer
    assert "million euros" in answer


@pytest.mark.parametrize(
    ("prompt", "headings"),
    [
        ("Report on memory, cost and security; keep it short. Cite your sources.", ["Memory", "Cost", "Security"]),
        ("Write a report about:\n1. memory\n2. the cost\n3. security\nUse a table.", ["Memory", "Cost", "Security"]),
        ("Write a report on figs. Cover: green ones; pips and peel; shade.", ["Green ones", "Pips and peel", "Shade"]),
        (
            "Write a report: how do agents keep state, and how do they fail?",
            ["How agents keep state", "How agents fail"],
        ),
        (
            "What do the sources recommend for locks? Answer in three bullet points.",
            ["Locks"],
        ),
        (
            "Write a report on how tools are installed and what licences they have",
            ["How tools are installed", "Licences"],
        ),
    ],
)
def test_headings_are_sub_topics(prompt, headings):
    found = [question.heading for question in understand(prompt).questions]
    assert found == headings


def test_a_sentence_with_its_subject_and_a_fact_stands_better():
    known = term_set("checkpoints growth")
    strong = standing("The checkpoints of LangGraph grew to 1,211 MB in one session of 500 turns.", known)
    assert strong > 1
    for weak in (
        "It grew a lot.",
        "This makes checkpoints grow.",
        "Then growth stops in checkpoints of the second half.",
    ):
        assert standing(weak, known) < strong / 2


def test_introductions_are_known():
    assert introduces("Grimp is a library that builds graphs of imports.")
    assert not introduces("In our test the runs were slow.")


def test_other_words_of_an_aspect():
    assert stem("mb") in kin(stem("size"))
    assert "mit" in other_words("licences")
    assert kin(stem("umbrella")) == frozenset()
    assert other_words("umbrella") == ""


def test_themes_are_shared_phrases_in_their_own_spelling():
    texts = ["A GraphQL server is fast.", "The GraphQL server is slow.", "We run a GraphQL server.", "Cats sleep."]
    documents = [[Passage(n, 1, f"Note {n}", f"{n}.md", "", 0, 0, text)] for n, text in enumerate(texts, start=1)]
    assert "GraphQL server" in themes([*documents, *[[Passage(9 + n, 1, "x", "x", "", 0, 0, "")] for n in range(4)]])
    assert themes([]) == ()
