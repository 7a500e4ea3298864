"""Limits are hard: held against the bill of a real server, however a run was cut, stopped or resumed."""

import asyncio
import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import statebook
from statebook.errors import ModelError, RunFailed, RunPaused, StoreFull
from statebook.model.openai import OpenAIModel
from statebook.model.openai.service import Service
from statebook.model.openai.settings import Endpoint
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import Limits
from statebook.protocol.journal.codec import decode_event
from statebook.protocol.journal.events import ModelAnswered, ModelInterrupted
from statebook.protocol.messages import Message, Text, ToolCall
from statebook.protocol.models import Completion, Cost, Metered, Spent, TextDelta, Usage
from statebook.testing import TemporarySession, call, fail, hang, say

pytestmark = pytest.mark.slow  # stories of several runs

INPUT, OUTPUT = 5.0, 30.0
"""US dollars for a million tokens."""


class Biller:
    """A Responses server that counts tokens as words, obeys ``max_output_tokens``, and keeps the bill.

    It wants to say ``wanted`` words, or to call ``look`` with them as often as ``calls`` says, before it is done.
    """

    def __init__(self, wanted=40, calls=0):
        self.wanted, self.calls = wanted, calls
        self.bodies, self.bill, self.tokens = [], 0.0, 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def answer(self, body):
        self.bodies.append(body)
        sent = len(re.findall(r"\w+", json.dumps([body["input"], body.get("instructions", ""), body.get("tools", [])])))
        most = body.get("max_output_tokens") or 10**9
        said = min(self.wanted, most)
        self.tokens += sent + said
        self.bill += (sent * INPUT + said * OUTPUT) / 1e6
        words = " ".join(f"w{n}" for n in range(said))
        usage = {"input_tokens": sent, "output_tokens": said}
        if said < self.wanted:
            item = {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "content": [{"type": "output_text", "text": words}],
            }
            whole = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        elif len(self.bodies) <= self.calls:
            arguments = json.dumps({"word": words})
            item = {
                "type": "function_call",
                "id": "f",
                "call_id": f"c{len(self.bodies)}",
                "name": "look",
                "arguments": arguments,
            }
            whole = {"status": "completed"}
        else:
            item = {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "content": [{"type": "output_text", "text": words}],
            }
            whole = {"status": "completed"}
        kind = f"response.{whole['status']}"
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        yield {"type": kind, "response": {"id": "r", "output": [item], "usage": usage, **whole}}

    def _handler(biller):  # noqa: N805 - self is the request's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                events = list(biller.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                page = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                """Silent."""

        return Handler

    def model(self, *, known=True):
        def price(_provider, _model, usage, _url):
            return (usage.input * INPUT + usage.output * OUTPUT) / 1e6 if known else None

        return OpenAIModel("billed", Endpoint(self.url, ""), Service(dialect="responses", price=price))


@pytest.fixture
def billed(ledger):
    """Makes a server and a session whose model it is."""
    opened = []

    def make(known=True, **server):
        biller = Biller(**server)
        session = TemporarySession(model=biller.model(known=known), tools=ledger.tools())
        opened.append((biller, session))
        session.session.permissions.set(Rule("*", "allow"))
        return biller, session

    yield make
    for biller, session in opened:
        session.__exit__(None, None, None)
        biller.close()


def run_of(session, number=1):
    return session.store.run(number)


# -- the bill ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0.02, 0.0431])
def test_a_budget_is_never_exceeded_by_what_the_server_bills(billed, go, budget):
    biller, session = billed(wanted=60, calls=100)
    with pytest.raises(RunPaused, match=rf"the budget is \${budget}"):
        go(session.ask("Go", limits=Limits(dollars=budget)))
    assert 0 < biller.bill <= budget
    run = run_of(session)
    assert run.cost.dollars == pytest.approx(biller.bill)
    assert run.pause.reason == "dollars"
    assert f"`%agent resume r1 --budget {2 * budget:g}` raises it" in run.pause.detail


