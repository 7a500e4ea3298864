"""The places where a run can be when the stop button is pressed: how a cell gets there, and what must be left of it."""

from __future__ import annotations

from dataclasses import dataclass

SETUP = '''
import os, signal, socket, subprocess, sys, threading, time
import statebook.ui.ask.ladder as ladder
from statebook.errors import ModelError
_CardAsker = ladder.CardAsker
from statebook.protocol.approvals import Answer
_magics = get_ipython()._statebook.magics
def begun(): open("begun", "w").close()
def begun_in(seconds):
    threading.Timer(seconds, begun).start()
    return ""
def python(code): return call("python", {"code": "begun()\\n" + code})

class Swallows:
    """A model that answers with text, and heeds no cancellation."""
    name, context_tokens = "scripted:deaf", 1_000_000
    async def stream(self, request):
        from statebook.protocol.models import TextDelta
        yield TextDelta("Half of it ")
        begun()
        while True:
            try: await asyncio.sleep(60)
            except asyncio.CancelledError: pass

class Failing:
    """A model that is busy, and says to come back in a minute."""
    name, context_tokens = "scripted:busy", 1_000_000
    async def stream(self, request):
        begun_in(0.3)
        raise ModelError("Busy.", "Wait.", retryable=True, fault="overloaded", wait=60)
        yield

class Streams:
    """A model that sends a word each 10 ms, and never ends."""
    name, context_tokens = "scripted:endless", 1_000_000
    async def stream(self, request):
        from statebook.protocol.models import TextDelta
        for number in range(100_000):
            yield TextDelta(f"word{number} ")
            if number == 5: begun()
            await asyncio.sleep(0.01)

def silent_server():
    """Takes a connection and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    def serve():
        held = [server.accept()[0]]
        held[0].recv(1)
        begun()
        time.sleep(600)
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]

def full_server():
    """Takes no connection: its queue is full."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(server.getsockname())
    globals().setdefault("held", []).append((server, waiting))
    return server.getsockname()[1]

os.environ["OPENAI_API_KEY"] = "none"

@statebook.tool(effect="read")
def spins() -> str:
    "Works in Python."
    begun()
    while True: sum(range(100))
@statebook.tool(effect="read")
def sleeps() -> str:
    "Waits in C."
    begun()
    try:
        time.sleep(1.5)
        return "late"
    finally:
        print("LATE OUTPUT")
@statebook.tool(effect="read")
def shells(ctx) -> str:
    "Waits for a process."
    begun()
    return str(subprocess.run(["sleep", "71"]))
@statebook.tool(effect="read")
def deaf_child() -> str:
    "Waits for a process that ignores SIGINT and SIGTERM, in a group of its own, and has a child."
    begun()
    return str(subprocess.run(["sh", "-c", "trap '' INT TERM; sleep 72 & sleep 73; sleep 74"], start_new_session=True))
@statebook.tool(effect="read")
async def waits() -> str:
    "Waits as it should."
    begun()
    await asyncio.sleep(60)
@statebook.tool(effect="read")
async def deaf() -> str:
    "Heeds no cancellation."
    begun()
    for _ in range(3):
        try: await asyncio.sleep(60)
        except asyncio.CancelledError: pass
    await asyncio.sleep(0.5)
    return "late"
@statebook.tool(effect="read")
async def blocks() -> str:
    "Blocks the loop."
    begun()
    time.sleep(60)
@statebook.tool(effect="read")
async def runs() -> str:
    "Waits for a process."
    process = await asyncio.create_subprocess_exec("sleep", "75")
    begun()
    return str(await process.wait())
@statebook.tool(effect="write")
def send() -> str:
    "Asks first."
    note("sent")
_magics.session()
'''

REPORT = """
import json
_session = _magics.session()
_run = _session.run(_session.latest)
print(json.dumps({
    "status": _run.status,
    "calls": [[c.call.name, *([c.result.status, c.result.text] if c.result else [None, ""])] for c in _run.calls],
    "open": _session.store.open_runs(),
    "partial": [m.partial for m in _run.models],
}))
"""

STUBBORN = """
class Stubborn:
    async def ask(self, question, run):
        begun()
        while True:
            try: await asyncio.sleep(60)
            except asyncio.CancelledError: note("heard")
_magics.asker = Stubborn
use(call('send', {}), say('And on.'))
"""
"""A run that heeds no first press: it asks somebody who never answers and swallows cancellations."""


