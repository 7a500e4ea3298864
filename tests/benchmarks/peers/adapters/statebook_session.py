"""statebook: a session on its file; a run that a dead process left open is resumed, as `%agent resume` does."""

from __future__ import annotations

import asyncio

import docstring_parser  # noqa: F401 - what statebook imports on first use is imported before the forks, as by its peers
import duckdb  # noqa: F401 - the same
import genai_prices  # noqa: F401 - the same
import openai.resources.responses  # noqa: F401 - the same
import statebook
from statebook.model.base import ModelSetup
from statebook.model.openai.presets import OPENAI
from statebook.protocol.approvals import Answer, Question, Rule
from statebook.protocol.calls import AgentCall, Limits
from statebook.protocol.journal.runs import Run
from statebook.testing import TemporarySession
from world import LOOK, PROMPT, SEND, World, main


class Person:
    """Puts the session's questions to the supervisor's person."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def ask(self, question: Question, run: Run) -> Answer:
        """See `statebook.run.seams.Asker`."""
        word = question.call.arguments.split('"')[3]
        return Answer(await asyncio.to_thread(self._world.ask, question.kind, word), "", "test")


def session_of(world: World) -> TemporarySession:
    @statebook.tool(effect="read", description=LOOK)
    async def look(word: str, *, ctx: statebook.ToolContext) -> str:
        return await world.look_async(word, ctx.idempotency_key)

    @statebook.tool(effect="write", description=SEND)
    async def send(word: str, *, ctx: statebook.ToolContext) -> str:
        return await world.send_async(word, ctx.idempotency_key)

    model = OPENAI("scripted", ModelSetup({}, world.model_url))
    return TemporarySession(model=model, folder=world.folder, tools=[look, send], sources=())


def start(world: World) -> str:
    with session_of(world) as session:
        session.session.permissions.set(Rule("*", "allow"))
        call = AgentCall(PROMPT, PROMPT, cell_id="one")
        return asyncio.run(session.session.execute(call, session.sink, Person(world))).answer


def resume(world: World) -> str:
    with session_of(world) as session:
        left = session.session.open_runs() or [session.session.last_run()]
        number = left[0].number if left[0] else 0
        return asyncio.run(session.session.resume(number, Limits(), session.sink, Person(world))).answer


if __name__ == "__main__":
    main(start, resume)
