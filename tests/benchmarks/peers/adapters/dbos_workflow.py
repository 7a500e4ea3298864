"""DBOS alone: the loop is a workflow, each model and tool call a step; launching it recovers what was left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
from dbos import DBOS, SetWorkflowID
from world import CHAT_TOOLS, PROMPT, World, main


def launch(world: World, workflow: Any, given: str) -> str:
    """Start the workflow, or wait for the one that launching has recovered; its answer."""
    DBOS(config={"name": "letters", "system_database_url": f"sqlite:///{world.folder}/dbos.sqlite"})
    DBOS.launch()
    try:
        if DBOS.get_workflow_status("one") is None:
            with SetWorkflowID("one"):
                asyncio.run(workflow(given))
        return str(DBOS.retrieve_workflow("one").get_result())
    finally:
        DBOS.destroy()


def run(world: World) -> str:
    client = openai.AsyncOpenAI(base_url=world.model_url, api_key="none", max_retries=0)

    @DBOS.step()
    async def ask(messages: list[dict[str, Any]]) -> dict[str, Any]:
        reply = await client.chat.completions.create(model="scripted", messages=messages, tools=CHAT_TOOLS)
        return dict(reply.choices[0].message.model_dump(exclude_none=True))

    @DBOS.step()
    async def look(word: str) -> str:
        return await world.look_async(word, f"{DBOS.workflow_id}:{DBOS.step_id}")

    @DBOS.step()
    async def send(word: str) -> str:
        return await world.send_async(word, f"{DBOS.workflow_id}:{DBOS.step_id}")

    tools = {"look": look, "send": send}

    async def act(call: dict[str, Any]) -> dict[str, Any]:
        function = call["function"]
        text = await tools[function["name"]](**json.loads(function["arguments"]))
        return {"role": "tool", "tool_call_id": call["id"], "content": text}

    @DBOS.workflow()
    async def letters(prompt: str) -> str:
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        while calls := (said := await ask(messages)).get("tool_calls"):
            messages.append(said)
            messages += await asyncio.gather(*(act(call) for call in calls))
        return str(said["content"])

    return launch(world, letters, PROMPT)


if __name__ == "__main__":
    main(run, run)
