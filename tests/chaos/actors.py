"""Who acts in a workflow: a model that decides by what it is shown, tools that act outside, a person who looks."""

import asyncio
import json
import random
import time
from collections import Counter
from zlib import crc32

import statebook
from statebook.errors import ModelError
from statebook.protocol.approvals import Answer
from statebook.protocol.messages import Message, Text, ToolCall
from statebook.protocol.models import Completion, TextDelta, Usage
from statebook.protocol.tools import ArtifactData, ToolOutcome

WRITES = ("send", "post", "tell")
"""Tools that must not act twice under one key."""

_WISHES = ("look", "look", "put", "send", "send", "send", "post", "tell", "tell", "fail", "paint", "remember", "gone")
_WAITS = (0.0, 0.0, 0.05, 0.1, 0.3)
_LARGE = 260 * 1024
"""Bytes of a picture that is kept beside the file."""

FORM = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}


class Seeded:
    """Wants what the prompt says for each stage; any kernel gets the same wishes from it.

    A prompt ``ask: 17`` is a seed; ``ask: 17 do send put`` names the first stage's tools, and asks for nothing then.
    It fails at times, once or for good, unless it is ``steady``. It refuses a history with a call without a result.
    """

    name, context_tokens = "seeded:", 60_000

    def __init__(self, *, steady=False):
        self._steady = steady
        self._tried = Counter()

    def price(self, usage):
        """A dollar for a hundred tokens."""
        return usage.total / 100

    async def stream(self, request):
        """Check that no call is left without a result, then answer the stage."""
        assert not orphans(request.messages), "a call without a result is shown to the model"
        prompt, since = _prompt(request.messages)
        stage = sum(message.role == "assistant" for message in since)
        dice = random.Random(f"{prompt}/{stage}")
        await self._fail(prompt, stage, dice)
        calls = _wishes(prompt, stage, dice) if request.tools else ()
        text = f"Stage {stage} of {crc32(prompt.encode())}."
        if request.answer.structured and not calls:
            repaired = since[-1].role == "user" and stage > 0
            text = '{"word": "yes"}' if repaired or dice.random() < 0.3 else '{"world": 1}'
        for piece, wait in ((text[:8], dice.choice((0.0, 0.0, 0.15))), (text[8:], 0.0)):
            yield TextDelta(piece)
            await asyncio.sleep(0.0 if self._steady else wait)
        usage = Usage(dice.randint(1, 50), 0, dice.randint(1, 20))
        yield Completion(Message("assistant", (Text(text), *calls)), usage, "tool_calls" if calls else "end")

    async def _fail(self, prompt, stage, dice):
        faults = dice.choice((0, 0, 0, 0, 0, 1, 2, 3))
        if self._steady or self._tried[prompt, stage] >= faults:
            return
        self._tried[prompt, stage] += 1
        await asyncio.sleep(0.02)
        lasting = dice.random() < 0.2
        raise ModelError("Refused." if lasting else "Busy.", retryable=not lasting, fault="overloaded")


def _prompt(messages):
    """The last prompt of a person, and what was said since."""
    place = max((n for n, each in enumerate(messages) if each.role == "user" and "ask: " in each.text), default=0)
    words = messages[place].text.rpartition("ask: ")[2].split("\n")[0]
    return words, messages[place:]


def _wishes(prompt, stage, dice):
    _, _, told = prompt.partition(" do ")
    if told:
        wanted = told.split() if stage == 0 else ()
    elif stage >= dice.randint(1, 2):
        wanted = ()
    else:
        wanted = [dice.choice(_WISHES) for _ in range(dice.choice((2, 3, 3)))]
    return tuple(
        ToolCall(f"c{stage}{n}", name, _arguments(name, prompt, stage, n, dice)) for n, name in enumerate(wanted)
    )


def _arguments(name, prompt, stage, place, dice):
    word = f"{crc32(prompt.encode()):x}.{stage}.{place}"
    if name == "remember":
        return json.dumps({"text": f"The word {dice.choice('abc')} is {dice.randint(1, 3)}."})
    if dice.random() < 0.05:
        return '{"wrong": tru'
    return json.dumps({"word": word, "wait": dice.choice(_WAITS)})


