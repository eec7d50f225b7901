"""The typed configuration: all that ``serve_config.yaml`` may say; bad input names the field."""

from __future__ import annotations

import math
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from deployments.config.security import Security, Tls
from models.devices.device import DeviceName, DeviceRequest
from models.devices.threads import default_threads, usable_cores
from models.errors import ConfigError
from models.registry import ENGINES
from models.runtime import RuntimeSettings
from models.text.languages import language_code
from models.types import SOURCE_VOICE, Kind

APPLICATION = "dragoman"  # the name of the application that answers over HTTP
INGRESS = "Ingress"  # the name of the ingress deployment
CONTROL = "ModelControl"  # and of the one that loads and unloads the models
MODEL_VERSION = "1"  # of every model, in Triton's terms
GRAPH = "speech_translation"  # the name of the whole graph, among the models
# A model's stands in paths and metrics, and names a deployment of Serve.
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# The whole graph's, the two deployments' of the server, and the end of `/v2/models/stats`.
TAKEN_NAMES = {GRAPH, INGRESS, CONTROL, "stats"}
AliasName = Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,78}[!-~])?$")]  # printable ASCII
MEBIBYTE = 1 << 20
NO_BOUND = 1 << 30  # requests: a queue that takes them all


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt setting must not be dropped in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BatchPolicy(Strict):
    """How one model's batches are formed. Changes apply live; no model is loaded again."""

    max_batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    # Rows times the longest row, in the unit of the kind: audio seconds or characters.
    max_batch_cost: Annotated[float, Field(gt=0)] | None = None
    # What a batch may take, as measured, while shorter items wait. None: as long as it takes.
    max_batch_s: Annotated[float, Field(gt=0)] | None = None
    # Share of a batch's cost that may be padding.
    max_padding: Annotated[float, Field(ge=0, lt=1)] = 0.5
    # An upper bound on what the oldest waits for a fuller batch while every replica is busy.
    max_queue_delay_ms: Annotated[float, Field(ge=0, le=60_000)] = 5.0
    # Wait as long for a fuller batch where a replica is free, too, as Triton does.
    delay_when_idle: bool = False
    max_queue_size: Annotated[int, Field(ge=1, le=NO_BOUND)] = (
        256  # callers who wait, not those that run
    )
    # What a request may wait in the queue; its own deadline holds in any case.
    default_timeout_s: Annotated[float, Field(gt=0, le=1e9)] | None = None
    priority_levels: Annotated[int, Field(ge=1, le=100)] = 1
    default_priority: Annotated[int, Field(ge=1)] = 1
    # Answers leave in the order in which their items left the queue, which is that of arrival.
    preserve_ordering: bool = False
    response_cache: bool = False  # keep answers by content; see ingress.response_cache_bytes

    @model_validator(mode="after")
    def _default_is_a_level(self) -> Self:
        if self.default_priority > self.priority_levels:
            raise ValueError("default_priority must not be above priority_levels")
        return self


class ModelConfig(Strict):
    """One model: its engine, weights, device and replicas."""

    engine: str
    weights: str = "none"  # package:NAME[+NAME...] | path:FOLDER | hf:REPO@REVISION
    sha256: dict[str, str] = {}  # file -> hex digest, for weights that ship no pins
    device: DeviceName = "auto"
    gpu_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0  # of one GPU, a replica
    replicas: Annotated[int, Field(ge=1, le=256)] = 1
    # CPU threads of a replica; None: as many as the machine has for it (models.cpu).
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    options: dict[str, Any] = {}  # the engine's own
    idle_unload_s: Annotated[float, Field(gt=0)] | None = None  # without requests; None: never

    @field_validator("engine")
    @classmethod
    def _engine_is_known(cls, engine: str) -> str:
        if engine not in ENGINES:
            raise ValueError(f"unknown engine {engine!r}; there are {', '.join(ENGINES)}")
        return engine

    @model_validator(mode="after")
    def _options_fit_the_engine(self) -> Self:
        options = ENGINES[self.engine].options_class()
        unknown = sorted(set(self.options) - set(options.__dataclass_fields__))
        if unknown:
            known = ", ".join(options.__dataclass_fields__)
            raise ValueError(f"options.{unknown[0]}: unknown option; {self.engine} has {known}")
        try:
            TypeAdapter(options).validate_python(self.options)
        except ValidationError as error:
            raise ValueError(f"options.{messages(error)[0]}") from error
        return self

    @model_validator(mode="after")
    def _cuda_has_a_share(self) -> Self:
        if self.device == "cuda" and self.gpu_fraction == 0:
            raise ValueError("gpu_fraction: device: cuda needs a share of a GPU, above 0")
        return self

    @property
    def kind(self) -> Kind:
        return ENGINES[self.engine].kind

    @property
    def cpu_threads(self) -> int:
        """Of one replica, as configured or by this machine's cores."""
        small = ENGINES[self.engine].small
        return self.threads or default_threads(self.replicas, usable_cores(), small=small)

    def settings(self, name: str) -> RuntimeSettings:
        validated = TypeAdapter(ENGINES[self.engine].options_class()).validate_python(self.options)
        return RuntimeSettings(
            name=name,
            weights=self.weights,
            device=DeviceRequest(self.device, self.gpu_fraction, self.cpu_threads),
            options={key: getattr(validated, key) for key in self.options},
            sha256=self.sha256,
            files=ENGINES[self.engine].files,
        )


