"""What commands need of the extension they belong to."""

from __future__ import annotations

from typing import Any, Protocol

from statebook.config import Settings
from statebook.config.sources import Resolved
from statebook.magic.cell.prompt import Prompt
from statebook.session.notebook.identity import Notebook
from statebook.session.registry import Registry
from statebook.session.session import Session


class Host(Protocol):
    """The extension, as its commands see it."""

    shell: Any

    @property
    def registry(self) -> Registry:
        """The sessions of this kernel."""
        ...

    def session(self, cell: str = "") -> Session:
        """The current session, opened on first use."""
        ...

    def notebook(self, cell: str = "") -> Notebook:
        """The notebook this kernel belongs to."""
        ...

    def complete(self, text: str, session: Session) -> Prompt:
        """The prompt of a text, and what it hands over. Raises PromptError."""
        ...

    def settings(self) -> Settings:
        """What holds now."""
        ...

    def resolved(self, cell: str = "") -> Resolved:
        """What holds now, and where each setting comes from."""
        ...
