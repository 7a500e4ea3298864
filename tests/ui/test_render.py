from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pandas as pd
import pytest
from statebook.protocol.journal.events import (
    AnswerRejected,
    ApprovalAsked,
    ApprovalDecided,
    PauseReason,
    RunEnded,
    RunPaused,
    ToolFinished,
)
from statebook.protocol.messages import ToolResult
from statebook.protocol.models import Cost, Usage, exact, money
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ArtifactData
from statebook.session.waiting import abandoned
from statebook.ui.lines import activity, amount, call_state, duration, ending, footer
from statebook.ui.render import LARGEST_FIGURE, LIVE, run_html
from statebook.ui.sheets.listing import listing
from statebook.ui.sheets.sheet import Sheet
from statebook.ui.steps import ARGUMENTS
from statebook.ui.text import run_text
from ui_samples import (
    ANSWER,
    DURABLE,
    SAVER,
    Journal,
    call,
    done,
    failed,
    interrupted,
    paused,
    research,
    soup_of,
    texts,
)

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> [a](javascript:x) \x1b[31m \u202e $a$ \\(b\\)'


def stripped(html: str) -> str:
    """What a strict viewer leaves: no style sheet, classes, styles, ids."""
    page = soup_of(html)
    for style in page.find_all("style"):
        style.decompose()
    for tag in page.find_all(True):
        tag.attrs = {name: value for name, value in tag.attrs.items() if name in ("href", "title", "value")}
    return re.sub(r"\s+", " ", page.get_text(" "))


@pytest.mark.parametrize(("stop", "told"), [("length", "The answer is cut"), ("refusal", "declined"), ("end", "")])
def test_an_answer_that_is_not_whole_says_so(stop, told):
    run = done()
    run.models[-1].stop = stop
    for shown in (
        stripped(run_html(run, texts)),
        run_text(run),
        stripped(run_html(replace(run, replayed=True), texts)),
    ):
        assert told in shown
        assert ("The answer is cut" in shown) == (stop == "length")
    run.status = "running"
    assert "The answer is cut" not in run_text(run)


def test_marks_are_numbered_in_order_of_appearance_and_lead_to_their_passage():
    page = soup_of(run_html(done(), texts))
    marks = page.select(".sb-answer sup a")
    assert [mark.text for mark in marks] == ["[1]", "[2]", "[1]", "[3]"]
    assert "Durable execution, in brief (briefs/03-durable.md · lines 12-20)" in marks[0]["title"]
    assert "A durable runtime records" in marks[0]["title"]
    for mark in marks:
        target = mark["href"].removeprefix("#")
        assert page.find(id=target).name == "blockquote"
        assert page.find(attrs={"data-jupyter-id": target})["value"] == mark.text.strip("[]")
    assert [li["value"] for li in page.select(".sb-sources li")] == ["1", "2", "3"]


def test_marks_nobody_has_shown_are_a_visible_warning():
    warning = soup_of(run_html(done(), texts)).select_one(".sb-answer .sb-unknown")
    assert warning.text == "[?]"
    assert "S9.9" in warning["title"]
    assert "[?]" in run_text(done())


def test_ids_are_unique_and_differ_between_runs():
    other = done()
    other.number = 4
    first, second = (soup_of(run_html(run, texts)) for run in (done(), other))
    ids = [tag["id"] for tag in first.find_all(id=True)]
    assert len(ids) == len(set(ids)) == 3
    assert not set(ids) & {tag["id"] for tag in second.find_all(id=True)}
    assert run_html(done(), texts) == run_html(done(), texts)


def test_everything_foreign_is_escaped_everywhere():
    passage = Passage(1, 1, HOSTILE, HOSTILE, HOSTILE, 0, 1)
    wanted = call(1, HOSTILE, key=HOSTILE)
    broken = replace(call(2, "x"), arguments=HOSTILE)
    journal = Journal(prompt=HOSTILE).model(HOSTILE, [wanted, broken], thoughts=HOSTILE)
    journal.ask(wanted, HOSTILE).decide(wanted, word=HOSTILE).intend(wanted).finish(wanted, HOSTILE, "ok", [passage])
    journal.intend(broken).finish(broken, HOSTILE, "error").stopped(HOSTILE, HOSTILE).model(f"{HOSTILE} [S1.1] [S1.2]")
    journal.add(RunEnded("failed", HOSTILE, (passage.reference(),), (f"S1.2{HOSTILE}",)))
    run = journal.run()
    run.notes.append(HOSTILE)
    for html in (run_html(run, lambda _: {"S1.1": HOSTILE}), run_html(run, live=True, progress=HOSTILE)):
        page = soup_of(html)
        assert not page.find_all(["script", "img", "iframe", "svg"])
        assert len(page.find_all("style")) == 1
        for tag in page.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on")]
            assert not tag.get("href", "#").startswith("javascript")
        assert "\x1b" not in html
        assert "\u202e" not in html
    assert "alert" in run_text(run, verbose=True)
    assert "\x1b" not in run_text(run, verbose=True)


def test_it_reads_well_without_style_classes_and_ids():
    text = stripped(run_html(done(), texts))
    for expected in (
        "Agent runtimes lose work in three places",
        "[1]",
        "Sources",
        "Durable execution, in brief",
        "#12",
    ):
        assert expected in text
    assert "{" not in text.partition("Agent runtimes")[0].partition("Arguments")[0], "no style sheet among the words"


def test_a_call_unfolds_to_everything_about_it():
    calls = soup_of(run_html(done(), texts)).select("details.sb-call")
    assert [fold.summary.get_text(" ", strip=True).split()[1] for fold in calls] == [
        "search_sources",
        *["read_source"] * 3,
        "remember",
    ]
    text = calls[-1].get_text(" ")
    for expected in (
        '"mark": "S4.2"',
        "kept as memory 1",
        "effect: write",
        "asked because it writes",
        "“good”",
        "0.01s",
    ):
        assert expected in text


def test_big_arguments_and_results_are_capped():
    wanted = call(1, "python", code="x" * 50_000)
    journal = Journal().model("", [wanted]).intend(wanted).finish(wanted, "y" * 50_000, "error").model("done")
    html = run_html(journal.add(RunEnded("done")).run())
    assert len(html) < 20_000
    assert f"{50_000 - 2000:,} more characters" in html
    assert html.count("x" * 100) <= ARGUMENTS // 100


def test_a_live_view_stays_small_and_says_what_goes_on():
    run = research().run()
    run.draft = "word " * 40_000
    html = run_html(run, texts, live=True, progress="page 3 of 9")
    assert len(html) < LIVE * 1.5
    assert "r3 · writing · page 3 of 9" in html
    assert not soup_of(html).select(".sb-sources")


def test_more_than_a_few_calls_are_folded_into_one_line_that_names_troubles():
    wanted = [call(n, "fetch", url=f"https://example.org/{n}") for n in range(5)]
    journal = Journal().model("", wanted)
    for n, one in enumerate(wanted):
        journal.intend(one).finish(one, "x", "error" if n == 2 else "ok")
    group = soup_of(run_html(journal.model("so").add(RunEnded("done")).run())).select_one(".sb-group > summary")
    assert group.text == "5 calls · fetch ×5 · 1 error"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (paused(), ["r3 waits for your decision", "write_file path='report.md'", "%agent approve r3.2 or"]),
        (failed(), ["r3 failed", "The server closed the connection.", "Agent runtimes lose", "%agent resume r3"]),
        (interrupted(), ["r3 was interrupted", "nfinished", "lose work in **three", "%agent resume r3"]),
    ],
)
def test_endings_say_what_happened_and_how_to_go_on(run, words):
    for said in (stripped(run_html(run, texts)), run_text(run)):
        for word in words:
            assert word in said


