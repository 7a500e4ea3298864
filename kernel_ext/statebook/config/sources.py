"""Reads settings from where they are set, and says which source wins: the one place that knows the order."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from statebook.errors import UnknownName, UsageError

from .settings import LEVELS, LIMITS, SETTINGS, Level, Setting, Settings

_PREFIX = "STATEBOOK_"
_WIDEST = 60
"""Characters of a wrong value that an error quotes."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that one source gives; ``where`` names the source as a person would look for it."""

    value: object = field(repr=False)  # may hold a password
    level: Level
    where: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What one source says that can't be used. ``name`` is "" where it is no setting's."""

    name: str
    level: Level
    error: UsageError


@dataclass(slots=True)
class Layer:
    """What one source says: values by name, what can't be used, and what is left out with a word to the person."""

    level: Level
    values: dict[str, Given] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings in force, and how they came about.

    ``given`` lists for each name what the sources say, the winner first, the default last: a higher source wins, save
    that a project file can't lift a limit of IPython's configuration. ``faults`` are those that
    no higher source makes up for; the settings are then those without them. ``notices`` are for the person to read.
    """

    given: Mapping[str, tuple[Given, ...]]
    faults: tuple[Fault, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """The values that won."""
        values: dict[str, Any] = {name: found[0].value for name, found in self.given.items()}
        return Settings(**values)

    def check(self) -> None:
        """Raise UsageError for the first fault: a limit that can't be read must not be taken for no limit."""
        if self.faults:
            error, more = self.faults[0].error, len(self.faults) - 1
            raise UsageError(error.message, f"{error.hint} {more} more: `%agent config`.") if more else error


def resolve(layers: Iterable[Layer], folder: Path | None = None) -> Resolved:
    """The settings that these layers give together. ``folder`` is the notebook's, where relative sources start."""
    ranked = sorted(layers, key=lambda layer: LEVELS.index(layer.level), reverse=True)
    given = {name: [Given(setting.default, "default", "default")] for name, setting in SETTINGS.items()}
    faults: list[Fault] = []
    for layer in reversed(ranked):
        faults += layer.faults
        for name, found in layer.values.items():
            error = _missing(found, folder) if name == "sources" and folder is not None else None
            if error is not None:
                faults.append(Fault(name, layer.level, error))
            else:
                given[name].insert(int(_lifts(name, found, given[name][0])), found)
    standing = [fault for fault in faults if not fault.name or _outranks(fault.level, given[fault.name][0].level)]
    notices = [notice for layer in ranked for notice in layer.notices]
    return Resolved({name: tuple(found) for name, found in given.items()}, tuple(standing), tuple(notices))


def read_layer(level: Level, raw: Mapping[str, object], where: Callable[[str], str]) -> Layer:
    """The layer of one source. ``where`` names the place of a key in it."""
    layer = Layer(level)
    for name, value in raw.items():
        setting = SETTINGS.get(name)
        if setting is None:
            known = [known.name for known in SETTINGS.values() if level in known.levels]
            stands = where(name if name.isprintable() else repr(name))  # TOML takes any key in quotes
            layer.faults.append(Fault("", level, UnknownName("setting", name, known, f"It stands in {stands}.")))
        elif level not in setting.levels:
            layer.notices.append(_left_out(setting, level, where(name)))
        else:
            try:
                layer.values[name] = Given(setting.kind.read(value), level, where(name))
            except (ValueError, TypeError):
                layer.faults.append(Fault(name, level, wrong(setting, value, where(name))))
    return layer


def from_environment(env: Mapping[str, str]) -> Layer:
    """What the ``STATEBOOK_`` variables say; an empty one says nothing."""
    raw = {name: env[setting.variable] for name, setting in SETTINGS.items() if env.get(setting.variable)}
    return read_layer("environment", raw, lambda name: SETTINGS[name].variable)


def misspelt(env: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like those of settings and are none, with the one that may be meant."""
    known = [setting.variable for setting in SETTINGS.values()]
    others = [name for name in env if name.startswith(_PREFIX) and name not in known]
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in others}
    return {name: found[0] for name, found in near.items() if found}


def wrong(setting: Setting, value: object, where: str) -> UsageError:
    """The error for a value that can't be read: the source, the key and what is allowed."""
    said = "be used" if setting.kind.secret else f"be {_short(value)}"
    return UsageError(f"{where} can't {said}.", f"It must be {setting.kind.allowed}.")


def _short(value: object) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= _WIDEST else f"{quoted[:_WIDEST]}..."


def _outranks(level: Level, other: Level) -> bool:
    return LEVELS.index(level) > LEVELS.index(other)


def _lifts(name: str, project: Given, mine: Given) -> bool:
    """Whether a project file would lift a limit that the person has set for all of their notebooks."""
    if name not in LIMITS or (project.level, mine.level) != ("project", "ipython"):
        return False
    caps = [math.inf if given.value is None else float(str(given.value)) for given in (project, mine)]
    return caps[0] > caps[1]


def _missing(given: Given, folder: Path) -> UsageError | None:
    for path in given.value if isinstance(given.value, tuple) else ():
        there = False
        with suppress(OSError, ValueError, RuntimeError):  # a path that is too long, or a home that nobody has
            there = (folder / Path(path).expanduser()).exists()
        if not there:
            return UsageError(f"{given.where}: there is no {folder / path}.", "Name folders or files that exist.")
    return None


def _left_out(setting: Setting, level: Level, where: str) -> str:
    why = "it comes with the folder, and could send keys and prompts elsewhere" if level == "project" else "not there"
    others = f"`%config Statebook.{setting.name} = ...` or {setting.variable}"
    if "notebook" not in setting.levels:
        others = setting.variable
    return f"{where} is not used: {why}. Set it with {others}."
