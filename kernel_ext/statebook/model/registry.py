"""Finds the model for a ``provider:model`` name among the plugins of the entry point group ``statebook.models``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from statebook.errors import ModelError, UnknownName, UsageError

from .base import Model, ModelSetup, Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .openai.presets import Preset

GROUP = "statebook.models"
OFFLINE = "offline:research"


def resolve(name: str, setup: ModelSetup | None = None) -> Model:
    """The model that ``provider:model`` names, e.g. ``openai:gpt-5.5`` or ``offline:``.

    Nothing is connected and no key is needed yet, so a recorded cell can replay without either. ``setup`` is that of
    this process where it is None. Raises UnknownName for a provider that is not installed, UsageError for a name of
    another form.
    """
    provider, colon, model = name.strip().partition(":")
    known = _providers()
    if not colon:
        raise UsageError(f"{name!r} is not a model name.", _offer(provider, known))
    if provider == "scripted":
        raise UsageError(
            "Scripted models have no name to resolve.",
            "Build one in Python and pass the object: `from statebook.testing import ScriptedModel`.",
        )
    if provider not in known:
        raise UnknownName("model provider", provider, known, "Models are named provider:model.")
    return _create(known[provider], model, setup or ModelSetup(os.environ))


def default_name(env: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The model used where nothing was chosen, and a one-line reason: a configured provider, else ``offline:``.

    Only ``openai:`` has a model of its own to name; where the key of another provider is set, the reason says so.
    """
    values = os.environ if env is None else env
    others = also_set(values)
    also = f" ({others[0][1]} is set too: `-m {others[0][0]}:MODEL` asks that one)" if others else ""
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        if values.get(variable):
            from .openai.settings import model_name

            return f"openai:{model_name('', values)}", f"{variable} is set{also}"
    if others:
        provider, variable = others[0]
        return OFFLINE, f"{variable} is set, but no model is named: `%agent models {provider}` lists what it has"
    return OFFLINE, "no model is configured; connect one with -m provider:model"


def also_set(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """The providers besides ``openai:`` whose key is in the environment, each with its variable."""
    from .openai.presets import OPENAI, PRESETS

    named = [(each.provider, each.configured(env)) for each in PRESETS if each is not OPENAI and each.key(env)]
    return [(provider, variable) for provider, variable in named if variable]


def provider_names() -> list[str]:
    """The installed providers, sorted."""
    return sorted(_providers())


def presets() -> tuple[Preset, ...]:
    """The servers known by name: those that come with statebook, then those of plugins that load."""
    from .openai.presets import PRESETS, Preset

    ours = {preset.provider for preset in PRESETS}
    found = []
    for name, point in sorted(_providers().items()):
        with suppress(Exception):  # what is wrong with a plugin is told when it is asked for
            loaded = point.load() if name not in ours and name != "offline" else None
            if isinstance(loaded, Preset):
                found.append(loaded)
    return (*PRESETS, *found)


def origin_of(provider: str) -> str:
    """The distribution that an installed provider comes from; "" where that is not known."""
    point = _providers().get(provider)
    return point.dist.name if point is not None and point.dist is not None else ""


def _providers() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def _create(point: EntryPoint, model: str, setup: ModelSetup) -> Model:
    try:
        factory = cast("Provider", point.load())
    except Exception as error:
        raise ModelError(
            f"The provider {point.name!r} can't be loaded: {error}.", f"It comes from {point.value}; reinstall it."
        ) from error
    return factory(model, setup)


def _offer(word: str, known: Mapping[str, EntryPoint]) -> str:
    if word in known:
        return f"Models are named provider:model; did you mean '{word}:'?"
    if word and "openai" in known:
        return f"Models are named provider:model; did you mean 'openai:{word}'?"
    return f"Models are named provider:model; installed providers: {', '.join(sorted(known)) or 'none'}."
