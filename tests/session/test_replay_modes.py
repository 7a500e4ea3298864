"""How far the journal may answer: ``off`` always asks, ``only`` never does and says which cell differs in what."""

import asyncio
import json
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import statebook
from statebook.errors import ModelError, NotRecorded, RunFailed, UsageError
from statebook.protocol.calls import AnswerForm, Attachment
from statebook.testing import ScriptedModel, TemporarySession, call, fail, say

pytestmark = pytest.mark.slow  # stories of several runs


def ask(session, prompt, cell="", **fields):
    run = asyncio.run(session.ask(prompt, cell_id=cell, **fields))
    return run.answer, run.replayed


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch):
    """No key of any provider, whatever this machine has."""
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def recorded(tmp_path):
    """A folder in which two cells were recorded, with a model that isn't there any more."""
    with TemporarySession(model=ScriptedModel([say("One."), say("Two.")], "gone:big"), folder=tmp_path) as session:
        ask(session, "First question", "a", model="gone:big")
        ask(session, "Second question, about cheese\nand more", "b")
    return tmp_path


@pytest.fixture
def again(recorded):
    """The same session in a kernel that has neither the model nor a key."""
    with TemporarySession(model="", folder=recorded) as session:
        yield session


def test_off_asks_again_and_the_old_answer_stays_on_its_branch():
    with TemporarySession(model=ScriptedModel([say("One."), say("Two."), say("Three.")])) as session:
        ask(session, "Hi", "a")
        assert ask(session, "Hi", "a", replay="off") == ("Two.", False)
        assert ask(session, "Hi", "a") == ("Two.", True)
        assert ask(session, "Hi", "a", replay="off", branch="main") == ("Three.", False)
        assert [line.name for line in session.store.journal.branches.values()] == ["main", "main-2", "main-3"]
        assert ask(session, "Hi", "a", branch="main") == ("One.", True)


def test_off_goes_on_with_what_has_no_answer_yet():
    with TemporarySession(model=ScriptedModel([fail(ModelError("no")), say("One.")])) as session:
        with pytest.raises(RunFailed):
            ask(session, "Hi", "a", replay="off")
        assert ask(session, "Hi", "a", replay="off") == ("One.", False)
        assert session.store.run_numbers() == [1]