class Limits(Strict):
    """What one request may ask, and how many may ask at once."""

    max_body_bytes: Annotated[int, Field(ge=1)] = 200 * MEBIBYTE
    max_json_bytes: Annotated[int, Field(ge=1)] = MEBIBYTE
    max_tensor_json_bytes: Annotated[int, Field(ge=1)] = 16 * MEBIBYTE  # of tensors sent as JSON
    max_audio_s: Annotated[float, Field(gt=0)] = 600.0  # of all files of a request
    max_text_chars: Annotated[int, Field(ge=1)] = 10_000  # of all texts of a request
    max_clips: Annotated[int, Field(ge=1)] = 64  # of one embeddings request
    max_texts: Annotated[int, Field(ge=1)] = 256  # of one text translation request
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 512  # of one ingress replica
    # Of one ingress replica: all bodies together until their requests are over, and how many of
    # them may be on their way at once; where either is full, the slowest goes.
    max_bodies_bytes: Annotated[int, Field(ge=1)] = 1024 * MEBIBYTE
    max_receiving: Annotated[int, Field(ge=1)] = 1024
    receive_timeout_s: Annotated[float, Field(gt=0)] = 300.0  # of a body, from its head to its end
    min_receive_bytes_s: Annotated[float, Field(ge=0)] = 1_000.0  # of a body, over every 10 s
    max_rows: Annotated[int, Field(ge=1)] = 8  # of one request to the whole graph
    max_items_in_flight: Annotated[int, Field(ge=1)] = 32  # of one request, in one model's queue
    request_timeout_s: Annotated[float, Field(gt=0)] = 600.0

    @model_validator(mode="after")
    def _a_body_fits(self) -> Self:
        if self.max_bodies_bytes < self.max_body_bytes:
            raise ValueError("max_bodies_bytes must not be below max_body_bytes: of one request")
        return self


class IngressConfig(Strict):
    """The HTTP side: where it listens, how many processes, and what they do beside batching."""

    host: str = "127.0.0.1"  # 0.0.0.0, with security.keys, to be reached from other machines
    port: Annotated[int, Field(ge=1, le=65_535)] = 8000  # shared by the replicas of a machine
    tls: Tls | None = None  # HTTPS; None: HTTP, for this machine or behind a proxy
    keep_alive_timeout_s: Annotated[int, Field(ge=1)] = 90  # of a connection without requests
    replicas: Annotated[int, Field(ge=1)] = 1
    # That decode and encode audio, in each replica; None: as many as the machine has for it.
    codec_threads: Annotated[int, Field(ge=1)] | None = None
    sentence_gap_s: Annotated[float, Field(ge=0, le=5)] = 0.2  # silence between spoken sentences
    response_cache_bytes: Annotated[int, Field(ge=0)] = 64 * MEBIBYTE  # for all models together
    drain_notice_s: Annotated[float, Field(ge=0)] = 1.0  # not ready before requests are refused

    @property
    def threads_of_codecs(self) -> int:
        """Of one replica, as configured or by this machine's cores."""
        return self.codec_threads or default_threads(self.replicas, usable_cores(), small=False)


class Observability(Strict):
    """What the server tells of its requests."""

    log_format: Literal["text", "json"] = "text"
    # OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; None: no traces.
    trace_endpoint: Annotated[str, Field(pattern=r"^https?://[^/]+/")] | None = None
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0  # of requests without a decision


