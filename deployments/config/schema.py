"""The typed configuration: the application's arguments in ``serve_config.yaml``."""

from __future__ import annotations

import math
import socket
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from deployments.config import names
from deployments.config.ingress import IngressConfig
from deployments.config.library import Library
from deployments.config.live import Live
from deployments.config.names import AliasName
from deployments.config.options import checked_options
from deployments.config.policy import Strict
from deployments.config.replicas import IDLE_S, ReplicaRange
from deployments.config.security import Security
from deployments.config.shared_memory import SharedMemory
from models.devices.device import DeviceName, DeviceRequest
from models.devices.threads import default_threads, usable_cores
from models.errors import ConfigError
from models.registry import find_engine
from models.runtime import RuntimeSettings
from models.types import Kind

MEBIBYTE = 1 << 20


class ModelConfig(Strict):
    """Load one model: its engine, weights, device and replicas."""

    engine: str
    """Engine that runs it: one of Dragoman's by its name, or any other as package.module:Class
    (see engines.md)."""
    weights: str = "none"
    """Where its weights are: package:NAME[+NAME...], path:FOLDER or hf:REPO@REVISION. none: the
    engine needs none."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each of its files, in hex, for weights that ship no pins; `dragoman fetch --pins`
    prints them."""
    accept_license: bool = False
    """You have read the licence of these weights and keep to it. A model whose weights forbid
    commercial use, as CC-BY-NC-4.0 does, starts only with true."""
    device: DeviceName = "auto"
    """Device that it runs on. auto: the GPU where there is one and gpu_fraction is above 0. cuda:
    the GPU, or the start fails."""
    gpu_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of one GPU that each replica may take. 0: it never touches a GPU."""
    replicas: Annotated[int, Field(ge=1, le=256)] | ReplicaRange = 1
    """Number of processes that run it, or from how many to how many the load decides."""
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """CPU threads of each replica. null: as many as this machine's cores have for it."""
    options: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    """Options of its engine, listed below by engine."""
    idle_unload_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds without a request after which it is unloaded, until the next one. null: never, unless
    replicas.min is 0."""

    @field_validator("engine")
    @classmethod
    def _engine_is_known(cls, engine: str) -> str:
        try:
            find_engine(engine)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return engine

    @field_validator("options")
    @classmethod
    def _options_fit_the_engine(cls, options: dict[str, Any], info: ValidationInfo) -> Any:
        if "engine" in info.data:
            checked_options(info.data["engine"], options)
        return options

    @model_validator(mode="after")
    def _cuda_has_a_share(self) -> Self:
        if self.device == "cuda" and self.gpu_fraction == 0:
            raise ValueError("gpu_fraction: device: cuda needs a share of a GPU, above 0")
        return self

    @property
    def kind(self) -> Kind:
        return find_engine(self.engine).engine.kind

    @property
    def range(self) -> ReplicaRange | None:
        """Return the bounds of the number of replicas; None: the number is fixed."""
        return self.replicas if isinstance(self.replicas, ReplicaRange) else None

    @property
    def first_replicas(self) -> int:
        """Number of replicas with which it is loaded."""
        return (
            max(1, self.replicas.min) if isinstance(self.replicas, ReplicaRange) else self.replicas
        )

    @property
    def most_replicas(self) -> int:
        """Number of replicas that it never goes beyond."""
        return self.replicas.max if isinstance(self.replicas, ReplicaRange) else self.replicas

    @property
    def unload_after_s(self) -> float | None:
        """Seconds without a request after which it is unloaded; None: never."""
        return self.idle_unload_s or (IDLE_S if self.may_have_none else None)

    @property
    def may_have_none(self) -> bool:
        """Tell whether it has no replica while nobody asks for it."""
        return self.range is not None and self.range.min == 0

    @property
    def cpu_threads(self) -> int:
        """Threads of one replica, as configured or by this machine's cores."""
        return self.threads_on(1)

    def threads_on(self, nodes: int) -> int:
        """Threads of one replica, where the replicas are spread over so many machines like this."""
        small = find_engine(self.engine).engine.small
        replicas = math.ceil(self.most_replicas / nodes)
        return self.threads or default_threads(replicas, usable_cores(), small=small)

    def settings(self, name: str, nodes: int = 1) -> RuntimeSettings:
        """Tell the engine what the configuration says of its model, on so many machines."""
        validated = checked_options(self.engine, self.options)
        return RuntimeSettings(
            name=name,
            weights=self.weights,
            device=DeviceRequest(self.device, self.gpu_fraction, self.threads_on(nodes)),
            options={key: getattr(validated, key) for key in self.options},
            sha256=self.sha256,
            files=find_engine(self.engine).engine.files,
            accepts_licence=self.accept_license,
        )