@pytest.mark.parametrize("tokens", [3000, 9000])
def test_a_token_limit_is_never_exceeded_by_what_the_server_counts(billed, go, tokens):
    biller, session = billed(wanted=60, calls=100)
    with pytest.raises(RunPaused, match=f"the limit is {tokens}"):
        go(session.ask("Go", limits=Limits(tokens=tokens)))
    assert 0 < biller.tokens <= tokens
    assert run_of(session).usage.total == biller.tokens


def test_the_tighter_limit_counts(billed, go):
    _, session = billed(wanted=60, calls=100)
    with pytest.raises(RunPaused, match="budget"):
        go(session.ask("Go", limits=Limits(tokens=1_000_000, dollars=0.02)))
    with pytest.raises(RunPaused, match="tokens used"):
        go(session.ask("And", limits=Limits(tokens=3000, dollars=100)))
    assert run_of(session, 2).usage.total <= 3000


def test_an_answer_that_the_limit_cut_is_no_answer_and_is_asked_again(billed, go):
    biller, session = billed(wanted=1000)
    with pytest.raises(RunPaused, match="raises it"):
        go(session.ask("Go", limits=Limits(dollars=0.02)))
    run = run_of(session)
    assert (run.status, run.pause.reason, run.answer.split()[0]) == ("paused", "dollars", "w0")
    assert run.models[0].error == "limit"
    assert run.models[0].cost == Cost(pytest.approx(biller.bill))
    assert biller.bodies[0]["max_output_tokens"] < 1000
    done = go(session.resume(1, limits=Limits(dollars=1.0)))
    assert (done.status, len(done.answer.split())) == ("done", 1000)
    assert done.cost.dollars == pytest.approx(biller.bill)
    assert len(biller.bodies) == 2


def test_a_tool_call_that_the_limit_cut_is_not_made(session_of, go, ledger):
    class Cut:
        name, context_tokens = "cut:cut", 100_000

        def price(self, usage):
            return usage.output / 1e6

        async def stream(self, request):
            yield TextDelta("I look.")
            message = Message("assistant", (Text("I look."), ToolCall("c", "look", '{"word": "ha')))
            yield Completion(message, Usage(10, 0, request.max_output_tokens), "length")

    session = session_of(check=False)
    session.session.use(Cut())
    with pytest.raises(RunPaused, match="budget"):
        go(session.ask("Go", limits=Limits(dollars=0.0001)))
    assert ledger == []
    assert run_of(session).models[0].partial == "I look."


def test_an_answer_the_model_itself_cut_short_passes(billed, go):
    class Short:
        name, context_tokens = "short:short", 100_000

        def price(self, usage):
            return usage.output / 1e6

        async def stream(self, _request):
            yield Completion(Message("assistant", (Text("As far as I can."),)), Usage(10, 0, 50), "length")

    _, session = billed()
    session.session.use(Short())
    assert go(session.ask("Go", limits=Limits(tokens=100_000))).status == "done"


def test_a_reached_limit_stops_before_the_tools_too(session_of, go, ledger):
    session = session_of(call("look", {"word": "a"}, usage=Usage(5000, 0, 100)), check=False)
    with pytest.raises(RunPaused, match="5100 tokens used, the limit is 5000"):
        go(session.ask("Go", limits=Limits(tokens=5000)))
    assert ledger == []
    assert session.store.run(1).calls[0].result is None


# -- what is not known -------------------------------------------------------------------------------------------


def test_a_budget_without_a_price_asks_nothing_and_says_what_to_do(billed, go):
    biller, session = billed(known=False)
    with pytest.raises(RunPaused, match=r"openai:billed costs is not known.*\$0.50 can't hold.*--max-tokens"):
        go(session.ask("Go", limits=Limits(dollars=0.5)))
    assert biller.bodies == []
    run = go(session.resume(1, limits=Limits(tokens=50_000)))
    assert run.status == "done"
    assert run.notes == [
        "The budget does not see what openai:billed costs, as its price is not known; the token limit holds."
    ]
    assert run.cost == Cost(unknown=1)