@dataclass(frozen=True)
class Place:
    """``ready`` is a cell that prepares, ``cell`` the one that is stopped once the file ``begun`` is there.

    ``results`` are the statuses of the tool calls afterwards, ``says`` is part of the last one's text; ``asked`` says
    that the cell has asked a question by ``input`` instead of making the file. ``quick`` is False where stopping takes
    what somebody else's code takes.
    """

    name: str
    ready: str
    cell: str = "%%agent\nGo"
    results: tuple[str | None, ...] = ()
    says: str = ""
    asked: bool = False
    quick: bool = True


REMOTE = "%%agent -m openai:x --base-url http://127.0.0.1:{port}/v1"
SEND = "use(call('send', {}), say('And on.'))"
FOUR = "call('spins', {}, 'waits', {}, 'deaf', {}, 'sleeps', {})"
ENDLESS = "SELECT count(*) FROM range(100000000000) a, range(1000) b"
DEAF_TO_INT = "trap '' INT; sleep 65 & sleep 66; sleep 67"


def _python(name: str, code: str, says: str = "[interrupted by the user]", **more: object) -> Place:
    ready = f"%agent tools allow python\nuse(python({code!r}), say('And on.'))"
    return Place(name, ready, results=("interrupted",), says=says, **more)  # type: ignore[arg-type] # see Place


def _tool(name: str, tool: str, says: str = "[Stopped while it ran", **more: object) -> Place:
    return Place(name, f"use(call('{tool}', {{}}), say('And on.'))", results=("interrupted",), says=says, **more)  # type: ignore[arg-type] # see Place


LEFT = "left behind"
STOPPED = "[Stopped while it ran"
TIMED = "%%time\n%%agent\nGo"
SOON = "Go{{begun_in(1.0)}}"
"""A prompt for places that can't make the mark themselves."""

AWAIT_AND_HEED_NOTHING = """\
while True:
    try: await asyncio.sleep(60)
    except BaseException: pass"""

PLACES = (
    Place("a streaming answer", "_magics.session().use(Streams())"),
    Place("a model that heeds no cancellation", "_magics.session().use(Swallows())"),
    Place("the wait for a first byte", "_port = silent_server()", f"{REMOTE}\nGo"),
    Place("connecting", "_port = full_server()", f"{REMOTE}\n{SOON}"),
    Place("the wait before a retry", "_magics.session().use(Failing())"),
    Place("a card that asks", f"ladder.CardAsker = _CardAsker\n{SEND}", f"%%agent\n{SOON}", (None,)),
    Place("a prompt that asks", f"ladder.CardAsker = lambda otherwise: otherwise\n{SEND}", results=(None,), asked=True),
    _python("python: a loop", "while True: pass"),
    _python("python: time.sleep", "time.sleep(60)"),
    _python("python: top-level await", "await asyncio.sleep(60)", STOPPED),
    _python("python: await that heeds nothing", AWAIT_AND_HEED_NOTHING, STOPPED),
    _python("python: !command", "!sleep 61"),
    _python("python: !command that ignores SIGINT", "!trap '' INT; sleep 62"),
    _python("python: x = !command", "x = !sleep 60"),
    _python("python: %%bash", "get_ipython().run_cell_magic('bash', '', 'sleep 63')"),
    _python("python: subprocess.run", "subprocess.run(['sleep', '64'])"),
    _python("python: subprocess.run, SIGINT ignored", f"subprocess.run(['sh', '-c', {DEAF_TO_INT!r}])", quick=False),
    _python("python: a child left alone", "subprocess.Popen(['sleep', '68'], start_new_session=True)\ntime.sleep(60)"),
    _python("python: a cell inside", "get_ipython().run_cell('import time; time.sleep(60)')", quick=False),
    _tool("a sync tool: a loop", "spins"),
    _tool("a sync tool: time.sleep", "sleeps", LEFT),
    _tool("a sync tool: subprocess.run", "shells"),
    _tool("a sync tool: a deaf process", "deaf_child", LEFT),
    _tool("an async tool", "waits"),
    _tool("an async tool that heeds nothing", "deaf", LEFT),
    _tool("an async tool that blocks", "blocks"),
    _tool("an async tool: a process", "runs"),
    Place("several tools at once", f"use({FOUR}, say('And on.'))", results=("interrupted",) * 4),
    Place("the sql tool", f"use(call('sql', {{'query': {ENDLESS!r}}}))", f"%%agent\n{SOON}", ("interrupted",)),
    Place("inside %%time: a streaming answer", "_magics.session().use(Streams())", TIMED),
    _python("inside %%time: python", "time.sleep(60)", cell=TIMED),
    _python("inside %%time: python that awaits", "await asyncio.sleep(60)", "", cell=TIMED),
    _tool("inside %%time: a sync tool", "sleeps", LEFT, cell=TIMED),
)
