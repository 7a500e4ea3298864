"""What can be written on the %%agent and %agent lines."""

from .cell import cell_parser, parse_cell_line
from .line import line_parser, parse_line, parse_run, subcommands
from .parser import HelpAsked, Parser, split

__all__ = [
    "HelpAsked",
    "Parser",
    "cell_parser",
    "line_parser",
    "parse_cell_line",
    "parse_line",
    "parse_run",
    "split",
    "subcommands",
]
