"""Fills the generated blocks of docs/: flags from the parsers, settings, columns from a fresh store, the system text.

    python docs/generate.py

A block stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; a test holds that they are current.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from statebook.config import SETTINGS
from statebook.context.system import SYSTEM
from statebook.magic.grammar import cell_parser, line_parser, subcommands
from statebook.model.openai.presets import PRESETS
from statebook.store.store import Store
from statebook.store.views import VIEWS

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"(<!-- generated: (?P<name>[\w: -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def blocks() -> dict[str, str]:
    """The text of each block by name."""
    commands = subcommands(line_parser())
    found = {
        "cell flags": _flags(cell_parser()),
        "commands": _commands(line_parser()),
        "settings": _settings(),
        "system text": f"```text\n{SYSTEM}```",
        "presets": _presets(),
    }
    found |= {f"command {name}": _command(name, parser) for name, parser in commands.items()}
    found["all commands"] = "\n\n".join(_command(name, parser) for name, parser in commands.items())
    return found | {f"view {name}": text for name, text in _views().items()}


def fill(text: str, texts: dict[str, str]) -> str:
    """A page with its blocks filled. KeyError for a block that nothing generates."""
    return BLOCK.sub(lambda match: f"{match[1]}{texts[match['name']]}\n{match[3]}", text)


def _settings() -> str:
    """One row per setting; a dash where a source may not set it."""
    lines = ["| setting | type | default | variable | project file | `%config` | flag | what it does |"]
    lines += ["|" + "---|" * 8]
    for setting in SETTINGS.values():
        ways = [
            f"`{setting.variable}`",
            f"`{setting.name}`" if "project" in setting.levels else "—",
            f"`Statebook.{setting.name}`" if "notebook" in setting.levels else "—",
            f"`{setting.flag}`" if setting.flag else "—",
        ]
        shown = setting.show(setting.default)
        default = "empty" if setting.default == "" else "none" if setting.default is None else f"`{shown}`"
        cells = [f"`{setting.name}`", setting.kind.allowed, default, *ways, setting.help]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _flags(parser: argparse.ArgumentParser) -> str:
    lines = ["| flag | what it does |", "|---|---|"]
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of its actions
        if action.option_strings and "--help" not in action.option_strings:
            names = ", ".join(f"`{name}{_value(action)}`" for name in action.option_strings)
            lines.append(f"| {names} | {_help(action)} |")
    return "\n".join(lines)


def _value(action: argparse.Action) -> str:
    return "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").replace("|", "\\|")


def _commands(parser: argparse.ArgumentParser) -> str:
    lines = ["| command | what it does |", "|---|---|"]
    for action in parser._actions:  # noqa: SLF001 - see above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            choices = action._choices_actions  # noqa: SLF001 - see above
            lines += [f"| `%agent {choice.dest}` | {_help(choice)} |" for choice in choices]
    return "\n".join(lines)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if "--help" not in action.option_strings]  # noqa: SLF001 - see above
    words = " ".join(_word(action) for action in actions if not action.option_strings)
    lines = [f"### `%agent {name}{' ' + words if words else ''}`"]
    if actions:
        lines += ["", "| argument | what it is |", "|---|---|"]
    for action in actions:
        shown = ", ".join(f"`{option}{_value(action)}`" for option in action.option_strings) or f"`{action.dest}`"
        choices = f"one of {', '.join(filter(None, action.choices))}" if action.choices else ""
        lines.append(f"| {shown} | {'; '.join(part for part in (_help(action), choices) if part)} |")
    return "\n".join(lines)


def _word(action: argparse.Action) -> str:
    many = action.nargs in ("*", "+", argparse.REMAINDER)
    name = action.dest.upper() + (" ..." if many else "")
    return f"[{name}]" if action.nargs in ("?", "*", argparse.REMAINDER) else name


def _presets() -> str:
    spoken = {"auto": "either", "responses": "Responses", "chat": "Chat Completions"}
    lines = ["| name | server | its address, unless set by | key | speaks |", "|---|---|---|---|---|"]
    for preset in PRESETS:
        variables = ", ".join(f"`{name}`" for name in preset.url_variables)
        place = f"{preset.default_url.partition('://')[2] or 'none'}; {variables}"
        key = " or ".join(f"`{name}`" for name in preset.key_variables)
        wanted = key if preset.wants_key else f"{key}, if the server wants one"
        free = "; free on this machine" if preset.free_here else ""
        lines.append(f"| `{preset.provider}:` | {preset.title} | {place} | {wanted} | {spoken[preset.dialect]}{free} |")
    return "\n".join(lines)


def _views() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "fresh.statebook.duckdb")
        found = {}
        for name in VIEWS:
            columns = store.database.rows(f"DESCRIBE SELECT * FROM {name}")  # noqa: S608 - our own names
            rows = [f"| `{column}` | {kind} |" for column, kind, *_ in columns]
            found[name] = "\n".join(["| column | type |", "|---|---|", *rows])
        store.close()
    return found


def main() -> None:
    """Write every page anew."""
    texts = blocks()
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = fill(old, texts)
        if new != old:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page.relative_to(DOCS)}")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
