"""LangGraph: LangChain's agent on a SqliteSaver with durability="sync"; resumed by invoking its thread with None."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver
from world import LOOK, PROMPT, SEND, World, main

THREAD: Any = {"configurable": {"thread_id": "one"}}


def agent_of(world: World) -> Any:
    @tool(description=LOOK)
    def look(word: str, key: Annotated[str, InjectedToolCallId]) -> str:
        return world.look(word, key)

    @tool(description=SEND)
    def send(word: str, key: Annotated[str, InjectedToolCallId]) -> str:
        return world.send(word, key)

    model = ChatOpenAI(model="scripted", base_url=world.model_url, api_key="none", max_retries=0, streaming=True)
    saver = SqliteSaver(sqlite3.connect(world.folder / "checkpoints.sqlite", check_same_thread=False))
    return create_agent(model, [look, send], checkpointer=saver)


def start(world: World) -> str:
    given = {"messages": [{"role": "user", "content": PROMPT}]}
    return str(agent_of(world).invoke(given, THREAD, durability="sync")["messages"][-1].content)


def resume(world: World) -> str:
    agent = agent_of(world)
    if not agent.get_state(THREAD).values:  # no checkpoint yet: the run never began
        return start(world)
    return str(agent.invoke(None, THREAD, durability="sync")["messages"][-1].content)


if __name__ == "__main__":
    main(start, resume)
