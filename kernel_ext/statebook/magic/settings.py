"""``%config Statebook`` and ``c.Statebook``: the settings as traits, each remembering who set it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, cast

from traitlets import TraitError, TraitType
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from statebook.config import SETTINGS, Setting
from statebook.config.kinds import TEXT
from statebook.config.sources import Layer, Resolved, read_layer, wrong
from statebook.errors import UnknownName

_SECTION = "Statebook"
SETTABLE = {name: setting for name, setting in SETTINGS.items() if "notebook" in setting.levels}
"""The settings that ``%config`` takes."""


class Value(TraitType[Any, Any]):
    """A setting as a trait. Reading it gives the value in force, wherever it was set."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(default_value=setting.default, help=_help(setting))
        self.setting = setting
        self.tag(config=True)

    def validate(self, _obj: object, value: object) -> object:
        """The value as the session takes it. Raises TraitError, one line."""
        try:
            return self.setting.kind.read(value)
        except (ValueError, TypeError):
            raise TraitError(str(wrong(self.setting, value, f"{_SECTION}.{self.name}"))) from None

    def get(self, obj: Any, cls: Any = None) -> object:
        """The value in force."""
        found = obj.in_force().given[self.name][0].value
        return list(found) if isinstance(found, tuple) else found

    def set(self, obj: Any, value: object) -> None:
        """Set in the notebook: recorded even where it is what held before. Raises TraitError."""
        obj.here[self.name] = self._validate(obj, value)


def _help(setting: Setting) -> str:
    allowed = setting.kind.allowed
    return setting.help if setting.kind is TEXT else f"{setting.help}. {allowed[0].upper()}{allowed[1:]}."


class Configured(Configurable):
    """What IPython's configuration says of the settings, and what the notebook has set since.

    traitlets has one value per trait and can't tell who set it, and ``%config`` merges what it sets into the shell's
    configuration. So that is read once, when the extension is loaded; all that is set later was set in the notebook.
    """

    def __init__(self, shell: Any, resolve: Callable[[], Resolved]) -> None:
        super().__init__()
        self.here: dict[str, object] = {}
        self.in_force = resolve
        self._shell = shell
        self._at_load = deepcopy(shell.config[_SECTION]) if _SECTION in shell.config else None
        self.ipython = self._from_ipython()

    @property
    def notebook(self) -> Layer:
        """What was set in the notebook."""
        return read_layer("notebook", self.here, lambda name: f"%config {_SECTION}.{name}")

    def update_config(self, config: Config) -> None:
        """What ``%config Statebook.NAME = VALUE`` calls; it shows a TraitError as one line."""
        for name, value in config.get(_SECTION, {}).items():
            if name not in SETTABLE:
                raise TraitError(str(UnknownName("setting", name, SETTABLE, "`%agent config` lists them.")))
            setattr(self, name, value)

    def leave(self) -> None:
        """Give the shell's configuration back as it was when the extension was loaded."""
        self._shell.config.pop(_SECTION, None)
        if self._at_load is not None:
            self._shell.config[_SECTION] = self._at_load

    def _from_ipython(self) -> Layer:
        raw = {name: _plain(name, value) for name, value in (self._at_load or {}).items()}
        typed = getattr(getattr(self._shell, "parent", None), "cli_config", None) or {}
        flags = cast("Mapping[str, object]", typed.get(_SECTION, {}))

        def where(name: str) -> str:
            return f"--{_SECTION}.{name}" if name in flags else f"c.{_SECTION}.{name} (ipython_config.py)"

        return read_layer("ipython", raw, where)


def _plain(name: str, value: object) -> object:
    """A configured value as Python: a command line's is text yet, and ``.append(...)`` is a change to the default."""
    if isinstance(value, LazyConfigValue):
        default = SETTINGS[name].default if name in SETTINGS else ()
        return value.get_value(list(default)) if isinstance(default, tuple) else value
    if isinstance(value, DeferredConfig):
        return str(value) if isinstance(value, str) else list(cast("list[object]", value))
    return value


def traits(shell: Any, resolve: Callable[[], Resolved]) -> Configured:
    """The settings of one shell. ``resolve`` gives the `Resolved` in force; it is called when a trait is read."""
    members = {
        name: type(setting.kind.name, (Value,), {})(setting) for name, setting in SETTABLE.items()
    }  # for %config
    return cast("Configured", type(_SECTION, (Configured,), {**members, "__doc__": Configured.__doc__})(shell, resolve))