class Limits(Strict):
    """Bound what one request may ask, and how many may ask at once."""

    max_body_bytes: Annotated[int, Field(ge=1)] = 200 * MEBIBYTE
    """Most bytes of one request's body."""
    max_json_bytes: Annotated[int, Field(ge=1)] = MEBIBYTE
    """Most bytes of a body of JSON."""
    max_tensor_json_bytes: Annotated[int, Field(ge=1)] = 16 * MEBIBYTE
    """Most bytes of tensors that are sent as JSON."""
    max_audio_s: Annotated[float, Field(gt=0)] = 600.0
    """Most seconds of audio in all files of one request together."""
    max_text_chars: Annotated[int, Field(ge=1)] = 10_000
    """Most characters in all texts of one request together."""
    max_clips: Annotated[int, Field(ge=1)] = 64
    """Most clips of one request for embeddings."""
    max_texts: Annotated[int, Field(ge=1)] = 256
    """Most texts of one request for text translations."""
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 512
    """Most requests that one ingress process answers at once; one more is answered 503."""
    max_bodies_bytes: Annotated[int, Field(ge=1)] = 1024 * MEBIBYTE
    """Most bytes of all bodies that one ingress process holds until their requests are over. Where
    they are more, the slowest body is refused."""
    max_receiving: Annotated[int, Field(ge=1)] = 1024
    """Most bodies that one ingress process receives at once. Where they are more, the slowest body
    is refused."""
    receive_timeout_s: Annotated[float, Field(gt=0)] = 300.0
    """Seconds that a body may take from the request's head to the body's end."""
    min_receive_bytes_s: Annotated[float, Field(ge=0)] = 1_000.0
    """Least bytes a second of a body, over every 10 s."""
    max_rows: Annotated[int, Field(ge=1)] = 8
    """Most rows of one request to the whole graph."""
    max_items_in_flight: Annotated[int, Field(ge=1)] = 32
    """Most items that one request has in one model's queue at once."""
    request_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Most seconds that a request may take; it may ask for fewer itself."""

    @model_validator(mode="after")
    def _a_body_fits(self) -> Self:
        if self.max_bodies_bytes < self.max_body_bytes:
            raise ValueError("max_bodies_bytes must not be below max_body_bytes: of one request")
        return self


class Observability(Strict):
    """Tell of requests in the log and in traces."""

    log_format: Literal["text", "json"] = "text"
    """Format of the log's lines."""
    trace_endpoint: Annotated[str, Field(pattern=r"^https?://[^/]+/")] | None = None
    """Collector of traces, OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. null: no
    traces."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of requests that are traced, of those whose caller has not decided it."""


class AppConfig(Strict):
    """Configure the application: the one argument of its builder."""

    models: Annotated[dict[str, ModelConfig], Field(min_length=1)]
    """The models by their names. A name has 1 to 64 letters, digits, '-', '_' and '.', and begins
    with a letter or a digit."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Names that clients of other servers send, each for a model or a kind that answers to it."""
    voice_aliases: dict[AliasName, str | Annotated[dict[str, str], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Names of voices that clients of other servers send, each for one voice, or for one of each
    language (ISO 639-1), the first of which speaks where no language is named."""
    limits: Limits = Limits()
    """What one request may ask, and how many may ask at once."""
    library: Library = Library()
    """Where voices, glossaries and jobs of callers are kept."""
    live: Live = Live()
    """How many live sessions one ingress process has, how long, and for whom."""
    shared_memory: SharedMemory = SharedMemory()
    """Which shared memory of this machine callers under /v2 may hand tensors over in."""
    ingress: IngressConfig = IngressConfig()
    """Where it listens, and how many processes do."""
    observability: Observability = Observability()
    """What the server tells of its requests."""
    security: Security = Security()
    """Who may ask, from where, and for what (see security.md)."""

    def names_of(self, kind: Kind) -> tuple[str, ...]:
        """List the models of one kind, in the order of the file."""
        return tuple(name for name, model in self.models.items() if model.kind == kind)

    @model_validator(mode="after")
    def _who_is_reached_knows_its_callers(self) -> Self:
        self.security.check_reach(self.ingress.host)
        return self

    @model_validator(mode="after")
    def _names_are_their_own(self) -> Self:
        for name, model in self.models.items():
            names.check_model(name, model.kind, model.engine)
        for alias, name in self.aliases.items():
            names.check_alias(alias, name, self.models)
        for alias, voices in self.voice_aliases.items():
            names.check_voice_alias(alias, voices if isinstance(voices, dict) else {})
        return self


def address_family(host: str) -> socket.AddressFamily:
    """Tell whether an address to listen on is one of IPv6; a name is taken for one of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def check_fractions(models: dict[str, ModelConfig], gpus: float) -> None:
    """Refuse fractions that Ray could never place: it would wait for ever, in silence.

    Without any GPU, what is `auto` runs on the CPU, whatever its fraction.

    Raises:
        ConfigError: a model asks for cuda and there is no GPU, or the replicas do not fit the
            GPUs, each of them on one.
    """
    for name, model in models.items():
        if model.device == "cuda" and gpus < 1:
            raise ConfigError(
                f"models.{name}.device: cuda was asked for, but there is no GPU here "
                "(`make doctor` says why; device: auto would run on the CPU)"
            )
    fractions = sorted(
        (
            (model.gpu_fraction, name)
            for name, model in models.items()
            if model.device != "cpu"
            for _ in range(model.first_replicas)
        ),
        reverse=True,
    )
    free = [1.0] * int(gpus)
    for fraction, name in fractions:
        fitting = [place for place, left in enumerate(free) if left >= fraction - 1e-6]
        if gpus and fraction and not fitting:
            asked = math.fsum(fraction for fraction, _ in fractions)
            raise ConfigError(
                f"models.{name}.gpu_fraction: {fraction:g} of a GPU is not left; all replicas "
                f"together ask for {asked:g} of {gpus:g} GPUs, and none can span two"
            )
        if fitting:
            free[fitting[0]] -= fraction
