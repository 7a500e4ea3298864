"""Settings: defaults, then the environment, then what the person set in the notebook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session behaves where a cell does not say otherwise.

    ``model`` is "" for automatic: a configured provider, else ``offline:``. ``sources`` are folders or files the
    agent may cite. ``max_steps``, ``max_tokens``, ``budget`` (US dollars) and ``timeout`` (seconds) bound each run;
    None is no cap. ``replay`` says when a cell answers from the journal; ``state`` who keeps the conversation between
    calls (``server`` is an opt-in for providers that can); ``base_url`` is "" for the provider's own.
    """

    model: str = ""
    sources: tuple[str, ...] = (".",)
    max_steps: int | None = 100
    max_tokens: int | None = None
    budget: float | None = None
    timeout: float | None = None
    replay: Literal["auto", "only", "off"] = "auto"
    state: Literal["client", "server"] = "client"
    base_url: str = ""
    store: str = ""
    notebook: str = ""

    def with_environment(self, env: Mapping[str, str] | None = None) -> Settings:
        """These settings with ``STATEBOOK_MODEL``, ``STATEBOOK_STORE``, ``STATEBOOK_NOTEBOOK``, ``STATEBOOK_SOURCES``.

        ``STATEBOOK_SOURCES`` is a list of paths joined by the platform's path separator.
        """
        values = os.environ if env is None else env
        found = self
        if values.get("STATEBOOK_MODEL"):
            found = replace(found, model=values["STATEBOOK_MODEL"])
        if values.get("STATEBOOK_STORE"):
            found = replace(found, store=values["STATEBOOK_STORE"])
        if values.get("STATEBOOK_NOTEBOOK"):
            found = replace(found, notebook=values["STATEBOOK_NOTEBOOK"])
        if values.get("STATEBOOK_SOURCES"):
            paths = tuple(path for path in values["STATEBOOK_SOURCES"].split(os.pathsep) if path)
            found = replace(found, sources=paths)
        return found


def store_path(notebook: Path) -> Path:
    """``folder/NAME.ipynb`` -> ``folder/NAME.statebook.duckdb``."""
    return notebook.with_name(f"{notebook.stem}.statebook.duckdb")
