"""openai-agents with a SQLiteSession on a file: after a death the agent is run again on the same session."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, Runner, SQLiteSession, function_tool, set_tracing_disabled
from agents.tool_context import ToolContext
from world import LOOK, PROMPT, SEND, World, main

NOTHING_NEW: list[Any] = []
"""A session takes the next turn's words, and none are needed; words to go on come to the same."""


def run(world: World, words: str | list[Any]) -> str:
    @function_tool(description_override=LOOK)
    async def look(ctx: ToolContext[None], word: str) -> str:
        return await world.look_async(word, ctx.tool_call_id)

    @function_tool(description_override=SEND)
    async def send(ctx: ToolContext[None], word: str) -> str:
        return await world.send_async(word, ctx.tool_call_id)

    set_tracing_disabled(True)
    agent = Agent(name="letters", model="scripted", tools=[look, send])

    async def stream() -> str:
        result = Runner.run_streamed(agent, words, session=SQLiteSession("one", world.folder / "session.db"))
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    return asyncio.run(stream())


def start(world: World) -> str:
    return run(world, PROMPT)


def resume(world: World) -> str:
    kept = asyncio.run(SQLiteSession("one", world.folder / "session.db").get_items())
    return run(world, NOTHING_NEW if kept else PROMPT)


if __name__ == "__main__":
    main(start, resume)
