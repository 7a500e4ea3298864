"""What does not fit any more: an outline by rules in its place, files that leave, estimates corrected by counts."""

import itertools

import pytest
from statebook.context.files import KEPT, LEFT, leaving
from statebook.protocol.calls import AgentCall, Attachment
from statebook.protocol.journal.codec import canonical, digest, to_json
from statebook.protocol.messages import File, Text
from statebook.protocol.models import Usage
from statebook.protocol.tools import ArtifactData
from statebook.testing import call, say

SAID = "The boat sank in 1912 [S1.2]. It was red. " + "Nobody knows why it went down so fast. " * 12
FILLER = (Attachment("filler", "many words " * 500),)
ROOM = 9_000


def texts(request):
    return [canonical(to_json(message)) for message in request.messages]


def files_in(request):
    return [part.name for message in request.messages for part in message.parts if isinstance(part, File)]


def picture(number, size=50):
    """An attachment with a file of its own."""
    data = b"\x89PNG\r\n\x1a\n" + number.to_bytes(4, "big") * size
    file = File(digest(data), "image/png", f"p{number}.png")
    return {
        "attachments": (Attachment(f"p{number}", "A picture.", file),),
        "artifacts": (ArtifactData(data, "image/png"),),
    }


@pytest.fixture
def long_session(session_of, go):
    """A session of 14 long answers in a small room, some of which no longer fit."""
    session = session_of(*[say(SAID) for _ in range(14)], context_tokens=ROOM)
    for n in range(14):
        go(session.ask(f"Question {n}?", tools=(), attachments=FILLER))
    return session


def test_runs_that_left_are_outlined_at_the_front(long_session):
    last = long_session.model.requests[-1]
    assert last.messages[0].role == "user"
    assert "older part of this conversation (r1 to r" in last.messages[0].text
    outline = last.messages[1].text
    assert "r4 asked: Question 3?\nAnswer: The boat sank in 1912 [S1.2]. It was red." in outline
    assert "(3 older runs, r1 to r3, not shown.)" in outline
    assert "Question 13?" not in outline
    assert len(outline) < ROOM