def test_a_call_in_doubt_is_named():
    wanted = call(1, "send_mail", to="a@example.org")
    run = Journal().model("", [wanted]).intend(wanted, "write").add(RunPaused("in_doubt", "")).run()
    text = stripped(run_html(run))
    assert "may or may not have happened" in text
    assert "send_mail to='a@example.org'" in text
    assert "in doubt" in text
    assert "%agent settle r3.2 retry, %agent settle r3.2 happened or %agent settle r3.2 skip" in run_text(run)


def test_several_calls_that_wait_are_all_named_with_their_lines():
    wanted = [call(n, "send_mail", to=f"{n}@example.org") for n in range(7)]
    journal = Journal().model("", wanted)
    for one in wanted:
        journal.add(ApprovalAsked("approval", one, "write", "why"))
    run = journal.add(RunPaused("approval", "send_mail waits for an approval")).run()
    for said in (stripped(run_html(run)), run_text(run)):
        assert "send_mail to='1@example.org'" in said
        assert "%agent reject r3.3" in said
        assert "and 2 more" in said
        assert "%agent approve r3 --all or %agent reject r3 --all" in said
    mixed = journal.intend(wanted[0], "write").add(RunPaused("in_doubt", "")).run()
    assert "To go on: %agent settle r3.2 retry, " in run_text(mixed)


