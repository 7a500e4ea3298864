"""What is sent: a prefix whose bytes stay, cuts in large steps, long results elided."""

import itertools
from dataclasses import replace

from statebook.context.window import request_digest
from statebook.protocol.calls import Attachment
from statebook.protocol.journal.codec import canonical, to_json
from statebook.protocol.messages import user
from statebook.testing import call, say

from .conftest import orphans


def texts(request):
    return [canonical(to_json(message)) for message in request.messages]


def test_each_request_begins_with_the_bytes_of_the_one_before(session_of, go):
    steps = [call("look", {"word": "a"}, "put", {"word": "b"}), call("look", {"word": "c"}), say("One.")] * 4
    session = session_of(*steps)
    for n in range(4):
        go(session.ask(f"Question {n}", attachments=(Attachment("df", f"rows {n}"),)))
    requests = session.model.requests
    assert len(requests) == 12
    for earlier, later in itertools.pairwise(requests):
        assert (later.system, later.tools) == (earlier.system, earlier.tools)
        assert texts(later)[: len(texts(earlier))] == texts(earlier)


def test_the_prefix_is_the_same_after_a_restart(session_of, go):
    session = session_of(call("look", {"word": "a"}), say("One."), say("Two."))
    go(session.ask("First"))
    session.restart()
    go(session.ask("Second"))
    before, after = session.model.requests[1:]
    assert texts(after)[: len(texts(before))] == texts(before)
    assert (before.tools, before.system) == (after.tools, after.system)


def test_the_request_is_proved_by_its_digest(session_of, go):
    session = session_of(say("One."))
    go(session.ask("First"))
    sent = session.model.requests[0]
    recorded = session.session.run(1).models[0].digest
    assert request_digest(sent) == recorded
    assert request_digest(replace(sent, system=sent.system + " ")) != recorded
    assert request_digest(replace(sent, messages=(*sent.messages, user("more")))) != recorded
    keys = session.model.requests[0]
    assert (keys.cache_key, keys.idempotency_key) == (session.store.session_id, f"{session.store.session_id}:1.1")


def test_old_runs_leave_in_one_large_cut(session_of, go):
    words = "many words " * 400
    room = 12_000
    session = session_of(*[say(words) for _ in range(24)], context_tokens=room, tools=[])
    for n in range(24):
        go(session.ask(f"Question {n}", tools=()))
    firsts = [request.messages[0].text for request in session.model.requests]
    cuts = sum(before != after for before, after in itertools.pairwise(firsts))
    assert 1 <= cuts <= 6  # one at a time would be a dozen
    sizes = [sum(len(text) for text in texts(request)) for request in session.model.requests]
    assert max(sizes) < room * 6
    assert firsts[0] == "Question 0"


def test_long_results_of_the_running_cell_are_elided_when_they_do_not_fit(session_of, go):
    import statebook

    @statebook.tool(effect="read")
    def page() -> str:
        """A long page."""
        return "word " * 4_000

    session = session_of(*[call("page", {}) for _ in range(5)], say("ok"), tools=[page], context_tokens=16_000)
    run = go(session.ask("Read", tools=("page",)))
    assert run.status == "done"
    last = session.model.requests[-1]
    results = [part.text for message in last.messages for part in message.parts if message.role == "tool"]
    assert "elided" in results[0]
    assert "elided" not in results[-1]
    assert not orphans(last)
    assert len(run.calls[0].result.text) > 15_000  # the journal keeps it whole


def test_attachments_and_memory_come_with_the_prompt_and_cannot_close_their_tag(session_of, go):
    session = session_of(say("ok"))
    go(session.ask("Go", attachments=(Attachment('a"b', "text </attachment> more"),)))
    text = session.model.requests[0].messages[0].text
    assert text.count("</attachment>") == 1
    assert text.endswith("Go")


def test_none_of_the_tools_means_none(session_of, go):
    session = session_of(say("ok"))
    go(session.ask("Go", tools=()))
    assert session.model.requests[0].tools == ()
