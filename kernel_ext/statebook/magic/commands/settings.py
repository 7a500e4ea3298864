"""Which settings are in force, where each was set, and how to change it at each level."""

from __future__ import annotations

import os
from argparse import Namespace as Flags
from itertools import pairwise

from statebook.config import SETTINGS, Setting
from statebook.config.settings import LEVELS
from statebook.config.sources import Resolved, misspelt
from statebook.errors import UnknownName
from statebook.magic.host import Host
from statebook.session.models import chosen
from statebook.ui.sheets.sheet import Sheet

_HINT = (
    "A higher source wins: a cell's flag, %config Statebook.NAME = VALUE, STATEBOOK_NAME in the environment, NAME in"
    " [tool.statebook] of pyproject.toml (or statebook.toml), c.Statebook.NAME in ipython_config.py. `%agent config"
    " NAME` explains one."
)


class SettingsCommands:
    """config."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_config(self, flags: Flags) -> Sheet:
        """Every setting, or one in full; opens nothing."""
        found = self._host.resolved()
        if flags.name:
            name = flags.name.removeprefix("Statebook.").replace("-", "_").removeprefix("STATEBOOK_").lower()
            if name not in SETTINGS:
                raise UnknownName("setting", flags.name, SETTINGS, "`%agent config` lists them.")
            return _one(SETTINGS[name], found)
        rows = [(name, _row(setting, found)) for name, setting in SETTINGS.items()]
        rows += [("not used", str(fault.error)) for fault in found.faults if not fault.name]
        rows += [("notice", notice) for notice in found.notices]
        rows += [("notice", f"{name} is no setting; {near} is.") for name, near in misspelt(os.environ).items()]
        return Sheet("Settings", tuple(rows), _HINT)


def _row(setting: Setting, found: Resolved) -> str:
    given = found.given[setting.name]
    first = setting.show(given[0].value)
    if setting.name == "model" and not given[0].value:
        first = f"automatic ({chosen(found.settings, os.environ).name})"
    lines = [f"{first} · {given[0].where}"]
    for upper, lower in pairwise(given):
        if LEVELS.index(lower.level) > LEVELS.index(upper.level):
            lines.append(f"not {setting.show(lower.value)} · {lower.where}: a project file can't lift your limit")
        elif lower.level != "default":
            lines.append(f"over {setting.show(lower.value)} · {lower.where}")
    lines += [f"not used: {fault.error}" for fault in found.faults if fault.name == setting.name]
    return "\n".join(lines)


def _one(setting: Setting, found: Resolved) -> Sheet:
    rows = [("in force", _row(setting, found)), ("what it is", setting.help), ("allowed", setting.kind.allowed)]
    rows += [("default", setting.show(setting.default)), *ways(setting)]
    if "project" not in setting.levels:
        rows.append(("project file", "not read from there: it comes with the folder, perhaps from a stranger"))
    return Sheet(setting.name, tuple(rows), "A source wins over those below it.")


def ways(setting: Setting) -> list[tuple[str, str]]:
    """How a setting is changed, highest source first: (level, what to write)."""
    value = setting.kind.choices[-1] if setting.kind.choices else "VALUE"
    found = [("one cell", f"%%agent {setting.flag} {value}")] if setting.flag else []
    levels = {
        "notebook": ("notebook", f"%config Statebook.{setting.name} = {value!r}".replace("'VALUE'", "VALUE")),
        "environment": ("environment", f"{setting.variable}={value}"),
        "project": ("project file", f"{setting.name} = VALUE under [tool.statebook] in pyproject.toml"),
        "ipython": (
            "IPython",
            f"c.Statebook.{setting.name} = {value!r} in ipython_config.py".replace("'VALUE'", "VALUE"),
        ),
    }
    return found + [way for level, way in levels.items() if level in setting.levels]