def test_a_run_at_work_ends_with_no_card_whatever_its_calls_do():
    send = call(1, "send_mail", to="a@example.org")
    for journal in (
        Journal().model("", [send]).add(ApprovalAsked("approval", send, "write", "why")),
        Journal().model("", [send]).intend(send, "write"),
    ):
        assert ending(journal.run()) is None
        assert "%agent" not in run_text(journal.run())


def test_a_call_whose_question_is_open_is_not_drawn_as_one_that_runs():
    look, send, mail = call(1, "look"), call(2, "send"), call(3, "mail")
    doubt = Journal().model("", [send]).intend(send, "write").add(ApprovalAsked("in_doubt", send, "write", "why"))
    run = doubt.run()
    assert call_state(run.calls[0], run) == ("?", "in doubt")
    assert activity(run) == "r3 · waits for your decision on send"
    run = doubt.add(ApprovalDecided("in_doubt", send.id, "retry", "card")).run()
    assert call_state(run.calls[0], run) == ("…", "running")
    parallel = Journal().model("", [look, mail]).intend(look).add(ApprovalAsked("approval", mail, "write", "why"))
    assert activity(parallel.run()) == "r3 · waits for your decision on mail", "not what runs beside the question"


def test_a_run_that_a_dead_kernel_left_open_is_not_drawn_as_one_that_works():
    look, send = call(1, "look"), call(1, "send_mail", to="a@example.org")
    run = abandoned(Journal().model("", [look]).intend(look, "read").run(), "")
    text = run_text(run)
    assert "r3 was cut off\nAfter 1 finished step, with look (r3.2) in doubt." in text
    assert "To go on: %agent resume r3" in text
    assert 'class="sb-live"' not in run_html(run)
    html = stripped(run_html(abandoned(Journal().model("", [send]).intend(send, "write").run(), "Half of")))
    assert "Half of" in html
    assert "%agent settle r3.2 happened" in html


@pytest.mark.parametrize("reason", ["steps", "tokens", "seconds"])
def test_limits_pause_calmly(reason):
    run = Journal().model("so far").add(RunPaused(reason, "20 of 20")).run()
    assert "has reached its limit" in run_text(run)
    assert "20 of 20" in run_text(run)


@pytest.mark.parametrize("reason", get_args(PauseReason))
def test_every_pause_says_what_it_waits_for_and_how_to_go_on(reason):
    text = run_text(Journal().model("so far").add(RunPaused(reason, "more is known")).run())
    assert re.search(r"r3 (waits|has reached|is paused by)", text)
    assert "%agent resume r3" in text


