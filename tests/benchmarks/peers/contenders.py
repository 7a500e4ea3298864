"""Who takes part: each system's adapter, what of it is installed, and how it is set up and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

from environments import version

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Contender:
    """``requirements`` is empty for statebook, which runs in the environment that runs this; ``packages`` are named."""

    key: str
    name: str
    adapter: str
    requirements: str
    packages: tuple[str, ...]
    settings: str

    @property
    def script(self) -> Path:
        """The adapter's file."""
        return HERE / "adapters" / f"{self.adapter}.py"

    @property
    def pins(self) -> Path:
        """The file of its pinned requirements."""
        return HERE / "requirements" / f"{self.requirements}.txt"

    @property
    def versions(self) -> str:
        """Its packages with their versions."""
        known = [
            f"{package} {version(self.pins, package) if self.requirements else installed(package)}"
            for package in self.packages
        ]
        return ", ".join(known)


CONTENDERS = (
    Contender(
        "statebook",
        "statebook",
        "statebook_session",
        "",
        ("statebook", "duckdb"),
        "As installed; letters are a tool of effect `write` without a `verify` function, allowed by a rule. Resumed as"
        " `%agent resume` does. Key: `ctx.idempotency_key`.",
    ),
    Contender(
        "langgraph",
        "LangGraph",
        "langgraph_sqlite",
        "langgraph",
        ("langgraph", "langgraph-checkpoint-sqlite", "langchain"),
        '`create_agent` (each call is a task of its own) on a `SqliteSaver`, `durability="sync"`. Resumed by'
        " `invoke(None)` on the same thread. Key: the tool call's id.",
    ),
    Contender(
        "openai-agents-session",
        "openai-agents, session",
        "openai_agents_session",
        "openai_agents",
        ("openai-agents",),
        "`SQLiteSession` on a file. Its documentation leaves recovery to integrations (below) and has no call that"
        " resumes a dead run: the agent is run again on the session, with nothing new to say. Key: the tool call's id.",
    ),
    Contender(
        "openai-agents-approvals",
        "openai-agents, approvals",
        "openai_agents_approvals",
        "openai_agents",
        ("openai-agents",),
        "The same, letters with `needs_approval=True`, the paused `RunState` kept on disk before the person is asked,"
        " as in its guide. Resumed from the newest kept state. Key: the tool call's id.",
    ),
    Contender(
        "openai-agents-dbos",
        "openai-agents on DBOS",
        "openai_agents_dbos",
        "openai_agents_dbos",
        ("openai-agents", "dbos", "dbos-openai-agents"),
        "`DBOSRunner` in a workflow, tools as steps, system database in SQLite. Resumed by `DBOS.launch()`, which"
        " recovers pending workflows. Key: the tool call's id.",
    ),
    Contender(
        "dbos",
        "DBOS",
        "dbos_workflow",
        "dbos",
        ("dbos",),
        "A loop as a workflow, each model call and each tool call a step, system database in SQLite. Resumed by"
        " `DBOS.launch()`. Key: the workflow's id and the step's number.",
    ),
    Contender(
        "pydantic-ai-dbos",
        "pydantic-ai on DBOS",
        "pydantic_ai_dbos",
        "pydantic_ai_dbos",
        ("pydantic-ai-slim", "dbos"),
        "The `DBOSDurability` capability in a workflow, tools as steps, system database in SQLite. Resumed by"
        " `DBOS.launch()`. Key: the tool call's id.",
    ),
    Contender(
        "burr",
        "Apache Burr",
        "burr_sqlite",
        "burr",
        ("apache-burr",),
        "One action for the model and one for each call, so that each is saved by the `SQLitePersister`; the two"
        " letters go one after the other. Resumed by `initialize_from(resume_at_next_action=True)`. Key: the"
        " application's id and the action's number.",
    ),
)
