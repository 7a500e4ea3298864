"""Which model answers in a session: the one a cell names, the one a person chose, or what this machine has set up."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from statebook.config import Settings
from statebook.errors import ModelError, StoreError
from statebook.model.base import Model, ModelSetup
from statebook.model.discovery import LocalServer, Ports, local_ports, look
from statebook.model.openai.settings import checked
from statebook.model.registry import OFFLINE, also_set, default_name, resolve
from statebook.store.file.database import utc_now
from statebook.store.store import Store

_PREFIX = "endpoint:"
_FRESH = timedelta(days=7)  # a server may be upgraded, or started anew with another context


@dataclass(frozen=True, slots=True)
class Choice:
    """The model used where a cell names none, and why. ``automatic``: nobody chose it, it is what this machine has."""

    name: str
    why: str
    automatic: bool = False


def chosen(settings: Settings, env: Mapping[str, str]) -> Choice:
    """The model for cells that name none: a setting, else a key or base URL in the environment, else ``offline:``."""
    if settings.model:
        return Choice(settings.model, "from the model setting")
    if settings.base_url:
        return Choice("openai:", "from the base_url setting")
    name, why = default_name(env)
    return Choice(name, why, automatic=True)


def base_url_of(settings: Settings, name: str) -> str:
    """The base URL that the settings give to a model's provider; "" for the provider's own.

    It belongs to the provider of the setting ``model``, or to ``openai:`` where none is named: a cell that names
    another provider is not sent there.
    """
    owner = (settings.model or "openai:").partition(":")[0].strip()
    return settings.base_url if name.partition(":")[0].strip() == owner else ""


def shown(url: str) -> str:
    """A base URL as it may be recorded, without user, password and query; "" for none and for what is none."""
    try:
        return checked(url, "").name
    except ModelError:
        return ""


class Models:
    """The models of one session, each made once; what they find out about servers is kept in its store.

    ``env`` stands for the environment.
    """

    def __init__(self, store: Store, settings: Settings, env: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.marks: MutableMapping[str, str] = Marks(store)
        self._env = os.environ if env is None else env
        self._made: dict[tuple[str, str, str, bool], Model] = {}
        self._given: dict[str, Model] = {}
        self._used = ""
        self.lookout = Lookout(local_ports(self._env))

    def get(self, name: str = "", base_url: str = "", *, quiet: bool = False) -> Model:
        """The model of that name, or the default. Raises UsageError, UnknownName and ModelError for what is none.

        ``quiet`` as in `ModelSetup`: nothing is asked of any server.
        """
        wanted = name
        if not wanted:
            choice = self.choice()
            wanted = choice.name
            if choice.automatic and wanted == OFFLINE and not quiet:
                self.lookout.begin()
        if wanted in self._given:
            return self._given[wanted]
        url = base_url or base_url_of(self.settings, wanted)
        key = (wanted, url, self.settings.state, quiet)
        if key not in self._made:
            setup = ModelSetup(self._env, url, self.settings.state, self.marks, quiet)
            self._made[key] = resolve(wanted, setup)
        return self._made[key]

    def use(self, model: Model) -> None:
        """Make a model object the default of this session."""
        self._given[model.name] = model
        self._used = model.name

    def choice(self) -> Choice:
        """The model for cells that name none: an object that was handed over, else what `chosen` says."""
        return Choice(self._used, "handed over as an object") if self._used else chosen(self.settings, self._env)

    def suggestion(self) -> str:
        """One line on how to ask a better model than ``offline:``, as far as is known now; "" for none."""
        choice = self.choice()
        if not choice.automatic or choice.name != OFFLINE:
            return ""
        for provider, variable in also_set(self._env):
            return f"{variable} is set: `%agent models {provider}` lists the models it can ask."
        return next((server.suggestion for server in self.lookout.found() if server.suggestion), "")

    def advice(self) -> list[str]:
        """The suggestion, once a session: for the notes of a run. Waits for nothing."""
        line = "" if self.lookout.told else self.suggestion()
        self.lookout.told = self.lookout.told or bool(line)
        return [line] if line else []


class Lookout:
    """Looks once, on a thread of its own, which model servers answer on this machine."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._thread: threading.Thread | None = None
        self._found: tuple[LocalServer, ...] = ()
        self.told = False

    def begin(self) -> None:
        """Start looking, if that has not been done."""
        if self._thread is None and self._ports:
            self._thread = threading.Thread(target=self._look, name="statebook-lookout", daemon=True)
            self._thread.start()

    def found(self) -> tuple[LocalServer, ...]:
        """What has been found by now."""
        return self._found

    def wait(self, seconds: float) -> None:
        """Until it has looked, if it is looking."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _look(self) -> None:
        self._found = look(self._ports)


class Marks(MutableMapping[str, str]):
    """What calls have found out about servers, by their shown names, kept in the store for a week.

    Never raises for a store that can't be read or written: a mark then lasts as long as the kernel.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._here: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        """The mark of a server. KeyError where there is none, or it is too old to be relied on."""
        text = ""
        with suppress(StoreError):
            text = self._store.get_meta(_PREFIX + key)
        found = self._here.get(key) or _fresh(text)
        if not found:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: str) -> None:
        kept = json.dumps({"at": utc_now().isoformat(timespec="seconds"), "mark": value})
        try:
            self._store.set_meta(**{_PREFIX + key: kept})
        except StoreError:
            self._here[key] = value
        else:
            self._here.pop(key, None)

    def __delitem__(self, key: str) -> None:
        self[key] = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        stored: dict[str, str] = {}
        with suppress(StoreError):
            stored = self._store.metas(_PREFIX)
        told = {key.removeprefix(_PREFIX): _fresh(text) for key, text in stored.items()}
        return {key: mark for key, mark in (told | self._here).items() if mark}


def _fresh(text: str) -> str:
    """The mark in a kept text; "" where it is too old or can't be read."""
    try:
        found = json.loads(text)
        return str(found["mark"]) if abs(utc_now() - datetime.fromisoformat(found["at"])) < _FRESH else ""
    except (ValueError, TypeError, KeyError):
        return ""
