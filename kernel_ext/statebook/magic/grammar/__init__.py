"""What can be written on the %%agent and %agent lines."""

from .cell import cell_parser, parse_cell_line
from .line import PERSONAL, WORK, line_parser, parse_line, parse_run, subcommands
from .parser import HelpAsked, Parser, limits_of, split

__all__ = [
    "PERSONAL",
    "WORK",
    "HelpAsked",
    "Parser",
    "cell_parser",
    "limits_of",
    "line_parser",
    "parse_cell_line",
    "parse_line",
    "parse_run",
    "split",
    "subcommands",
]