class Near(BaseHTTPRequestHandler):
    """Ollama on this machine, which is asked for its context too; ``asked`` are the paths."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self._answer("application/json", {"models": [{"name": "small", "context_length": 4096}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        said = {"choices": [{"index": 0, "delta": {"content": "One."}, "finish_reason": "stop"}]}
        self._answer("text/event-stream", said)

    def _answer(self, media_type, body):
        self.asked.append(self.path)
        data = json.dumps(body).encode()
        data = data if media_type == "application/json" else b"data: " + data + b"\n\ndata: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def near(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Near) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_address[1]}")
        Near.asked.clear()
        yield Near
        server.shutdown()
        thread.join(5)


def test_only_asks_a_server_nothing_at_all(tmp_path, near):
    with TemporarySession(model="ollama:small", folder=tmp_path) as session:
        assert ask(session, "Hi", "a") == ("One.", False)
        assert near.asked == ["/api/ps", "/v1/chat/completions"]
        near.asked.clear()
        assert ask(session, "Hi", "a", replay="only") == ("One.", True)
        for wanted in ({"model": "ollama:other"}, {"model": "ollama:other", "branch": "main"}, {"cell_id": "b"}):
            with pytest.raises(NotRecorded):
                ask(session, "Another question", **({"cell": wanted.pop("cell_id", "a")} | wanted), replay="only")
        session.session.configure(replace(session.session.settings, replay="only"))
        assert session.session.model("ollama:third").context_tokens > 4096
        assert near.asked == []


def test_only_needs_neither_provider_nor_key(again):
    assert ask(again, "First question", "a", model="gone:big", replay="only") == ("One.", True)
    assert ask(again, "Second question, about cheese\nand more", "b", replay="only") == ("Two.", True)


def test_the_setting_holds_where_the_cell_says_nothing(again):
    again.session.configure(replace(again.session.settings, replay="only"))
    with pytest.raises(NotRecorded):
        ask(again, "Something else", "z")
    assert ask(again, "First question", "a", model="gone:big") == ("One.", True)


def test_an_unavailable_provider_is_an_error_only_when_it_has_to_be_asked(again):
    assert ask(again, "First question", "a", model="gone:big") == ("One.", True)
    with pytest.raises(UsageError, match="No model provider named 'gone'"):
        ask(again, "First question?", "a", model="gone:big")
    with pytest.raises(UsageError, match="No model provider named 'gone'"):
        ask(again, "First question", "a", model="gone:big", fresh=True, branch="new")
    assert [line.name for line in again.store.journal.branches.values()] == ["main"]
    assert again.store.run_numbers() == [1, 2]


def test_what_the_machine_had_is_replayed_where_nothing_is_configured(again):
    run = asyncio.run(again.ask("Second question, about cheese\nand more", cell_id="b"))
    assert (run.answer, run.replayed) == ("Two.", True)
    assert "Recorded with gone:big; here it would be offline:research." in run.notes
    # a model that the cell itself named is not just any model
    assert ask(again, "First question", "a")[1] is False


def test_an_offline_answer_is_asked_anew_once_a_model_is_connected(tmp_path):
    with TemporarySession(model="", folder=tmp_path) as session:
        ask(session, "What do the sources say about cheese?", "a")
        session.restart(ScriptedModel([say("A real answer.")]))
        assert ask(session, "What do the sources say about cheese?", "a") == ("A real answer.", False)
        session.model = ""


def test_a_chosen_offline_model_is_no_fallback(recorded):
    with TemporarySession(model="offline:", folder=recorded) as session:
        assert ask(session, "Second question, about cheese\nand more", "b")[1] is False


def test_another_server_named_by_the_cell_is_asked_anew(tmp_path):
    one, other = "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"
    with TemporarySession(model=ScriptedModel([say("One."), say("Two.")]), folder=tmp_path) as session:
        assert ask(session, "Hi", "a", base_url=one) == ("One.", False)
        assert ask(session, "Hi", "a", base_url=f"{one}?key=secret") == ("One.", True)
        with pytest.raises(NotRecorded, match=f"the server, {one} then and {other} now"):
            ask(session, "Hi", "a", base_url=other, replay="only")
        with pytest.raises(NotRecorded, match=f"the server, {one} then and none named now"):
            ask(session, "Hi", "a", replay="only")
        assert ask(session, "Hi", "a", base_url=other) == ("Two.", False)
        assert ask(session, "Hi", "a", base_url=one, replay="only") == ("One.", True)


def test_fresh_and_only_contradict_each_other(again):
    with pytest.raises(UsageError, match="Use one of the two"):
        ask(again, "First question", "a", fresh=True, replay="only")


def test_only_starts_no_branch(again):
    with pytest.raises(NotRecorded, match="There is no branch 'side'"):
        ask(again, "First question", "a", model="gone:big", branch="side", replay="only")


HEX = AnswerForm("json", "Report", {"type": "object"}, "dataclass")


@pytest.mark.parametrize(
    ("prompt", "fields", "told"),
    [
        ("First questions", {}, ": the prompt."),
        ("First question", {"model": "gone:small"}, ": the model, gone:big then and gone:small now."),
        ("First question", {"temperature": 0.5}, ": the temperature, none then and 0.5 now."),
        ("First question", {"tools": ()}, " now."),
        ("First question", {"attachments": (Attachment("frame", "x"),)}, ": @frame, which it did not have."),
        ("First question", {"answer": HEX}, ": the form of the answer, markdown then and json Report now."),
        ("First questions", {"temperature": 1.0}, ": the prompt; the temperature, none then and 1 now."),
    ],
)
def test_only_says_which_cell_differs_in_what(again, prompt, fields, told):
    with pytest.raises(NotRecorded) as caught:
        ask(again, prompt, "a", replay="only", **{"model": "gone:big", **fields})
    assert str(caught.value).startswith(f"The cell {prompt!r} (id a) differs from what is recorded (r1)")
    assert told in caught.value.message
    assert "--replay auto" in caught.value.hint
    if "tools" in fields:
        assert ": the tools, " in caught.value.message
    assert again.store.run_numbers() == [1, 2]


def test_the_difference_of_a_prompt_stands_below_the_error(again):
    with pytest.raises(NotRecorded) as caught:
        ask(again, "Second question, about butter\nand more", "b", replay="only")
    lines = caught.value._render_traceback_()
    assert lines[0].startswith("NotRecorded: The cell 'Second question, about butter and more' (id b)")
    assert lines[1:] == [
        "--- recorded (r2)",
        "+++ now",
        "@@ -1,2 +1,2 @@",
        "-Second question, about cheese",
        "+Second question, about butter",
        " and more",
    ]


def test_an_attachment_that_changed_is_named(tmp_path):
    with TemporarySession(model=ScriptedModel([say("One.")]), folder=tmp_path) as session:
        ask(session, "Look at @frame", "a", attachments=(Attachment("frame", "3 rows"), Attachment("old", "x")))
        with pytest.raises(NotRecorded) as caught:
            ask(session, "Look at @frame", "a", replay="only", attachments=(Attachment("frame", "4 rows"),))
    assert ": @frame, whose content has changed; @old, which it no longer has." in caught.value.message


def test_without_ids_the_most_similar_recorded_cell_is_meant(recorded):
    with TemporarySession(model="", folder=recorded) as session:
        with pytest.raises(
            NotRecorded, match=r"\(number 1 of this kernel's %%agent cells\) differs .* \(r2\): the prompt"
        ):
            ask(session, "Second question, about butter\nand more", replay="only")
        with pytest.raises(NotRecorded, match="is not recorded, and under --replay only no model is asked"):
            ask(session, "Zzz 12345 @@@", replay="only")


def test_a_run_without_an_answer_is_not_gone_on_with(tmp_path):
    with TemporarySession(model=ScriptedModel([fail(ModelError("no"))]), folder=tmp_path) as session:
        with pytest.raises(RunFailed):
            ask(session, "Hi", "a")
        entries = session.store.journal.last_seq
        with pytest.raises(NotRecorded, match="r1 has no answer yet"):
            ask(session, "Hi", "a", replay="only")
        session.session.configure(replace(session.session.settings, replay="only"))
        with pytest.raises(NotRecorded, match="r1 has no answer yet"):
            asyncio.run(session.resume(1))
        assert session.store.journal.last_seq == entries


def test_a_tool_of_the_recorded_run_may_be_gone(tmp_path):
    @statebook.tool(effect="read")
    def look(word: str) -> str:
        """Look."""
        return word

    model = ScriptedModel([call("look", {"word": "a"}), say("One.")])
    with TemporarySession(model=model, folder=tmp_path, tools=[look]) as session:
        ask(session, "Hi", "a", tools=("look",))
        session.tools.clear()
        session.restart()
        assert ask(session, "Hi", "a", tools=("look",), replay="only") == ("One.", True)


def test_a_cell_keeps_its_key_when_fields_are_added():
    # keys are on disk: a notebook that was recorded by an older version must be found by a newer one
    from statebook.protocol.calls import AgentCall
    from statebook.session.replay.record import key_of

    plain = AgentCall(" What? ", attachments=(Attachment("a", "b"),), tools=("y", "x"), temperature=0.5)
    assert key_of(plain, "m:n") == "f357ce5e96ef5a5fea38d08aefaa17cc"
    assert key_of(replace(plain, answer=HEX), "m:n") != key_of(plain, "m:n")
