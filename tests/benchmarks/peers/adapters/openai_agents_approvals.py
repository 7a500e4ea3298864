"""openai-agents with human approval: letters need approval, and the paused RunState is kept on disk beside a session.

After a death the newest kept state is loaded, its pending calls are put to the person again, and the run goes on.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agents import Agent, Runner, RunState, SQLiteSession, function_tool, set_tracing_disabled
from agents.tool_context import ToolContext
from world import LOOK, PROMPT, SEND, World, main

NOTHING_NEW: list[Any] = []


def agent_of(world: World) -> Agent[None]:
    @function_tool(description_override=LOOK)
    async def look(ctx: ToolContext[None], word: str) -> str:
        return await world.look_async(word, ctx.tool_call_id)

    @function_tool(description_override=SEND, needs_approval=True)
    async def send(ctx: ToolContext[None], word: str) -> str:
        return await world.send_async(word, ctx.tool_call_id)

    set_tracing_disabled(True)
    return Agent(name="letters", model="scripted", tools=[look, send])


async def drive(world: World, given: Any) -> str:
    """Run until nothing waits for approval; each pause is kept on disk before the person is asked."""
    agent, session = agent_of(world), SQLiteSession("one", world.folder / "session.db")
    kept = world.folder / "state.json"
    if given is None:
        state = await RunState.from_string(agent, kept.read_text(encoding="utf-8"))
    else:
        result = await Runner.run(agent, given, session=session)
        state = result.to_state()
        if not result.interruptions:
            return str(result.final_output)
    while True:
        new = kept.with_suffix(".new")
        new.write_text(state.to_string(), encoding="utf-8")
        new.replace(kept)
        for waiting in state.get_interruptions():
            word = json.loads(waiting.arguments or "{}")["word"]
            if await asyncio.to_thread(world.ask, "approval", word) == "allow":
                state.approve(waiting)
        result = await Runner.run(agent, state, session=session)
        if not result.interruptions:
            return str(result.final_output)
        state = result.to_state()


def start(world: World) -> str:
    return asyncio.run(drive(world, PROMPT))


def resume(world: World) -> str:
    if (world.folder / "state.json").exists():
        return asyncio.run(drive(world, None))
    kept = asyncio.run(SQLiteSession("one", world.folder / "session.db").get_items())
    return asyncio.run(drive(world, NOTHING_NEW if kept else PROMPT))


if __name__ == "__main__":
    main(start, resume)
