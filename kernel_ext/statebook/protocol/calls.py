"""What a person asks for with one ``%%agent`` cell, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something handed over with the prompt: ``@name`` (a variable's summary) or ``@file:path`` (a file's text)."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one run; None is no cap. ``seconds`` counts working time, not time spent waiting for a person."""

    steps: int | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AgentCall:
    """One ``%%agent`` cell: the prompt after interpolation, what goes with it, and how it is to run.

    ``source`` is the cell's text as typed; ``cell_id`` is Jupyter's id of the cell ("" where the front end does
    not send it). ``tools`` is None for all tools, else the names offered. ``model`` is "" for the default.
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
