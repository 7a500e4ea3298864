"""Which model servers are set up, which answer, and which one on this machine could be asked."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from statebook.errors import ModelError

from .openai.presets import OPENAI, PRESETS, Preset
from .openai.presets.listing import Answer, ask
from .openai.settings import Endpoint, checked

Ports = tuple[tuple[str, int], ...]
"""Servers to look for on loopback: what listens there by its usual name, and the port."""

USUAL: Ports = (("ollama", 11434), ("lmstudio", 1234), ("vllm", 8000), ("llama.cpp", 8080), ("litellm", 4000))

NEAR_SECONDS = 0.3
FAR_SECONDS = 4.0

_PLAIN = re.compile(r"[\w./@+-][\w./@+:-]{0,99}")  # what a server calls a model goes into a line that people copy
_NO_CHAT = re.compile(r"embed|rerank|whisper|tts|[-:]cloud$", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provided:
    """A preset as this machine has it set up.

    ``configured`` is the variable or setting that names it, "" for none. ``where`` is None where it has no address, and
    ``answer`` where nobody asked it: a server is asked when it is set up, or when it is on this machine.
    """

    preset: Preset
    configured: str
    where: Endpoint | None
    answer: Answer | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server that answered on loopback; ``name`` is what usually listens on its port."""

    name: str
    where: Endpoint
    answer: Answer

    @property
    def command(self) -> str:
        """The line that asks it, to be copied; "" where it has no model that can be named."""
        usable = [model.name for model in self.answer.models if _PLAIN.fullmatch(model.name)]
        talking = [name for name in usable if not _NO_CHAT.search(name)]
        if not talking:
            return ""
        preset = _by_name(self.name) or OPENAI
        place = "" if preset.default_url == self.where.base_url else f" --base-url {self.where.name}"
        return f"%%agent -m {preset.provider}:{talking[0]}{place}"

    @property
    def suggestion(self) -> str:
        """One line for a person who has no model set up; "" where there is nothing to copy."""
        preset = _by_name(self.name)
        title = preset.title if preset else "A model server"
        return f"{title} answers on this machine ({self.where.name}): `{self.command}` asks it." if self.command else ""


def local_ports(env: Mapping[str, str]) -> Ports:
    """Where to look on loopback: ``STATEBOOK_LOCAL_SERVERS`` (``ollama:11434,llama.cpp:8080``), else the usual ports.

    ``none`` looks nowhere; what is no ``NAME:PORT`` is passed over.
    """
    text = env.get("STATEBOOK_LOCAL_SERVERS", "").strip()
    if not text:
        return USUAL
    pairs = [item.strip().rpartition(":") for item in text.split(",")]
    return tuple((name, int(port)) for name, _, port in pairs if name and port.isdigit() and 0 < int(port) < 65536)  # noqa: PLR2004 - ports have 16 bits


def look(ports: Ports) -> tuple[LocalServer, ...]:
    """The model servers that answer on these ports of 127.0.0.1, in their order. Takes about as long as the slowest."""
    places = [(name, checked(f"http://127.0.0.1:{port}/v1", "")) for name, port in ports]
    answers = together([_asking(where, {}, "", NEAR_SECONDS) for _, where in places], 3 * NEAR_SECONDS)
    found = zip(places, answers, strict=True)
    return tuple(LocalServer(name, where, answer) for (name, where), answer in found if answer and not answer.problem)


def survey(
    env: Mapping[str, str], ports: Ports, base_urls: Mapping[str, str], presets: Sequence[Preset] = PRESETS
) -> tuple[Provided, ...]:
    """Every preset, and what those answer that are set up or on this machine; all at once.

    ``base_urls`` holds the address a setting gives to a provider.
    """
    rows = [_placed(preset, env, dict(ports), base_urls.get(preset.provider, "")) for preset in presets]
    waiting = [(place, row) for place, row in enumerate(rows) if row.where is not None]
    tasks = [_asking_preset(row.preset, row.where) for _, row in waiting if row.where is not None]
    answers = together(tasks, FAR_SECONDS)
    for (place, row), answer in zip(waiting, answers, strict=True):
        told = answer or Answer(problem="does not answer in time")
        rows[place] = Provided(row.preset, row.configured, row.where, told)
    return tuple(rows)


def models_of(preset: Preset, where: Endpoint) -> Answer:
    """The models of one provider."""
    answers = together([_asking_preset(preset, where)], FAR_SECONDS)
    return answers[0] or Answer(problem="does not answer in time")


def together(tasks: Sequence[Callable[[], T]], seconds: float) -> list[T | None]:
    """What each task gives within ``seconds``, all at once; None for one that takes longer, which is left behind."""
    results: list[T | None] = [None] * len(tasks)

    def run(place: int) -> None:
        results[place] = tasks[place]()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(tasks))]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(results)


def _placed(preset: Preset, env: Mapping[str, str], ports: Mapping[str, int], base_url: str) -> Provided:
    configured = "base_url" if base_url else preset.configured(env)
    try:
        if configured and (base_url or preset.own_url(env)):
            return Provided(preset, configured, preset.endpoint(base_url, env), None)
    except ModelError as error:
        return Provided(preset, configured, None, None, error.message)
    if configured:
        return Provided(preset, configured, None, None, preset.to_configure)
    if preset.provider in ports:
        return Provided(preset, "", checked(f"http://127.0.0.1:{ports[preset.provider]}/v1", ""), None)
    return Provided(preset, "", None, None)


def _asking_preset(preset: Preset, where: Endpoint) -> Callable[[], Answer]:
    return _asking(where, preset.headers, preset.list_key, NEAR_SECONDS if where.loopback else FAR_SECONDS)


def _asking(where: Endpoint, headers: Mapping[str, str], key_header: str, seconds: float) -> Callable[[], Answer]:
    return lambda: ask(where, headers, key_header, seconds)


def _by_name(name: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.provider == name), None)