def test_a_server_that_counts_nothing_does_not_slip_through(session_of, go):
    looks = [call("look", {"word": "a"}) for _ in range(3)]
    session = session_of(*looks, check=False)
    session.model.prices = (INPUT, OUTPUT)
    with pytest.raises(RunPaused, match="costs is not known"):
        go(session.ask("Go", limits=Limits(dollars=5.0)))
    assert len(session.model.requests) == 1
    run = session.store.run(1)
    assert run.models[0].cost == Cost(unknown=1)
    with pytest.raises(RunPaused, match="tokens used"):  # our own estimate of what was sent counts
        go(session.ask("Again", limits=Limits(tokens=run.models[0].estimate * 2 + 200)))
    assert session.store.run(2).weight >= run.models[0].estimate


def test_a_call_stopped_without_a_count_costs_what_nobody_knows(session_of, go):
    session = session_of(hang("Half of "), check=False)
    session.model.prices = (INPUT, OUTPUT)

    async def stop():
        task = asyncio.create_task(session.ask("Go"))
        while not (session.session.latest and session.session.run(1).draft):  # noqa: ASYNC110 - it is in a file
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    go(stop())
    assert session.store.run(1).cost == Cost(unknown=1)
    assert session.store.spent().cost == Cost(unknown=1)


def test_a_budget_says_which_calls_it_does_not_see(session_of, go):
    whole = say("Whole.", usage=Usage(100, 0, 10))
    session = session_of(hang("Half of "), whole)
    session.model.prices = (INPUT, OUTPUT)
    with pytest.raises(RunPaused, match="time limit"):
        go(session.ask("Go", limits=Limits(seconds=0.2)))
    session.session.spending.set("session", Limits(dollars=1.0))
    run = go(session.resume(1, limits=Limits(seconds=30)))
    assert run.notes == ["The budget does not see 1 call of this session whose cost is not known."]


def test_a_call_that_costs_nothing_is_free_even_when_it_is_stopped(session_of, go):
    session = session_of(hang("Half of "), check=False)
    session.model.prices = (0.0, 0.0)
    with pytest.raises(RunPaused):
        go(session.ask("Go", limits=Limits(seconds=0.2)))
    assert session.store.run(1).cost == Cost()


def test_a_kernel_that_died_between_request_and_answer_leaves_an_unknown_cost(session_of, go, monkeypatch):
    whole = say("Whole.", usage=Usage(100, 0, 10))
    session = session_of(whole, whole, check=False)
    session.model.prices = (INPUT, OUTPUT)
    commit = session.store.commit

    def dies(events, **more):
        if any(isinstance(event, ModelAnswered) for _, event in events):
            raise StoreFull("The disk is full.")
        return commit(events, **more)

    monkeypatch.setattr(session.store, "commit", dies)
    with pytest.raises(StoreFull):
        go(session.ask("Go"))
    sent = session.store.run(1).models[0].estimate
    assert session.store.run(1).cost == Cost(unknown=1)
    assert session.store.spent() == Spent(sent, sent, cost=Cost(unknown=1))
    session.restart()
    done = go(session.resume(1))
    assert done.cost == Cost(pytest.approx(0.0008), 1)
    assert session.store.spent() == Spent(sent + 110, sent, cost=Cost(pytest.approx(0.0008), 1))


@pytest.mark.parametrize(
    ("fault", "text", "unknown"),
    [
        ("rate_limited", "", 0),
        ("refused_key", "", 0),
        ("truncated", "", 1),
        ("timeout", "", 1),
        ("overloaded", "So", 1),
    ],
)
def test_only_what_a_server_took_on_may_have_cost_something(session_of, go, fault, text, unknown):
    session = session_of(fail(ModelError("It failed.", fault=fault), text=text), check=False)
    session.model.prices = (INPUT, OUTPUT)
    with pytest.raises(RunFailed):
        go(session.ask("Go"))
    assert session.store.run(1).cost == Cost(unknown=unknown)
    assert session.store.spent().cost == Cost(unknown=unknown)


# -- answers that are thrown away --------------------------------------------------------------------------------


