"""What a preset is: where a kind of server is, which key is its own, what it speaks.

A key goes to the server it was set for and to no other: to the provider's own address, or to the one that the base URL
variable beside it names. A ``--base-url`` of another origin is asked without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from statebook.errors import ModelError, UsageError
from statebook.model.base import ModelSetup
from statebook.model.openai.client import OpenAIModel
from statebook.model.openai.service import Connect, DialectChoice, Service, plain
from statebook.model.openai.settings import Endpoint, checked, model_name
from statebook.model.prices import price
from statebook.protocol.models import Usage

from .addresses import same_origin, with_path
from .apart import apart
from .windows import window

_NOWHERE = "https://unset.invalid/v1"
"""Stands for a base URL that is not known yet (RFC 2606): a recorded cell replays without one."""


_ELSEWHERE = ("-cloud", ":cloud")
"""How names of models end that a local Ollama asks its cloud for (https://docs.ollama.com/cloud)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of server, and the `Provider` of its models.

    ``provider`` stands before the colon, ``title`` is what people call it. ``default_url`` is its base URL where none
    of ``url_variables`` is set; "" where it has none of its own. ``complete`` makes a base URL of what a person gives.
    Of ``key_variables`` the first that is set counts. ``wants_key`` says whether its own address answers without one,
    ``free_here`` whether its tokens cost nothing on this machine. ``list_key`` is the header that carries the key when
    the models are listed, where that is not ``Authorization``. ``to_set`` are the variables that set it up, in words.
    """

    provider: str
    title: str
    default_url: str
    url_variables: tuple[str, ...]
    key_variables: tuple[str, ...]
    dialect: DialectChoice = "auto"
    complete: Callable[[str], str] = with_path
    to_set: str = ""
    wants_key: bool = True
    free_here: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    list_key: str = ""
    connect: Connect = plain

    def __call__(self, model: str, setup: ModelSetup) -> OpenAIModel:
        """The model of that name; nothing is connected, and no key needed, yet. Raises UsageError, ModelError."""
        if self.provider == "openai":
            model = model_name(model, setup.env)
        if not model:
            raise UsageError(
                f"{self.provider}: needs a model's name.", f"`%agent models {self.provider}` lists what it has."
            )
        where = self.endpoint(setup.base_url, setup.env)
        service = Service(
            provider=self.provider,
            dialect=self.dialect,
            headers=self.headers,
            key_hint=self.to_configure,
            key_check=self.key_check(where, setup.env),
            key_optional=self._asks_without_key(where),
            context_tokens=lambda: window(self.provider, model, where, setup),
            connect=self._connect(where, setup.env),
            price=_nothing if self.is_free(model, where) else price,
        )
        return OpenAIModel(model, where, service, marks=setup.marks, state=setup.state)

    # -- where and with what -------------------------------------------------------------------------------------

    def own_url(self, env: Mapping[str, str]) -> str:
        """The address its keys belong to: that of its variables, else its default; "" where neither is."""
        given = next((env[name] for name in self.url_variables if env.get(name)), "")
        return self.complete(given) if given else self.default_url

    def endpoint(self, base_url: str, env: Mapping[str, str]) -> Endpoint:
        """``base_url``, else its own address; with its key only where that is the key's. Raises ModelError."""
        own = self.own_url(env)
        url = self.complete(base_url) if base_url else own
        key = self.key(env) if same_origin(url, own) else ""
        return checked(url or _NOWHERE, key)

    def key(self, env: Mapping[str, str]) -> str:
        """The key that is set for it; "" for none."""
        return next((env[name] for name in self.key_variables if env.get(name)), "")

    def configured(self, env: Mapping[str, str]) -> str:
        """The variable by which a person has set it up, "" for none."""
        names = (*self.key_variables, self.url_variables[0])
        return next((name for name in names if env.get(name)), "")

    def is_free(self, model: str, where: Endpoint) -> bool:
        """Whether tokens cost nothing: on this machine, but not where Ollama passes on to its cloud."""
        return self.free_here and where.loopback and not model.endswith(_ELSEWHERE)

    # -- what to say ---------------------------------------------------------------------------------------------

    @property
    def to_configure(self) -> str:
        """What to set, as a sentence."""
        if not self.wants_key:
            return f"Start {self.title}, or set {self.url_variables[0]} to where it is."
        return f"Set {self.wanted} before Jupyter starts, or use `-m offline:`, which needs none."

    @property
    def wanted(self) -> str:
        """The variables to set, in words."""
        return self.to_set or " or ".join(self.key_variables if self.wants_key else self.url_variables[:1])

    def key_check(self, where: Endpoint, env: Mapping[str, str]) -> str:
        """What to do where the server refuses the key, or the want of one."""
        name = next((name for name in self.key_variables if env.get(name)), self.key_variables[0])
        if where.key:
            return f"Check {name}."
        if self.key(env):
            own = checked(self.own_url(env) or _NOWHERE, "").name
            return f"{name} belongs to {own} and was not sent; set {self.url_variables[0]} if it is this server's."
        return f"Set {self.url_variables[0]} and {name} together before Jupyter starts."

    # -- inside --------------------------------------------------------------------------------------------------

    def _asks_without_key(self, where: Endpoint) -> bool:
        """Whether to try without a key: a server that a person named may want none."""
        return not self.wants_key or self.connect is not plain or not same_origin(where.base_url, self.default_url)

    def _connect(self, where: Endpoint, env: Mapping[str, str]) -> Connect:
        if where.base_url == _NOWHERE:
            return _refusing(ModelError(f"{self.title} has no address yet.", self.to_configure, fault="no_key"))
        if not same_origin(where.base_url, self.own_url(env)):
            return apart
        if self.connect is not plain and not where.key:  # this machine's credentials sign for their own address only
            return self.connect
        return plain if self.provider == "openai" else apart


def _refusing(error: ModelError) -> Connect:
    def refuse(_openai: Any, _options: dict[str, Any]) -> NoReturn:
        raise error

    return refuse


def _nothing(_provider: str, _model: str, _usage: Usage, _base_url: str) -> float:
    return 0.0
