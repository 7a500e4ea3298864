"""What a person can look up: help, and versions."""

from __future__ import annotations

import platform
from argparse import Namespace as Flags
from importlib.metadata import PackageNotFoundError, version

from statebook import __version__
from statebook.errors import UnknownName
from statebook.magic.grammar import HelpAsked, line_parser, subcommands
from statebook.magic.host import Host
from statebook.ui.sheets.sheet import Sheet

_STANDS_ON = ("ipython", "ipykernel", "jupyterlab", "ipywidgets", "anywidget", "duckdb", "pandas", "openai")


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


def versions() -> tuple[tuple[str, str], ...]:
    """(name, version) of statebook, Python and the packages that matter for a report of a fault."""
    return (("statebook", __version__), ("python", platform.python_version()), *((n, _of(n)) for n in _STANDS_ON))


def _of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