class Twice:
    """Throws its first answer away, then answers, fails or hangs."""

    name, context_tokens = "twice:twice", 100_000

    def __init__(self, ending):
        self.ending = ending

    def price(self, usage):
        return (usage.input * INPUT + usage.output * OUTPUT) / 1e6

    async def stream(self, _request):
        yield Metered(Usage(1000, 0, 10))
        yield Metered(Usage(1000, 0, 100), discarded=True)
        yield Metered(Usage(2000, 0, 5))  # of the second answer so far
        if self.ending == "fails":
            raise ModelError("No.", fault="server_fault")
        if self.ending == "hangs":
            await asyncio.sleep(60)
        yield Completion(Message("assistant", (Text("Well."),)), Usage(2000, 0, 50), dollars=0.5)


@pytest.mark.parametrize(
    ("ending", "usage", "dollars"),
    [
        ("answers", Usage(3000, 0, 150), 0.008 + 0.5),
        ("fails", Usage(3000, 0, 105), 0.008 + 0.01015),
        ("hangs", Usage(3000, 0, 105), 0.008 + 0.01015),
    ],
)
def test_a_thrown_away_answer_is_counted_with_the_one_that_follows(session_of, go, ending, usage, dollars):
    session = session_of(check=False)
    session.session.use(Twice(ending))
    with suppress(RunFailed, RunPaused):  # how it ends is not what is asked here
        go(session.ask("Go", limits=Limits(seconds=0.3)))
    record = session.store.run(1).models[0]
    assert (record.usage, record.dollars) == (usage, pytest.approx(dollars))


def test_the_files_view_and_the_record_agree(session_of, go):
    @statebook.tool(effect="read")
    async def nothing() -> None:
        """Nothing."""

    session = session_of(
        call("nothing", {}, usage=Usage(1000, 400, 20, 5, 100)),
        say("ok", usage=Usage(2000, 900, 30)),
        tools=[nothing],
    )
    session.model.prices = (INPUT, OUTPUT)
    run = go(session.ask("Go"))
    frame = session.store.sql("SELECT * FROM spend ORDER BY step")
    assert frame.dollars.sum() == pytest.approx(run.cost.dollars)
    assert frame.written_tokens.tolist() == [100, 0]
    assert session.store.spent() == Spent(run.weight, cost=Cost(pytest.approx(run.cost.dollars)))
    row = session.store.sql("SELECT dollars, unpriced_calls, input_tokens FROM runs").iloc[0]
    assert (row.dollars, row.unpriced_calls, row.input_tokens) == (pytest.approx(run.cost.dollars), 0, 3000)


def test_what_was_counted_for_a_failed_and_a_stopped_call_is_in_the_views(session_of, go):
    session = session_of(check=False)
    session.session.use(Twice("fails"))
    with pytest.raises(RunFailed, match="No"):
        go(session.ask("Go"))
    assert session.store.sql("SELECT status, input_tokens, dollars FROM spend").to_numpy().tolist() == [
        ["failed", 3000, pytest.approx(0.01815)]
    ]


def test_an_interrupted_event_of_an_older_version_reads_as_unknown():
    assert decode_event("model_interrupted", '{"partial": "x", "why": "interrupt"}') == ModelInterrupted(
        "x", "interrupt"
    )


def test_a_price_that_fails_never_harms_the_answer(session_of, go):
    session = session_of(say("ok", usage=Usage(10, 0, 1)))

    def broken(_usage):
        raise RuntimeError("no table")

    session.model.price = broken
    run = go(session.ask("Go"))
    assert (run.status, run.cost) == ("done", Cost(unknown=1))


@pytest.mark.parametrize("dollars", [-1.0, float("nan"), float("inf")])
def test_an_amount_that_is_none_is_not_known(session_of, go, dollars):
    class Strange(Twice):
        def price(self, _usage):
            return dollars

        async def stream(self, _request):
            yield Completion(Message("assistant", (Text("Well."),)), Usage(20, 0, 5), dollars=dollars)

    session = session_of(check=False)
    session.session.use(Strange(""))
    run = go(session.ask("Go"))
    assert (run.status, run.cost) == ("done", Cost(unknown=1))
    assert session.store.spent() == Spent(25, cost=Cost(unknown=1))