def test_footers():
    run = done()
    run.worked = 12.3
    assert footer(run) == "12.3s · 60.0K in (50.8K cached) / 1.6K out · $0.0842 · 9 steps · #12"
    run.replayed = True
    assert re.fullmatch(r"replayed from r3 · 0 tokens · recorded 2026-11-\d\d \d\d:\d\d", footer(run))
    plain = Journal().model("Hello.", usage=Usage(900, 0, 45), dollars=0.0).add(RunEnded("done")).run()
    assert footer(plain) == "1.2s · 900 in / 45 out · 1 step"
    offline = Journal().stopped("").add(RunEnded("interrupted")).run()
    assert footer(offline) == "0 tokens · 0 steps"


def test_a_price_is_shown_as_far_as_it_is_known():
    unknown = Journal().model("Hello.", usage=Usage(900, 0, 45), dollars=None).add(RunEnded("done"))
    assert footer(unknown.run()) == "1.2s · 900 in / 45 out · price unknown · 1 step"
    partly = Journal().stopped("Half").model("Whole.", usage=Usage(900, 0, 45), dollars=0.0842).add(RunEnded("done"))
    assert footer(partly.run()) == "1.2s · 900 in / 45 out · $0.0842+ · 1 step"


def test_a_step_tells_what_it_took():
    entries = done()
    assert "r3.1 openai:gpt-5 → 1 call ✓ 1.2s · 15.0K in (12.7K cached) / 400 out · $0.0210" in run_text(
        entries, verbose=True
    )
    html = run_html(entries)
    assert 'title="15.0K in (12.7K cached) / 400 out · $0.0210"' in html
    assert "asking for it: 15.0K in (12.7K cached) / 400 out · <span>$</span>0.0210" in html


def test_money_is_short_and_never_rounded_to_nothing():
    assert [money(dollars) for dollars in (0, 0.00001, 0.0842, 0.99996, 1.234, 1234.5)] == [
        *("", "<$0.0001", "$0.0842", "$1.00", "$1.23", "$1,234.50"),
    ]
    assert [exact(dollars) for dollars in (0.5, 0.0005, 5, 1.005)] == ["$0.50", "$0.0005", "$5.00", "$1.005"]
    assert [str(cost) for cost in (Cost(), Cost(0.5), Cost(0.5, 1), Cost(0, 2))] == ["", "$0.5000", "$0.5000+", ""]


def test_quantities_are_short():
    assert [duration(s) for s in (0, 0.014, 1, 59.4, 59.97, 125, 3725)] == [
        *("0.00s", "0.01s", "1.0s", "59.4s", "1m 00s", "2m 05s", "1h 02m"),
    ]
    assert [amount(n) for n in (0, 999, 1000, 45_230, 999_940, 999_950, 2_000_000)] == [
        *("0", "999", "1.0K", "45.2K", "999.9K", "1.0M", "2.0M"),
    ]


def test_text_twin_has_marks_sources_and_steps_only_when_wished():
    text = run_text(done())
    assert "in doubt [1]." in text
    assert "content [2][1]." in text
    assert "# [S3.7] is not a citation here" in text
    assert f"[2] {SAVER.title} ({SAVER.path} · {SAVER.place})" in text
    assert "r3.4" not in text
    assert "r3.4 read_source source='briefs/03-durable.md' ✓ 0.01s" in run_text(done(), verbose=True)


def test_saved_text_has_nothing_that_changes_between_executions():
    fresh, slow = done(), done()
    slow.worked, slow.replayed, slow.checkpoint = 99.0, True, 77
    slow.notes.append("the store was slow")
    assert run_text(fresh, volatile=False) == run_text(slow, volatile=False)
    long = run_text(done(ANSWER * 30), volatile=False, limit=8000)
    assert len(long) < 9000
    assert "%agent show r3" in long


def test_a_mark_from_an_earlier_run_is_numbered_once_the_session_knows_it():
    earlier = replace(DURABLE, document=8, ordinal=1)
    run = Journal().model("As said [S8.1].").add(RunEnded("done", "", (earlier,))).run()
    assert "[1] Durable execution, in brief" in run_text(run)
    assert "[?]" not in run_html(run)


