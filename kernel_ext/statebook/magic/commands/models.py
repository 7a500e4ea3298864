"""Which model answers, which providers are set up, and which servers answer."""

from __future__ import annotations

import os
from argparse import Namespace as Flags
from collections.abc import Mapping
from typing import TYPE_CHECKING

from statebook.config import Settings
from statebook.errors import ModelError, UnknownName
from statebook.magic.host import Host
from statebook.model.discovery import LocalServer, Provided, local_ports, look, models_of, survey
from statebook.model.openai.marks import read_mark
from statebook.model.openai.presets import Preset
from statebook.model.openai.presets.listing import Answer
from statebook.model.openai.settings import Endpoint
from statebook.model.registry import OFFLINE, origin_of, presets, provider_names
from statebook.session.models import Choice, base_url_of, chosen
from statebook.ui.sheets.listing import listing
from statebook.ui.sheets.sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd

_IN_USE = " (in use)"


class ModelCommands:
    """models."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_models(self, flags: Flags) -> Sheet | pd.DataFrame:
        """Every provider, or the models of one; opens no session."""
        name = flags.provider.partition(":")[0]
        if not name:
            return self._providers()
        if name not in provider_names():
            raise UnknownName("model provider", name, provider_names(), "`%agent models` says which are set up.")
        return self._models(name)

    def _providers(self) -> Sheet:
        settings, choice, marks = self._now()
        ports = local_ports(os.environ)
        known = {preset.provider: preset for preset in presets()}
        given = {name: url for name in known if (url := base_url_of(settings, name))}
        provided = survey(os.environ, ports, given, tuple(known.values()))
        rows = [(each.preset.provider, _row(each, marks)) for each in provided]
        others = look(tuple((name, port) for name, port in ports if name not in known))
        rows += [
            (each.name, f"{each.where.name} · answers, {_count(each.answer)}\n`{each.command}`") for each in others
        ]
        rows += [(name, _plugin(name)) for name in provider_names() if name not in known]
        used = choice.name.partition(":")[0]
        rows = sorted([(f"{name}{_IN_USE}" if name == used else name, text) for name, text in rows], key=_order)
        hint = (
            "`%agent models ollama` lists the models of one; `%%agent -m ollama:MODEL` asks one."
            " Variables are set before Jupyter starts."
        )
        if choice.automatic and choice.name == OFFLINE:
            near = [*(server for each in provided if (server := _near(each))), *others]
            hint = next((server.suggestion for server in near if server.suggestion), hint)
        return Sheet(f"In use: {choice.name} ({choice.why})", tuple(rows), hint)

    def _models(self, provider: str) -> pd.DataFrame:
        import pandas as pd

        preset = next((each for each in presets() if each.provider == provider), None)
        if preset is None:
            return listing(pd.DataFrame({"model": [f"{provider}:"], "from": [_plugin(provider)]}))
        url = self._address(preset)
        if not url and not (preset.configured(os.environ) and preset.own_url(os.environ)) and preset.wants_key:
            raise ModelError(f"{preset.title} is not set up.", preset.to_configure, fault="no_key")
        where = preset.endpoint(url, os.environ)
        answer = models_of(preset, where)
        if answer.problem:
            raise ModelError(
                f"{preset.title} ({where.name}): {answer.problem}.", _advice(preset, where, answer.problem)
            )
        frame = pd.DataFrame(
            [(f"{provider}:{each.name}", each.context_tokens) for each in answer.models],
            columns=["model", "context_tokens"],
        )
        frame = frame.astype({"context_tokens": "Int64"}).sort_values("model", ignore_index=True)
        return listing(frame if frame.context_tokens.notna().any() else frame[["model"]])

    def _address(self, preset: Preset) -> str:
        """The base URL of the settings, else the port that is looked at where nothing else is said; "" for its own."""
        url = base_url_of(self._host.settings(), preset.provider)
        ports = dict(local_ports(os.environ))
        if url or preset.configured(os.environ) or preset.provider not in ports:
            return url
        return f"http://127.0.0.1:{ports[preset.provider]}/v1"

    def _now(self) -> tuple[Settings, Choice, Mapping[str, str]]:
        if self._host.registry.current is None:
            settings = self._host.settings()
            return settings, chosen(settings, os.environ), {}
        models = self._host.session().models
        return models.settings, models.choice(), models.marks


def _row(each: Provided, marks: Mapping[str, str]) -> str:
    if each.where is None:
        return f"{each.configured} is set · {each.problem}" if each.problem else f"set {each.preset.wanted}"
    if each.answer is None or (each.answer.problem and not each.configured):
        return f"set {each.preset.wanted}, or start it on this machine"
    told = [f"{each.configured} is set" if each.configured else "found on this machine, not set up", each.where.name]
    told.append(each.answer.problem or f"answers, {_count(each.answer)}")
    speaks = each.preset.dialect if each.preset.dialect != "auto" else read_mark(marks, each.where.name).speaks
    return " · ".join([*told, f"speaks {speaks}"] if speaks else told)


def _order(row: tuple[str, str]) -> int:
    """The one in use first, then what is set up or found, then what could be."""
    name, text = row
    return 0 if name.endswith(_IN_USE) else 2 if text.startswith("set ") else 1


def _near(each: Provided) -> LocalServer | None:
    """The server that was found on this machine without being set up."""
    if each.configured or each.where is None or each.answer is None or each.answer.problem:
        return None
    return LocalServer(each.preset.provider, each.where, each.answer)


def _advice(preset: Preset, where: Endpoint, problem: str) -> str:
    """What to do where a provider gives no list of its models."""
    if not (preset.wants_key and preset.configured(os.environ)):
        return preset.to_configure
    if "refuses the key" in problem:
        return preset.key_check(where, os.environ)
    return "Check its address and the network; a model can be asked by its name without the list."


def _count(answer: Answer) -> str:
    return f"{len(answer.models)} model{'s' * (len(answer.models) != 1)}"


def _plugin(name: str) -> str:
    if name == "offline":
        return "always there, needs no key and no network; it quotes sources and does not reason"
    return f"a plugin of {origin_of(name) or 'an installed package'}"
