"""The command line: ``statebook demo [FOLDER]``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from statebook import __version__
from statebook.errors import StatebookError

_INTERRUPTED = 130
_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code is 0 only when everything held."""
    flags = _parser().parse_args(arguments)
    if flags.command is None:
        _parser().print_help()
        return 0
    try:
        return _demo(flags)
    except StatebookError as error:
        print(f"statebook: {error}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("\nstatebook: stopped.", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="statebook", description="A stateful agent in every notebook.")
    parser.add_argument("--version", action="version", version=f"statebook {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run a research session over a folder of documents, kill its kernel, and go on",
        description="Runs a research session over documents in a real notebook, kills the kernel in the middle of a"
        " run, goes on in a new one, and leaves a cited report. Needs no key and no network.",
    )
    demo.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="the documents (none: briefs that come with statebook)"
    )
    demo.add_argument(
        "--out", metavar="DIR", help="where to write (statebook-demo, or the next number where it is in use)"
    )
    demo.add_argument("--questions", nargs="+", default=[], metavar="Q", help="ask these instead of questions of ours")
    demo.add_argument("--lab", action="store_true", help="open the notebook in JupyterLab at the end")
    return parser


def _demo(flags: argparse.Namespace) -> int:
    from statebook.demo.performance import Performance, ending, lab_arguments
    from statebook.demo.place import choose

    place = choose(flags.folder, flags.out)
    performance = Performance(place, [question for question in flags.questions if question.strip()])
    print(f"statebook {__version__} · demo · model offline: (no key, no network)\n", flush=True)
    held = performance.play()
    ending(place, performance.progress)
    if flags.lab and held:
        return _open(lab_arguments(place.notebook))
    return 0 if held else 1


def _open(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "jupyterlab", *arguments]
    sys.stdout.flush()
    if os.name != "nt":  # there an exec would give the terminal back before the program ends
        os.execv(sys.executable, command)  # noqa: S606 - our own words
    return subprocess.call(command)  # noqa: S603 - our own words