def drawing(*digests):
    wanted = call(1, "python", code="plt.plot(x)")
    journal = Journal().model(calls=[wanted]).intend(wanted, "write")
    result = ToolResult(wanted.id, wanted.name, "[figure 1: image/png]", "ok", digests)
    return journal.add(ToolFinished(result, 0.01)).model("Drawn.").add(RunEnded("done")).run()


def test_figures_that_tools_drew_are_shown_and_named():
    kept = {"aa": ArtifactData(b"\x89PNG...", "image/png"), "bb": ArtifactData(b"{}", "application/json")}
    image = soup_of(run_html(drawing("aa", "bb", "gone"), None, kept.get)).select(".sb-figures img")
    assert [tag["src"] for tag in image] == ["data:image/png;base64,iVBORy4uLg=="]
    assert image[0]["alt"] == "figure 1 of python, r3.2"


def test_a_picture_that_can_carry_a_script_or_is_huge_is_not_drawn():
    kept = {
        "svg": ArtifactData(b"<svg onload=alert(1)/>", "image/svg+xml"),
        "big": ArtifactData(b"\x89PNG" + bytes(LARGEST_FIGURE), "image/png"),
    }
    assert "<img" not in run_html(drawing("svg", "big"), None, kept.get)


def test_lists_and_sheets_keep_prices_and_markup_as_text():
    sheet = soup_of(Sheet("From $5 to $10", (("<b>", "$5 <script>x</script>"),))._repr_html_())
    assert "$5 <script>x</script>" in sheet.get_text()
    assert not sheet.find("script")
    assert all(node.parent.name == "span" for node in sheet.find_all(string=re.compile(r"\$")))
    table = soup_of(listing(pd.DataFrame({"text": ["$5 and $10", "<script>x</script>"]}))._repr_html_()).table
    assert "mathjax_ignore" in table["class"]
    assert not table.find("script")


def test_a_pause_names_the_lines_that_go_on_once():
    raised = "$0.0600 spent by this session, the budget is $0.05; `%agent limits session --budget 0.10` raises it"
    text = run_text(Journal().model("so far").add(RunPaused("dollars", raised)).run())
    assert "the budget is $0.05\nTo go on: %agent limits session --budget 0.10, then %agent resume r3" in text
    unpriced = "what it costs is not known; limit its tokens: `%agent resume r3 --max-tokens 100000`"
    html = run_html(Journal().model("so far").add(RunPaused("dollars", unpriced)).run())
    assert "<p>What it costs is not known; limit its tokens</p>" in html
    assert "<p>To go on, run <code>%agent resume r3 --max-tokens 100000</code></p>" in html


def test_an_answer_that_was_thrown_away_unfolds_under_why():
    broken = Journal().stopped("Half of **it", error="The connection broke off. Ask again.").model("All of it.")
    soup = soup_of(run_html(broken.add(RunEnded("done")).run()))
    fold = soup.find("details")
    assert fold.summary.get_text() == "✗ The connection broke off. Asked again."
    assert fold.pre.get_text() == "Half of **it"
    misfit = Journal().model("[]").add(AnswerRejected("it is no object."), 1).model("{}").add(RunEnded("done")).run()
    assert "✗ Not in the form that was asked for: it is no object. Asked again." in stripped(run_html(misfit))


def test_what_can_be_typed_is_marked_as_code_and_stays_text():
    hint = soup_of(Sheet("T", (), "`%agent cost <b>` shows it; $5 stays.")._repr_html_())
    assert hint.code.get_text() == "%agent cost <b>"
    assert not hint.p.find_next_sibling("p").find("b")
    odd = Sheet("T", (), "a ` alone")._repr_html_()
    assert "a ` alone" in odd


def test_an_empty_column_is_not_drawn_and_stays_in_the_frame():
    frame = listing(pd.DataFrame({"run": ["r1"], "label": [""], "started": ["2026-11-23 06:20:10"]}))
    table = soup_of(frame._repr_html_()).table
    assert [cell.get_text() for cell in table.find_all("th")] == ["run", "started"]
    assert "nowrap" in table.find_all("td")[1]["style"]
    assert list(frame.columns) == ["run", "label", "started"]
