"""pydantic-ai on DBOS: the DBOSDurability capability inside a workflow, tools as steps, as its documentation has it."""

from __future__ import annotations

import openai
from dbos import DBOS
from dbos_workflow import launch
from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.durable_exec.dbos import DBOSDurability
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from world import LOOK, PROMPT, SEND, World, main


def run(world: World) -> str:
    client = openai.AsyncOpenAI(base_url=world.model_url, api_key="none", max_retries=0)

    @DBOS.step()
    async def look(ctx: RunContext[None], word: str) -> str:
        return await world.look_async(word, ctx.tool_call_id or "")

    @DBOS.step()
    async def send(ctx: RunContext[None], word: str) -> str:
        return await world.send_async(word, ctx.tool_call_id or "")

    agent = Agent(
        OpenAIResponsesModel("scripted", provider=OpenAIProvider(openai_client=client)),
        name="letters",
        tools=[Tool(look, takes_ctx=True, description=LOOK), Tool(send, takes_ctx=True, description=SEND)],
        capabilities=[DBOSDurability()],
    )

    @DBOS.workflow()
    async def letters(prompt: str) -> str:
        return str((await agent.run(prompt)).output)

    return launch(world, letters, PROMPT)


if __name__ == "__main__":
    main(run, run)
