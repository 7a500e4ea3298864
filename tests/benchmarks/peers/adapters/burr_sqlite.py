"""Apache Burr: one action for the model and one for each call, saved after each by its SQLitePersister.

Resumed by building the application from what was saved, at its next action.
"""

from __future__ import annotations

import json
from typing import Any

import openai
from burr.core import ApplicationBuilder, ApplicationContext, State, action, default, expr
from burr.core.persistence import SQLitePersister
from world import CHAT_TOOLS, PROMPT, World, main


def run(world: World) -> str:
    client = openai.OpenAI(base_url=world.model_url, api_key="none", max_retries=0)

    @action(reads=["messages"], writes=["messages", "calls"])
    def ask(state: State) -> State:
        reply: Any = client.chat.completions.create(model="scripted", messages=state["messages"], tools=CHAT_TOOLS)
        said = reply.choices[0].message.model_dump(exclude_none=True)
        return state.append(messages=said).update(calls=said.get("tool_calls", []))

    @action(reads=["messages", "calls"], writes=["messages", "calls"])
    def act(state: State, __context: ApplicationContext) -> State:
        call, *others = state["calls"]
        tool = {"look": world.look, "send": world.send}[call["function"]["name"]]
        key = f"{__context.app_id}:{__context.sequence_id}"
        text = tool(json.loads(call["function"]["arguments"])["word"], key)
        done = {"role": "tool", "tool_call_id": call["id"], "content": text}
        return state.append(messages=done).update(calls=others)

    @action(reads=["messages"], writes=[])
    def end(state: State) -> State:
        return state

    saved = SQLitePersister(str(world.folder / "burr.sqlite"), table_name="letters")
    saved.initialize()
    application = (
        ApplicationBuilder()
        .with_actions(ask=ask, act=act, end=end)
        .with_transitions(
            (["ask", "act"], "act", expr("len(calls) > 0")),
            ("act", "ask", default),
            ("ask", "end", default),
        )
        .with_identifiers(app_id="one")
        .initialize_from(
            saved,
            resume_at_next_action=True,
            default_state={"messages": [{"role": "user", "content": PROMPT}], "calls": []},
            default_entrypoint="ask",
        )
        .with_state_persister(saved)
        .build()
    )
    *_, state = application.run(halt_after=["end"])
    return str(state["messages"][-1]["content"])


if __name__ == "__main__":
    main(run, run)
