"""The values only the session, the notebook or this machine knows: runs, branches, tools, variables, paths, models."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol

from statebook.config import SETTINGS
from statebook.magic.grammar.decisions import CHOICES

from .options import Option, Spot, subcommands
from .points import Points

if TYPE_CHECKING:
    from statebook.session.session import Session
    from statebook.state.namespace import Namespace

_MOST = 50
"""Runs that are offered, newest first."""
_ENTRIES = 2000
"""Entries of a folder that are looked at."""


class Around(Protocol):
    """The extension, as completion sees it: nothing here may open a session."""

    shell: Any

    @property
    def namespace(self) -> Namespace:
        """The user's variables."""
        ...

    def open_session(self) -> Session | None:
        """The current session, where one is open."""
        ...


class Known:
    """What is known for each argument; what a session would have to be opened for is left out."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._providers: list[str] = []
        points = Points(around.open_session)
        self._by_argument: dict[str, Callable[[Spot], Iterable[Option]]] = {
            "model": self._models,
            "branch": self._branches,
            "tools": self._tools,
            "schema": self._forms,
            "out": lambda _: self.variables(),
            "run": self._runs,
            "call": self._calls,
            "rule": self._rules,
            "words": self._memories,
            "paths": lambda spot: self.paths(spot.fragment),
            "path": lambda spot: self.paths(spot.fragment, (".ipynb", ".duckdb")),
            "topic": self._commands,
            "config name": lambda _: [Option(name, setting.help) for name, setting in SETTINGS.items()],
            "provider": lambda _: [Option(name, "provider") for name in self._provider_names()],
            "query": self._views,
            "point": points.points,
            "one": points.points,
            "other": points.points,
            "source": points.points,
            "at": points.points,
            "before": points.points,
            "old": points.branches,
            "switch name": points.branches,
            "scope": points.scopes,
            "memory": points.memories,
            "variables": points.variables,
        }

    def values(self, spot: Spot) -> Iterable[Option]:
        """The values of an argument, by its name in the parser (or ``command name``); nothing for free text."""
        found = self._by_argument.get(f"{spot.command} {spot.dest}") or self._by_argument.get(spot.dest)
        return found(spot) if found else ()

    # -- the notebook --------------------------------------------------------------------------------------------

    def variables(self) -> list[Option]:
        """The user's public names: data first, then functions and classes, then modules."""
        named = self._around.namespace.named()
        order = sorted(named, key=lambda name: (_rank(named[name]), name))
        return [Option(name, type(named[name]).__name__) for name in order]

    def paths(self, fragment: str, endings: tuple[str, ...] = ()) -> list[Option]:
        """Files and folders (with a slash) that begin like ``fragment``, from the notebook's folder on."""
        from statebook.protected import why_protected

        quote, written = (fragment[0], fragment[1:]) if fragment[:1] in ("'", '"') else ("", fragment)
        head, slash, start = written.rpartition("/")
        folder = self._folder() / Path(head + slash).expanduser()
        found = []
        for path, is_folder in _entries(folder):
            name = path.name
            fits = name.startswith(start) and (not name.startswith(".") or start.startswith("."))
            if fits and (is_folder or name.endswith(endings or "")) and (endings or not why_protected(PurePath(name))):
                text = f"{head}{slash}{name}{'/' if is_folder else ''}"
                mark = quote or ('"' if " " in text else "")
                found.append(Option(f"{mark}{text}{'' if is_folder else mark}", "folder" if is_folder else "file"))
        return found

    def _folder(self) -> Path:
        session = self._around.open_session()
        return session.toolset.workspace if session is not None else Path.cwd()

    def _forms(self, _spot: Spot) -> list[Option]:
        named = self._around.namespace.named()
        return [option for option in self.variables() if issubclass(type(named.get(option.text)), (type, dict))]

    # -- the session ---------------------------------------------------------------------------------------------

    def _newest(self) -> list[tuple[int, str, str]]:
        session = self._around.open_session()
        return session.store.newest(_MOST) if session is not None else []

    def _runs(self, _spot: Spot) -> list[Option]:
        return [Option(f"r{run}", " ".join(prompt.split())) for run, _, prompt in self._newest()]

    def _calls(self, spot: Spot) -> list[Option]:
        """The calls that wait for such a decision; and what may be said where the call is left out."""
        session = self._around.open_session()
        if session is None:
            return []
        from statebook.session.waiting import waiting_in

        kind = "in_doubt" if spot.command == "settle" else "approval"
        runs = session.answerable()
        waiting = [each for run in runs for each in waiting_in(run) if each.kind == kind]
        found = [Option(each.name, f"{each.call.call.name} {each.call.call.arguments}") for each in waiting]
        return [*found, *(Option(choice, "the only call in doubt") for choice in CHOICES if kind == "in_doubt")]

    def _models(self, _spot: Spot) -> list[Option]:
        used = dict.fromkeys(model for _, model, _ in self._newest())
        return [Option(model, "used here") for model in used] + [
            Option(f"{name}:", "provider") for name in self._provider_names()
        ]

    def _provider_names(self) -> list[str]:
        if not self._providers:
            from statebook.model.registry import provider_names

            self._providers = provider_names()
        return self._providers

    def _branches(self, _spot: Spot) -> list[Option]:
        session = self._around.open_session()
        branches = session.store.journal.branches.values() if session is not None else ()
        return [Option(branch.name, "branch") for branch in branches]

    def _tools(self, _spot: Spot) -> list[Option]:
        session = self._around.open_session()
        tools = session.toolset.all() if session is not None else ()
        return [Option(tool.spec.name, tool.spec.description.strip().partition("\n")[0]) for tool in tools]

    def _memories(self, spot: Spot) -> list[Option]:
        session = self._around.open_session()
        if session is None or spot.before[:1] != ("forget",):
            return []
        return [Option(memory.mark, memory.text) for memory in reversed(session.store.as_of_head.memories())]

    def _rules(self, spot: Spot) -> list[Option]:
        if spot.before:
            return self._tools(spot) if len(spot.before) == 1 else []
        from typing import get_args

        from statebook.protocol.approvals import Verdict

        return [Option(verdict, "a call that matches") for verdict in get_args(Verdict)]

    def _commands(self, _spot: Spot) -> list[Option]:
        from statebook.magic.grammar import line_parser

        return [option for action in line_parser()._actions for option in subcommands(action)]  # noqa: SLF001 - no other way

    def _views(self, _spot: Spot) -> list[Option]:
        from statebook.store.views import VIEWS

        return [Option(name, "view") for name in VIEWS]


def _rank(value: object) -> int:
    if issubclass(type(value), types.ModuleType):  # not isinstance: a proxy's class may be a property that fails
        return 2
    return 1 if callable(value) else 0


def _entries(folder: Path) -> Iterator[tuple[Path, bool]]:
    """(path, whether it is a folder) of what lies in a folder, folders first; nothing for one that can't be read."""
    try:
        listed = [path for path, _ in zip(folder.iterdir(), range(_ENTRIES), strict=False)]
    except OSError:
        return
    for is_folder in (True, False):
        yield from ((path, is_folder) for path in sorted(listed) if path.is_dir() == is_folder)