def orphans(messages):
    """Ids of calls that the messages leave without a result, and of results without a call."""
    wanted, told = Counter(), Counter()
    for message in messages:
        wanted.update(call.id for call in message.calls)
        told.update(part.call_id for part in message.parts if hasattr(part, "call_id"))
    return [*(wanted - told), *(told - wanted)]


class Tools:
    """look (read), put (idempotent), send and post (writes), tell (a write that can be verified), fail, paint (reads).

    Each acts in the middle of its time, so that parallel ones act and answer in different orders. They are made once:
    a schema takes longer than a crash may; `outside` is where they act now.
    """

    outside = None

    @classmethod
    def act(cls, name, word, ctx):
        cls.outside.note("ledger", tool=name, word=word, key=ctx.idempotency_key)


@statebook.tool(effect="read")
async def look(word: str, wait: float = 0, *, ctx: statebook.ToolContext) -> str:
    """Look."""
    await asyncio.sleep(wait)
    Tools.act("look", word, ctx)
    await asyncio.sleep(wait)
    return f"saw {word}"


@statebook.tool(effect="idempotent")
async def put(word: str, wait: float = 0, *, ctx: statebook.ToolContext) -> str:
    """Put."""
    ctx.state["put"] = word
    await asyncio.sleep(wait)
    Tools.act("put", word, ctx)
    await asyncio.sleep(wait)
    return f"put {word}"


@statebook.tool(effect="write")
async def send(word: str, wait: float = 0, *, ctx: statebook.ToolContext) -> str:
    """Send."""
    await asyncio.sleep(wait)
    Tools.act("send", word, ctx)
    await asyncio.sleep(wait)
    return f"sent {word}"


@statebook.tool(effect="write")
def post(word: str, wait: float = 0, *, ctx: statebook.ToolContext) -> str:
    """Post, on a thread."""
    Tools.act("post", word, ctx)
    time.sleep(wait)
    return f"posted {word}"


def _told(_arguments, key):
    return Tools.outside.done("tell", key) > 0


@statebook.tool(effect="write", verify=_told)
async def tell(word: str, wait: float = 0, *, ctx: statebook.ToolContext) -> str:
    """Tell, in a way that can be looked up."""
    await asyncio.sleep(wait)
    Tools.act("tell", word, ctx)
    await asyncio.sleep(wait)
    return f"told {word}"


@statebook.tool(effect="read")
async def fail(word: str, wait: float = 0) -> str:
    """Fail."""
    await asyncio.sleep(wait)
    raise ValueError(word)


@statebook.tool(effect="read")
async def paint(word: str, wait: float = 0) -> ToolOutcome:
    """Paint a picture: a small one that is kept in the file, or one that is kept beside it."""
    await asyncio.sleep(wait)
    size = _LARGE if word.endswith("0") else 2_000
    return ToolOutcome(f"painted {word}", artifacts=(ArtifactData(word.encode() * (size // len(word)), "image/x"),))


TOOLS = (look, put, send, post, tell, fail, paint)


class Person:
    """Answers by its mood, or is away. What is asked is noted outside.

    ``settles`` is how it settles a call in doubt: by the truth, or with one word whatever happened.
    """

    def __init__(self, outside, key_of):
        self._outside, self._key_of = outside, key_of
        self.there, self.approves, self.settles = True, "allow", "truth"

    async def ask(self, question, run):
        """See `statebook.run.seams.Asker`."""
        if not self.there:
            return None
        key = self._key_of(run, question.step)
        done = self._outside.done(question.call.name, key) > 0
        choice = self.approves
        if question.kind != "approval":
            choice = self.settles if self.settles != "truth" else "happened" if done else "retry"
        said = {"kind": question.kind, "tool": question.call.name, "key": key}
        self._outside.note("asked", **said, choice=choice, done=done)
        return Answer(choice, "", "test")
