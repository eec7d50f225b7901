"""Who may ask the server, and for what: ``security`` and ``ingress.tls`` of the configuration."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.registry import ENGINES

Scope = Literal["infer", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = ("infer", "admin", "metrics")
MAX_RATE = 100_000  # requests a minute of one key: each is remembered for a minute

KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]  # a label of /metrics
# As a browser sends it: in small letters, without a path, and without the scheme's own port.
Origin = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://[^/?#@*\sA-Z]+$")]


def host_name(text: str) -> str:
    """A host as it is compared: in small letters, without brackets and without a last dot."""
    return text.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def is_address(name: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether only this machine itself is reached under a host."""
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


class Part(BaseModel):
    """Of the configuration: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quotas(Part):
    """What one key may use a day (UTC), in each ingress process; counted from its start."""

    audio_s_per_day_per_ingress: Annotated[float, Field(gt=0)] | None = None
    characters_per_day_per_ingress: Annotated[int, Field(ge=1)] | None = None


class Key(Part):
    """One key: its name, the hash of what its owner holds, and what that may do.

    A key is 256 random bits, so nobody finds it from a hash by trying: a slow hash, which protects
    what people can remember, would only cost each request its time.
    """

    name: KeyName
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256, as `dragoman key new` prints
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    requests_per_minute_per_ingress: Annotated[int, Field(ge=1, le=MAX_RATE)] | None = None
    max_concurrent_per_ingress: Annotated[int, Field(ge=1)] | None = None
    quotas: Quotas = Quotas()


class LoadAllow(Part):
    """What a call that loads a model may change of it, beyond its policies, device and threads.

    ``*`` in a pattern stands for any characters. The configuration's own values need no row here.
    """

    weights: tuple[str, ...] = ()  # patterns, such as path:/srv/weights/*
    engines: tuple[Annotated[str, AfterValidator(_engine_name)], ...] = ()
    options: tuple[str, ...] = ()  # names of the engines' options
    max_replicas: Annotated[int, Field(ge=1, le=256)] | None = None  # None: as configured


class Tls(Part):
    """The certificate that the ingress shows, with its chain, and its key: two PEM files."""

    certificate: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]


class Security(Part):
    """Who may ask, from where, and for what."""

    keys: tuple[Key, ...] = ()
    open: bool = False  # without keys: whoever reaches the server may ask
    model_control: Literal["off", "admin"] = "admin"
    load_allow: LoadAllow = LoadAllow()
    # What callers may call this server, beside its own addresses and the host of public_url.
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    origins: tuple[Origin, ...] = ()  # whose pages may ask, beside this server's own
    public_url: Origin | None = None  # where a proxy serves it, such as https://speech.example.com

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
        """The hosts that the configuration names."""
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
