"""openai-agents on DBOS: DBOSRunner in a workflow, tools as steps; launching DBOS recovers what a dead process left."""

from __future__ import annotations

from agents import Agent, function_tool, set_tracing_disabled
from agents.tool_context import ToolContext
from dbos import DBOS
from dbos_openai_agents import DBOSRunner
from dbos_workflow import launch
from world import LOOK, PROMPT, SEND, World, main


def run(world: World) -> str:
    @function_tool(description_override=LOOK)
    @DBOS.step()
    async def look(ctx: ToolContext[None], word: str) -> str:
        return await world.look_async(word, ctx.tool_call_id)

    @function_tool(description_override=SEND)
    @DBOS.step()
    async def send(ctx: ToolContext[None], word: str) -> str:
        return await world.send_async(word, ctx.tool_call_id)

    set_tracing_disabled(True)
    agent = Agent(name="letters", model="scripted", tools=[look, send])

    @DBOS.workflow()
    async def letters(prompt: str) -> str:
        return str((await DBOSRunner.run(agent, prompt)).final_output)

    return launch(world, letters, PROMPT)


if __name__ == "__main__":
    main(run, run)
