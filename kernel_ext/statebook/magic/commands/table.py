"""Finds the method of a subcommand."""

from __future__ import annotations

from argparse import Namespace as Flags
from typing import Any

from statebook.magic.host import Host

from .about import AboutCommands
from .branches import BranchCommands
from .history import HistoryCommands
from .knowledge import KnowledgeCommands
from .models import ModelCommands
from .session import SessionCommands
from .settings import SettingsCommands
from .spending import SpendingCommands

GROUPS = (
    SessionCommands,
    HistoryCommands,
    BranchCommands,
    KnowledgeCommands,
    AboutCommands,
    SettingsCommands,
    ModelCommands,
    SpendingCommands,
)
"""Each is made with its host and has one method ``do_NAME`` per subcommand, which gives what IPython displays."""


class Commands:
    """The subcommands (all but ``resume``, which is a run) of one extension."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._groups = [group(host) for group in GROUPS]

    def to_resume(self, flags: Flags) -> int:
        """The number of the run that ``resume`` means. UsageError when none waits."""
        return HistoryCommands(self._host).to_resume(flags).number

    def do(self, flags: Flags) -> Any:
        """Do one subcommand. Raises StatebookError subclasses."""
        name = f"do_{flags.command}"
        group = next(group for group in self._groups if hasattr(group, name))
        return getattr(group, name)(flags)
