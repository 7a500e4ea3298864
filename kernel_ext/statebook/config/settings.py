"""The one declaration of all settings: name, type, default, what it does, and who may set it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from .kinds import COUNT, DOLLARS, PATHS, SECONDS, SIZE, TEXT, URL, Kind, Size, Url, choice

Level = Literal["default", "ipython", "project", "environment", "notebook"]
"""Where a value can come from, lowest first; above all of them stands a cell's flag."""

LEVELS: tuple[Level, ...] = ("default", "ipython", "project", "environment", "notebook")

LIMITS = ("max_steps", "max_tokens", "budget", "timeout")
"""Caps. A project file may lower one that the person has set in IPython's configuration, and lift none."""

_ALL = frozenset(LEVELS)
_NOT_PROJECT = _ALL - {"project"}
"""A project file comes with a cloned repository: it must not send keys or data elsewhere."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session behaves where a cell does not say otherwise.

    ``model`` is "" for automatic: a configured provider, else ``offline:``. ``sources`` are folders or files the
    agent may cite. ``max_steps``, ``max_tokens``, ``budget`` (US dollars) and ``timeout`` (seconds) bound each run;
    None is no cap. ``replay`` says when a cell answers from the journal; ``state`` who keeps the conversation between
    calls (``server`` is an opt-in for providers that can); ``base_url`` is "" for the provider's own. ``snapshots``
    says when the kernel's variables are kept; ``snapshot_seconds`` and ``snapshot_size`` (bytes) bound one snapshot,
    ``store_size`` (bytes) the session's file with what lies beside it.
    """

    model: str = field(
        default="",
        metadata={
            "kind": TEXT,
            "help": "provider:model, e.g. openai:gpt-5.5; empty: a configured provider, else offline:",
            "flag": "--model",
        },
    )
    sources: tuple[str, ...] = field(
        default=(".",),
        metadata={"kind": PATHS, "help": "folders and files to cite; relative ones start at the notebook's folder"},
    )
    max_steps: int | None = field(
        default=100,
        metadata={"kind": COUNT, "help": "model and tool calls per run before it pauses", "flag": "--max-steps"},
    )
    max_tokens: int | None = field(
        default=None, metadata={"kind": COUNT, "help": "tokens per run before it pauses", "flag": "--max-tokens"}
    )
    budget: float | None = field(
        default=None, metadata={"kind": DOLLARS, "help": "US dollars per run before it pauses", "flag": "--budget"}
    )
    timeout: float | None = field(
        default=None,
        metadata={"kind": SECONDS, "help": "seconds of work per run before it pauses", "flag": "--timeout"},
    )
    replay: Literal["auto", "only", "off"] = field(
        default="auto",
        metadata={
            "kind": choice("Replay", "auto", "only", "off"),
            "help": "when a cell answers from the journal: where it can, only, or never",
            "flag": "--replay",
        },
    )
    snapshots: Literal["agent", "cells", "off"] = field(
        default="agent",
        metadata={
            "kind": choice("Snapshots", "agent", "cells", "off"),
            "help": "when variables are kept: around what the agent does, also after each ordinary cell, or never",
        },
    )
    snapshot_seconds: float | None = field(
        default=5.0,
        metadata={
            "kind": SECONDS,
            "help": "seconds one snapshot may take; what is left out then comes first next time",
        },
    )
    snapshot_size: int | None = field(
        default=Size(1_000_000_000),
        metadata={"kind": SIZE, "help": "new bytes one snapshot may keep; a variable above it is left out"},
    )
    store_size: int | None = field(
        default=Size(10_000_000_000),
        metadata={"kind": SIZE, "help": "bytes the session may take on disk; at it no more snapshots are kept"},
    )
    state: Literal["client", "server"] = field(
        default="client",
        metadata={
            "kind": choice("Place", "client", "server"),
            "help": "who keeps the conversation between calls: the journal, or the provider too",
            "levels": _NOT_PROJECT,
        },
    )
    base_url: str = field(
        default=Url(""),
        repr=False,
        metadata={
            "kind": URL,
            "help": "where the model's server is; empty: the provider's own",
            "flag": "--base-url",
            "levels": _NOT_PROJECT,
        },
    )
    store: str = field(
        default="",
        metadata={
            "kind": TEXT,
            "help": "the session's DuckDB file; empty: beside the notebook",
            "levels": frozenset({"default", "project", "environment"}),
        },
    )
    notebook: str = field(
        default="",
        metadata={
            "kind": TEXT,
            "help": "the notebook's path, where the kernel can't know it",
            "levels": frozenset({"default", "environment"}),
        },
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known about one setting. ``flag`` says it for one cell; "" where no flag does."""

    name: str
    default: object
    kind: Kind
    help: str
    flag: str = ""
    levels: frozenset[Level] = _ALL

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"STATEBOOK_{self.name.upper()}"

    def show(self, value: object) -> str:
        """A value for people to read, with no secret in it."""
        if isinstance(value, Url | Size):
            return value.shown if value else "(empty)"
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        if value is None:
            return "none"
        return f"{value:g}" if isinstance(value, float) else str(value) or "(empty)"


SETTINGS: dict[str, Setting] = {
    item.name: Setting(item.name, item.default, **item.metadata) for item in fields(Settings)
}
"""Every setting by name."""


def store_path(notebook: Path) -> Path:
    """``folder/NAME.ipynb`` -> ``folder/NAME.statebook.duckdb``."""
    return notebook.with_name(f"{notebook.stem}.statebook.duckdb")
