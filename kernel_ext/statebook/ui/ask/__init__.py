"""Questions to a person while a run waits: the ladder from card to prompt to nobody."""

from __future__ import annotations

from .ladder import choose_asker, somebody_there

__all__ = ["choose_asker", "somebody_there"]
