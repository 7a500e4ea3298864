"""What a person sees in a cell when the model's server fails in each way, and that the next cell works."""

from __future__ import annotations

import asyncio

import pytest
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.run import patience
from statebook.run.asking import draft, step

pytestmark = pytest.mark.slow

SILENCE = 0.4
"""Seconds after which the model of these tests gives a server up; ten minutes where nobody says otherwise."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch) -> None:
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        await really(seconds if seconds == draft._PULSE else min(seconds, 0.01))

    monkeypatch.setattr(step.asyncio, "sleep", sleep)
    monkeypatch.setattr(patience, "_FIRST", 0.2)


class Api:
    """One API's bytes."""

    def __init__(self, name: str, wire) -> None:
        self.name, self.wire = name, wire

    def delta(self, text: str) -> dict:
        if self.name == "chat":
            return {"choices": [{"index": 0, "delta": {"content": text}}]}
        return {"type": "response.output_text.delta", "delta": text}

    def says(self, text: str):
        if self.name == "chat":
            return self.wire.chat(self.delta(text), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        ended = {"type": "response.completed", "response": {"id": "r", "output": [], "usage": {}}}
        return self.wire.stream(self.delta(text), ended)

    def half(self, then: str):
        """Some text, and half of the next event."""
        event = self.wire.sse(self.delta("Hello"))
        return self.wire.Reply([event, event[: len(event) // 2]], then=then)

    def stream(self, *events: dict, then: str):
        return self.wire.Reply([self.wire.sse(event) for event in events], then=then)


NAMES = ["hangs before its answer", "hangs in the middle", "hangs in half an event", "resets",
         "closes after half an event", "cuts its body off", "429 without a time", "429 for an hour", "429 for ever",
         "429 with nonsense", "500", "500 with a page", "garbage", "bytes", "a web page", "nothing"]  # fmt: skip

STREAMED = ("hangs in the middle", "closes after half an event", "garbage")
"""What the two APIs read with code of their own; the rest is tried over one of them, turn by turn."""

CASES = [(("responses", "chat")[place % 2], name) for place, name in enumerate(NAMES) if name not in STREAMED]
CASES += [(kind, name) for kind in ("responses", "chat") for name in STREAMED]


def replies(api: Api) -> dict:
    """What a server does; how often it is asked; what the one line says."""
    wire = api.wire
    page = wire.Reply([b"<html><body>Sign in</body></html>"], media_type="text/html")
    return {
        "hangs before its answer": (wire.Reply([], then="wait"), 3, "did not answer in time. Ask again"),
        "hangs in the middle": (api.stream(api.delta("Hello"), then="wait"), 3, "did not answer in time"),
        "hangs in half an event": (api.half("wait"), 3, "did not answer in time"),
        "resets": (api.stream(api.delta("Hello"), then="reset"), 3, "broke off. Ask again."),
        "closes after half an event": (api.half("end"), 3, "broke off before its end. Ask again"),
        "cuts its body off": (api.half("cut"), 3, "broke off. Ask again."),
        "429 without a time": (wire.error(429, "slow down"), 3, "slow down"),
        "429 for an hour": (wire.error(429, "slow down", Retry_After="3600"), 1, "60 minutes"),
        "429 for ever": (wire.error(429, "slow down", Retry_After="99999999999"), 1, "slow down"),
        "429 with nonsense": (wire.error(429, "slow down", Retry_After="tomorrow"), 3, "slow down"),
        "500": (wire.error(500, "boom"), 3, "has a fault of its own"),
        "500 with a page": (wire.Reply([b"<html>oops</html>"], 500, "text/html"), 3, "has a fault of its own"),
        "garbage": (wire.Reply([b"data: \xff\xfe{{{{\n\n"]), 3, "something that is not JSON. Ask again"),
        "bytes": (wire.Reply([bytes(range(256)) * 20]), 3, "something that is not JSON. Ask again"),
        "a web page": (page, 1, "check the base URL"),
        "nothing": (wire.Reply([]), 3, "Ask again."),
    }


@pytest.fixture
def notebook(ipython, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEBOOK_NOTEBOOK", str(tmp_path / "book.ipynb"))
    ipython.run_line_magic("load_ext", "statebook")
    yield ipython
    ipython.run_line_magic("unload_ext", "statebook")


@pytest.fixture
def cell(notebook, capsys):
    """Runs a cell; what it showed."""

    def run(code: str) -> str:
        notebook.run_cell(code)
        return "".join(capsys.readouterr())

    return run


def test_every_reply_is_tried(wire):
    assert list(replies(Api("chat", wire))) == NAMES


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_a_cell_says_in_one_line_what_the_server_did(notebook, cell, server, wire, case):
    kind, name = case
    api = Api(kind, wire)
    reply, tries, words = replies(api)[name]
    session = notebook._statebook.magics.session()
    session.use(OpenAIModel("m", Endpoint(server.url, ""), Service(dialect=kind), timeout=SILENCE))
    server.play(*[reply] * tries, api.says("Yes."), api.says("And on."))

    shown = cell("%%agent\nFirst?")
    line = next(each for each in shown.splitlines() if each.startswith("RunFailed: "))
    assert words.lower() in line.lower()
    assert line.count("`%agent resume r1`") == 1
    assert "Traceback" not in shown
    assert len(server.bodies) == tries
    if "Hello" in str(reply.chunks) or name.startswith(("hangs in", "resets")):
        assert "Hello" in shown  # what had arrived is not taken away

    assert "Yes." in cell("%agent resume")
    assert "And on." in cell("%%agent\nSecond?")
    failures = session.store.sql("SELECT count(*) AS n FROM events WHERE kind = 'model_failed'").n[0]
    assert (failures, session.store.open_runs(), session.store.verify().whole) == (tries, [], True)


@pytest.mark.parametrize("kind", ["responses", "chat"])
def test_a_slow_drip_is_no_silence(notebook, cell, server, wire, kind):
    api = Api(kind, wire)
    words = [api.wire.sse(api.delta(f"w{n} ")) for n in range(6)]
    ended = api.says("end").chunks[1:]
    session = notebook._statebook.magics.session()
    session.use(OpenAIModel("m", Endpoint(server.url, ""), Service(dialect=kind), timeout=SILENCE))
    server.play(wire.Reply([*words, *ended], pause=SILENCE / 2))
    assert "w0 w1 w2 w3 w4 w5" in cell("%%agent\nFirst?")
