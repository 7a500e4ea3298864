"""Permission as values: the rule, the question put to a person, the answer, the grant that remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .messages import ToolCall
from .tools import Effect

Verdict = Literal["allow", "ask", "deny"]
Scope = Literal["once", "session"]
QuestionKind = Literal["approval", "in_doubt"]
Choice = Literal["allow", "allow_always", "reject", "retry", "happened", "skip"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Allow, ask or deny calls whose tool name and arguments match two glob patterns."""

    tool: str
    verdict: Verdict
    arguments: str = "*"


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked about one call: may it run (``approval``), or did it happen (``in_doubt``)."""

    kind: QuestionKind
    run: int
    step: int
    call: ToolCall
    effect: Effect
    origin: str
    reason: str

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What may be answered."""
        if self.kind == "approval":
            return ("allow", "allow_always", "reject")
        return ("retry", "happened", "skip")


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's decision; ``word`` is what they want the model to know, ``via`` is how they answered."""

    choice: Choice
    word: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A remembered approval: calls of ``tool`` whose arguments match the glob pattern ``arguments``."""

    tool: str
    arguments: str = "*"
    scope: Scope = "session"
