"""What a person has in the notebook: the set-up cell with its tools, and the prompts."""

SETUP = r'''
%load_ext statebook
import asyncio, json, os, subprocess, time, zlib
import statebook
import statebook.ui.ask.ladder as ladder
ladder.CardAsker = lambda otherwise: otherwise  # this front end has no widgets, so that nobody need wait for them

def act(tool, word, key=""):
    """What is done outside: one line, in one system call."""
    line = json.dumps({"tool": tool, "word": word, "key": key}) + "\n"
    handle = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)

def pause(word, salt):
    """Up to 60 ms, the same for the same word."""
    return zlib.crc32(f"{word}{salt}".encode()) % 60 / 1000

@statebook.tool(effect="read")
async def look(word: str, *, ctx: statebook.ToolContext) -> str:
    """Look a word up."""
    await asyncio.sleep(pause(word, 1))
    act("look", word, ctx.idempotency_key)
    await asyncio.sleep(pause(word, 2))
    return f"saw {word}"

@statebook.tool(effect="idempotent")
def put(word: str, *, ctx: statebook.ToolContext) -> str:
    """Put a word where it belongs."""
    ctx.state["put"] = word
    time.sleep(pause(word, 1))
    act("put", word, ctx.idempotency_key)
    time.sleep(pause(word, 2))
    return f"put {word}"

@statebook.tool(effect="write")
def send(word: str, *, ctx: statebook.ToolContext) -> str:
    """Send a word."""
    time.sleep(pause(word, 1))
    act("send", word, ctx.idempotency_key)
    time.sleep(pause(word, 2))
    return f"sent {word}"

@statebook.tool(effect="write")
def spawn(word: str, *, ctx: statebook.ToolContext) -> str:
    """Send a word by a program of its own."""
    line = json.dumps({"tool": "spawn", "word": word, "key": ctx.idempotency_key})
    steps = f"sleep {pause(word, 1)}; echo '{line}' >> ledger; sleep {pause(word, 2)}"
    subprocess.run(["sh", "-c", steps], check=True)
    return f"spawned {word}"

def told(arguments, key):
    with open("ledger") as lines:
        return any(json.loads(line)["key"] == key for line in lines)

@statebook.tool(effect="write", verify=told)
async def tell(word: str, *, ctx: statebook.ToolContext) -> str:
    """Tell a word, where it can be looked up."""
    await asyncio.sleep(pause(word, 1))
    act("tell", word, ctx.idempotency_key)
    await asyncio.sleep(pause(word, 2))
    return f"told {word}"
'''

PARTS = r'''
def tell_parts():
    """One line with all that a move takes along."""
    session = get_ipython().magics_manager.magics["line"]["agent"].__self__.registry.current
    held = session.store.as_of_head.held()
    made = open("made.txt").read() if os.path.exists("made.txt") else None
    told = {
        "runs": session.store.run_numbers(), "memory": [memory.text for memory in held.memories.values()],
        "state": {tool: values for tool, values in held.state.items() if values}, "rules": [*map(repr, held.rules)],
        "acts": globals().get("acts", 0), "made": made,
    }
    print("PARTS", json.dumps(told))
'''
"""Put after the set-up where a person goes back and forth."""

STUCK = r"""
import signal
from statebook.session import registry
from statebook.state.files.moving import Mover
registry.finish_move = lambda _: ""
if not os.path.exists("stuck"):
    open("stuck", "w").close()
    Mover.apply = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
"""Makes a first kernel die in the middle of a move, and the others leave it there."""

FORGETFUL = r'''
from statebook.run.environment import Environment
def forgetful(self, run, events, *more, commit=Environment.commit, **named):
    """Keep no intent."""
    commit(self, run, [(step, event) for step, event in events if event.kind != "tool_intended"], *more, **named)
Environment.commit = forgetful
'''
"""Makes a kernel begin tool calls without a word in its journal."""

CARELESS = 'send = statebook.tool(effect="read")(send.function)\n'
"""Makes a kernel take a tool that writes for one that reads."""

BOASTFUL = r"""
from statebook.store.store import Store
Store.draft = lambda *_: None
"""
"""Makes a kernel draw text that it has not put on disk."""

WASTEFUL = r'''
from statebook.run.environment import Environment
def wasteful(self, run, events, *more, commit=Environment.commit, **named):
    """Keep no key with a request, so that nobody can tell that it was sent before."""
    run.models = [] if any(event.kind == "run_resumed" for _, event in events) else run.models
    commit(self, run, events, *more, **named)
Environment.commit = wasteful
'''
"""Makes a kernel that resumes a run forget the answers it was given."""

MEDDLING = r"""
from statebook.run.doubt import TABLE
TABLE["doubtful", "write"] = "again"
"""
"""Makes a kernel repeat a call that may have been made without asking anyone."""


def prompt(task):
    """The cell of a task."""
    return f"%%agent\n{task}: do what is to be done."
