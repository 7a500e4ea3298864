"""What a person asks for with one ``%%agent`` cell, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .messages import File
from .tools import ArtifactData

ReplayMode = Literal["auto", "only", "off"]
"""``auto`` answers from the journal where it can, ``only`` never asks a model, ``off`` always does."""


AnswerKind = Literal["markdown", "text", "json", "code", "table"]
"""What ``-f/--format`` takes. ``table`` is JSON rows that become a DataFrame; ``code`` is one Python cell."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How the final answer is to look. ``schema`` is its JSON Schema (draft 2020-12), {} where there is none.

    ``name`` is what the person calls the schema (the class's name), ``becomes`` what the value will be in Python
    (``pydantic model``, ``dataclass``, ...). ``inside`` is the property that holds the value where the schema had to
    be put into an object (``rows`` of a table, ``value`` of a list): servers take no other schema at the top.
    """

    kind: AnswerKind = "markdown"
    name: str = ""
    schema: dict[str, Any] = field(default_factory=dict, hash=False)
    becomes: str = ""
    inside: str = ""

    @property
    def structured(self) -> bool:
        """Whether the answer is JSON."""
        return self.kind in ("json", "table")


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something handed over with the prompt: ``@name`` (a variable's summary) or ``@file:path`` (a file's text).

    ``file`` names bytes that go with the text (a picture, a PDF), kept as an artifact.
    """

    name: str
    text: str
    file: File | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps; None is no cap. ``seconds`` counts working time, not time spent waiting for a person. US ``dollars``."""

    steps: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class AgentCall:
    """One ``%%agent`` cell: the prompt after interpolation, what goes with it, and how it is to run.

    ``source`` is the cell's text as typed; ``cell_id`` is Jupyter's id of the cell ("" where the front end does
    not send it). ``tools`` is None for all tools, else the names offered. ``model`` is "" for the default.
    ``artifacts`` are the bytes of the attachments' files. ``replay`` and ``base_url`` are "" for the session's.
    """

    prompt: str
    source: str = ""
    cell_id: str = ""
    model: str = ""
    temperature: float | None = None
    attachments: tuple[Attachment, ...] = ()
    limits: Limits = Limits()
    tools: tuple[str, ...] | None = None
    fresh: bool = False
    branch: str = ""
    label: str = ""
    answer: AnswerForm = AnswerForm()
    replay: ReplayMode | Literal[""] = ""
    base_url: str = field(default="", repr=False)
    artifacts: tuple[ArtifactData, ...] = ()
