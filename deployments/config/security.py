"""The sections ``security`` and ``ingress.tls`` of the configuration: who may ask, and for what."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from deployments.config.policy import Strict
from models.registry import ENGINES

Scope = Literal["infer", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = ("infer", "admin", "metrics")
MAX_RATE = 100_000  # requests a minute of one key: each is remembered for a minute

KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]  # a label of /metrics
# As a browser sends it: in small letters, without a path, and without the scheme's own port.
Origin = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://[^/?#@*\sA-Z]+$")]


def host_name(text: str) -> str:
    """Write a host as it is compared: in small letters, without brackets and a last dot."""
    return text.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def is_address(name: str) -> bool:
    """Tell whether a host is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Tell whether a host reaches only this machine itself."""
    if is_address(name):
        address = ipaddress.ip_address(name)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback
    return name == "localhost" or name.endswith(".localhost")


def _engine_name(engine: str) -> str:
    """Refuse an engine that a load could bring code in with, and one that does not exist."""
    if engine not in ENGINES:
        raise ValueError(
            f"no engine {engine!r} of Dragoman's own; there are {', '.join(ENGINES)}. "
            "A class is named under models alone, never by a load"
        )
    return engine


class Quotas(Strict):
    """Bound what one key may use a day (UTC), in each ingress process, from its start on."""

    audio_s_per_day_per_ingress: Annotated[float, Field(gt=0)] | None = None
    """Most seconds of audio a day that each ingress process takes. null: no bound."""
    characters_per_day_per_ingress: Annotated[int, Field(ge=1)] | None = None
    """Most characters of text a day that each ingress process takes. null: no bound."""


class Key(Strict):
    """Let in whoever holds a key, and say for what.

    A key is 256 random bits, so nobody finds it from a hash by trying: a slow hash, which protects
    what people can remember, would only cost each request its time.
    """

    name: KeyName
    """Name that stands in logs and metrics."""
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the key, in hex, as `dragoman key new` prints it."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    """What the key is for. infer: ask the models. admin: load and unload them. metrics: read
    /metrics."""
    requests_per_minute_per_ingress: Annotated[int, Field(ge=1, le=MAX_RATE)] | None = None
    """Most requests a minute in each ingress process; one more is answered 429. null: no bound."""
    max_concurrent_per_ingress: Annotated[int, Field(ge=1)] | None = None
    """Most requests at once in each ingress process; one more is answered 429. null: no bound."""
    quotas: Quotas = Quotas()
    """Most that it may use a day."""


class LoadAllow(Strict):
    """Allow what a call that loads a model may change, beyond its policies, device and threads.

    The configuration's own values need no row here.
    """

    weights: tuple[str, ...] = ()
    """Patterns of weights, such as path:/srv/weights/*, where * stands for any characters."""
    engines: tuple[Annotated[str, AfterValidator(_engine_name)], ...] = ()
    """Names of Dragoman's own engines. A class (package.module:Class) is never loaded so."""
    options: tuple[str, ...] = ()
    """Names of the engines' options."""
    max_replicas: Annotated[int, Field(ge=1, le=256)] | None = None
    """Most replicas. null: as many as the model is configured with."""


class Tls(Strict):
    """Answer over HTTPS."""

    certificate: Annotated[str, Field(min_length=1)]
    """PEM file of the certificate, with its chain."""
    key: Annotated[str, Field(min_length=1)]
    """PEM file of the certificate's private key."""


class Security(Strict):
    """Say who may ask, from where, and for what."""

    keys: tuple[Key, ...] = ()
    """The keys. Without any, whoever reaches the server may ask, and it must listen on this machine
    alone, unless open is true."""
    open: bool = False
    """Let whoever reaches the server ask, without a key."""
    model_control: Literal["off", "admin"] = "admin"
    """Who may load and unload models. off: nobody. admin: keys with the scope admin, and without
    keys whoever is on this machine."""
    load_allow: LoadAllow = LoadAllow()
    """What a call that loads a model may change of it."""
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    """Host names by which callers may call this server, beside its own addresses and the host of
    public_url."""
    origins: tuple[Origin, ...] = ()
    """Origins whose web pages may ask, beside this server's own."""
    public_url: Origin | None = None
    """Address at which a proxy serves it, such as https://speech.example.com. null: there is no
    proxy."""

    @model_validator(mode="after")
    def _keys_are_told_apart(self) -> Self:
        if self.open and self.keys:
            raise ValueError("open: it lets everybody ask without a key, and there are keys")
        for field in ("name", "hash"):
            values = [getattr(key, field) for key in self.keys]
            for number, value in enumerate(values):
                if value in values[:number]:
                    raise ValueError(f"keys.{number}.{field}: another key has the same")
        return self

    @property
    def names(self) -> frozenset[str]:
        """List the hosts that the configuration names."""
        public = [] if self.public_url is None else [_host_of(self.public_url)]
        return frozenset([*self.hosts, *public])

    def check_reach(self, host: str) -> None:
        """Refuse a server that strangers reach and nobody said so.

        Raises:
            ValueError: names the field.
        """
        if self.keys or self.open:
            return
        ways = (
            "needs security.keys (`dragoman key new` makes one), or security.open: true to "
            "let everybody ask"
        )
        if not is_loopback(host_name(host)):
            raise ValueError(f"ingress.host: {host} is reached from other machines, and {ways}")
        if self.public_url is not None:
            raise ValueError(f"security.public_url: a proxy serves it to others, and that {ways}")


def _host_of(origin: str) -> str:
    netloc = origin.partition("://")[2]
    return host_name(netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc)
