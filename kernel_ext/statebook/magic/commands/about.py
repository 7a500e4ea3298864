"""What a person can look up: help, and versions."""

from __future__ import annotations

from argparse import Namespace as Flags

from statebook.errors import UnknownName
from statebook.magic.grammar import HelpAsked, line_parser, subcommands
from statebook.ui.sheets.sheet import Sheet

from .host import Host
from .versions import versions


class AboutCommands:
    """help, version."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_help(self, flags: Flags) -> None:
        """The overview, or one command's help."""
        parser = line_parser()
        known = subcommands(parser)
        if flags.topic and flags.topic not in known:
            raise UnknownName("%agent command", flags.topic, known)
        raise HelpAsked((known[flags.topic] if flags.topic else parser).format_help())

    def do_version(self, _flags: Flags) -> Sheet:
        """Versions."""
        return Sheet("", versions())