class AppConfig(Strict):
    """The one argument of the application's builder."""

    models: Annotated[dict[str, ModelConfig], Field(min_length=1)]
    # Names that clients of other servers send, for the models or kinds that answer to them here.
    aliases: dict[str, str] = {}
    # The same of voices: for one voice here, or for one of each language, the first of which
    # speaks where no language is named. That they are there is known once the models are loaded.
    voice_aliases: dict[AliasName, str | Annotated[dict[str, str], Field(min_length=1)]] = {}
    limits: Limits = Limits()
    ingress: IngressConfig = IngressConfig()
    observability: Observability = Observability()
    security: Security = Security()

    def names_of(self, kind: Kind) -> tuple[str, ...]:
        """The models of one kind, in the order of the file."""
        return tuple(name for name, model in self.models.items() if model.kind == kind)

    @model_validator(mode="after")
    def _who_is_reached_knows_its_callers(self) -> Self:
        self.security.check_reach(self.ingress.host)
        return self

    @model_validator(mode="after")
    def _aliases_name_models(self) -> Self:
        for alias, name in self.aliases.items():
            if alias in self.models or alias in get_args(Kind):
                raise ValueError(f"aliases.{alias}: the name is a model's or a kind's own")
            if name not in self.models and name not in get_args(Kind):
                raise ValueError(f"aliases.{alias}: there is no model and no kind {name!r}")
        for alias, voices in self.voice_aliases.items():
            if alias == SOURCE_VOICE:
                raise ValueError(f"voice_aliases.{alias}: the name is of the speaker's own voice")
            for language in voices if isinstance(voices, dict) else ():
                if language_code(language) != language:
                    message = f"voice_aliases.{alias}.{language}: no ISO 639-1 code, such as en"
                    raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _models_have_names_of_their_own(self) -> Self:
        for name, model in self.models.items():
            where = f"models.{name or repr(name)}"
            if not MODEL_NAME.fullmatch(name):
                raise ValueError(
                    f"{where}: a model's name has 1 to 64 letters, digits, '-', '_' and '.', "
                    "and begins with a letter or a digit"
                )
            if name in TAKEN_NAMES:
                raise ValueError(f"{where}: the server itself has something of that name")
            if name in get_args(Kind) and name != model.kind:
                raise ValueError(
                    f"{where}: the name is that of a kind, and {model.engine} is {model.kind}"
                )
        return self


class IngressUserConfig(Strict):
    """What can be changed on a running server, without loading a model again."""

    batching: dict[str, BatchPolicy] = {}  # model -> policy


# ---- the file that `serve run` reads ---------------------------------------------------


class LoggingOptions(Strict):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    encoding: Literal["TEXT", "JSON"] = "TEXT"
    enable_access_log: bool = True
    logs_dir: str | None = None


class ControllerEnvironment(Strict):
    env_vars: dict[str, str] = {}


class ControllerOptions(Strict):
    """Of Serve's controller, which `logging_config` does not reach."""

    runtime_env: ControllerEnvironment = ControllerEnvironment()


class IngressOverride(Strict):
    name: Literal["Ingress"]
    user_config: IngressUserConfig = IngressUserConfig()


class Application(Strict):
    name: Literal["dragoman"] = "dragoman"  # the drain finds the application by it
    route_prefix: Literal["/"] = "/"
    import_path: Literal["deployments.app:build"]
    args: AppConfig
    deployments: list[IngressOverride] = []

    @model_validator(mode="after")
    def _policies_name_models(self) -> Self:
        for override in self.deployments:
            check_policies(override.user_config, self.args)
        return self


class ServeFile(Strict):
    """The whole of a ``serve_config.yaml``; Ray alone drops what it does not know."""

    proxy_location: Literal["Disabled"]  # Serve's own HTTP: the ingress listens itself
    logging_config: LoggingOptions = LoggingOptions()
    controller_options: ControllerOptions = ControllerOptions()
    applications: Annotated[list[Application], Field(min_length=1, max_length=1)]

    @property
    def url(self) -> str:
        """Where a server of this configuration answers on its own machine."""
        ingress = self.applications[0].args.ingress
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ingress.host, ingress.host)
        scheme = "http" if ingress.tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{ingress.port}"


def address_family(host: str) -> socket.AddressFamily:
    """Of an address to listen on; a name that is no address is one of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def check_policies(user_config: IngressUserConfig, args: AppConfig) -> None:
    """Refuse batch policies of models that there are not.

    Raises:
        ValueError: names the key.
    """
    for name in user_config.batching:
        if name not in args.models:
            raise ValueError(f"batching.{name}: there is no such model; {', '.join(args.models)}")


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
            for _ in range(model.replicas)
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


def load(path: Path) -> ServeFile:
    """Read and validate a whole serve file.

    Raises:
        ConfigError: the file is not YAML, or a field is wrong; the message names each one.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ServeFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in messages(error))) from error
    # ValueError: of bytes that are no text, and of values such as a day that there is not.
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error


def messages(error: ValidationError, *where: str) -> list[str]:
    """One line an error: the field's path, which ``where`` begins, and what was expected."""
    return [
        f"{'.'.join([*where, *map(str, e['loc'])]) or 'file'}: "
        f"{e['msg'].removeprefix('Value error, ')}"
        for e in error.errors()
    ]
