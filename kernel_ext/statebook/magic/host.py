"""What commands need of the extension they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from statebook.config import Settings
from statebook.config.sources import Resolved
from statebook.magic.cell.prompt import Prompt
from statebook.run.seams import Asker, Sink
from statebook.session.notebook.identity import Notebook
from statebook.session.registry import Registry
from statebook.session.session import Session
from statebook.state.namespace import Namespace

if TYPE_CHECKING:
    from .bridge import Bridge
    from .commands.table import Commands


class Host(Protocol):
    """The extension, as its commands see it."""

    shell: Any

    @property
    def registry(self) -> Registry:
        """The sessions of this kernel."""
        ...

    @property
    def commands(self) -> Commands:
        """The subcommands that are answered at once."""
        ...

    @property
    def bridge(self) -> Bridge:
        """Where cells and coroutines meet."""
        ...

    @property
    def namespace(self) -> Namespace:
        """The user's variables."""
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

    def evaluate(self, expression: str) -> object:
        """The value of the user's own expression; raises what it raises."""
        ...

    def sink(self, session: Session, *, verbose: bool = False, stream: bool = True) -> Sink:
        """Where a run is drawn."""
        ...

    def asker(self) -> Asker:
        """Who is asked."""
        ...