def test_roles_alternate_with_an_outline_too(long_session):
    for request in long_session.model.requests:
        roles = [message.role for message in request.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_the_outline_stays_the_same_between_two_cuts(long_session):
    requests = long_session.model.requests
    fronts = [texts(request)[:2] for request in requests]
    changes = sum(one != other for one, other in itertools.pairwise(fronts))
    assert 1 <= changes <= 5
    for earlier, later in itertools.pairwise(requests):
        if texts(later)[:2] == texts(earlier)[:2]:
            assert texts(later)[: len(texts(earlier))] == texts(earlier)


def test_the_outline_is_the_same_in_another_kernel(long_session):
    before = long_session.session.preview(AgentCall("More?", tools=()))
    long_session.restart()
    after = long_session.session.preview(AgentCall("More?", tools=()))
    assert before.digest == after.digest
    assert before.notes == after.notes
    assert "did not fit any more: an outline stands in their place" in " ".join(after.notes)


def test_every_request_stays_within_the_room(long_session):
    for number in range(1, 15):
        assert all(record.estimate <= ROOM * 0.8 for record in long_session.session.run(number).models)


def test_an_outline_tells_facts_effects_and_missing_answers(session_of, go):
    steps = [
        call("remember", {"text": "The red boat sank in 1912.", "tags": [], "mark": ""}, "send", {"word": "a"}),
        say("# Done\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nIt is kept. " + "And more words follow here. " * 30),
        *[say("ok") for _ in range(7)],
    ]
    session = session_of(*steps, context_tokens=ROOM)
    tools = ("remember", "send")
    go(session.ask("Keep it.", tools=tools))
    for n in range(7):
        go(session.ask(f"Question {n}?", tools=tools, attachments=FILLER))
    outline = session.model.requests[-1].messages[1].text
    assert "r1 asked: Keep it.\nAnswer: It is kept." in outline
    assert "Kept: The red boat sank in 1912." in outline
    assert "Did: send" in outline
    assert "|" not in outline


@pytest.mark.parametrize(
    ("count", "gone"), [(0, 0), (KEPT, 0), (KEPT + 1, LEFT), (KEPT + LEFT, LEFT), (KEPT + LEFT + 1, 2 * LEFT)]
)
def test_files_leave_in_large_steps(count, gone):
    assert leaving(count) == gone


def test_a_file_is_sent_with_its_bytes_and_survives_a_restart(session_of, go):
    session = session_of(say("One."), say("Two."))
    go(session.ask("Look", **picture(1)))
    session.restart()
    go(session.ask("Again"))
    for request in session.model.requests:
        assert files_in(request) == ["p1.png"]
        (data,) = request.files.values()
        assert data.startswith(b"\x89PNG")
    parts = session.model.requests[0].messages[0].parts
    assert [type(part) for part in parts] == [Text, File]


def test_a_damaged_file_becomes_a_note_and_the_run_goes_on(session_of, go):
    session = session_of(say("One."), say("Two."))
    go(session.ask("Look", **picture(1, size=100_000)))
    for path in session.store.artifacts.folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    go(session.ask("Again"))
    request = session.model.requests[-1]
    assert files_in(request) == []
    assert request.files == {}
    assert "[p1.png: missing or damaged in the session's store]" in request.messages[0].text


def test_of_many_files_the_newest_are_sent_and_the_prefix_seldom_changes(session_of, go):
    session = session_of(*[say("ok") for _ in range(16)])
    for n in range(16):
        go(session.ask(f"Look {n}", **picture(n)))
    requests = session.model.requests
    assert all(len(files_in(request)) <= KEPT for request in requests)
    assert files_in(requests[-1])[-1] == "p15.png"
    assert "[p0.png: an older file, no longer sent]" in requests[-1].messages[0].text
    kept = sum(texts(later)[: len(texts(one))] == texts(one) for one, later in itertools.pairwise(requests))
    assert kept == 13


def test_estimates_are_corrected_by_what_the_server_counted(session_of, go):
    session = session_of(*[say("ok", usage=Usage(input=3_000, output=1)) for _ in range(3)], tools=[])
    for n in range(3):
        go(session.ask(f"Question {n} " + "word " * 1_500, tools=()))
    first, second = (session.session.run(n).models[0] for n in (1, 2))
    window = session.session.preview(AgentCall("Next?", tools=()))
    ratios = sorted(3_000 / session.session.run(n).models[0].estimate for n in (1, 2, 3))
    assert window.calibration.calls == 3
    assert window.calibration.factor == round(max(ratios[1], 0.5), 2)
    assert window.tokens == round(window.estimated * window.calibration.factor)
    assert second.estimate > first.estimate  # what is recorded is not corrected
    assert session.session.preview(AgentCall("Next?", tools=())).digest == window.digest


def test_another_model_s_counts_correct_nothing(session_of, go):
    session = session_of(say("ok", usage=Usage(input=3_000, output=1)))
    go(session.ask("Question"))
    assert session.session.preview(AgentCall("Next?", model="offline:")).calibration.calls == 0


@pytest.mark.parametrize(("counted", "factor"), [(1, 0.5), (10**7, 2.0)])
def test_a_correction_is_bounded(session_of, go, counted, factor):
    session = session_of(say("ok", usage=Usage(input=counted, output=1)))
    go(session.ask("Question"))
    assert session.session.preview(AgentCall("Next?")).calibration.factor == factor


def test_verify_finds_a_file_of_a_prompt_that_is_gone(session_of, go):
    session = session_of(say("One."))
    go(session.ask("Look", **picture(1)))
    assert session.store.verify().whole
    session.store.database.write("DELETE FROM artifact WHERE name = ''")
    assert any("which is missing" in line for line in session.store.verify().damage)
