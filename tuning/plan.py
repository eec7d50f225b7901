"""The plan of a run, checked: which models, which values, which load."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from deployments.config.files import ServeFile, load, messages
from deployments.config.names import GRAPH
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig, check_fractions
from load.endpoints import DEFAULT_TEXT, SAMPLE, Work, read_clips
from load.steps import Load
from models.devices import nvidia
from models.errors import ConfigError, DragomanError, StartupError
from models.registry import find_engine
from tuning.options import Options
from tuning.requests import Body, bodies, tensor_bodies
from tuning.rig import Measurement
from tuning.space import Candidate, Settings, Space, Values, present, values

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
DELAYS_MS = (0.0, 2.0, 5.0, 10.0, 20.0)
REPLICAS, THREADS = (1, 2, 4), (1, 2, 4, 8, 16)  # together as many threads as there are cores
DEFAULT_CALLERS = 8
# What is later than so many times the objective is not waited for: it only costs the budget.
LATE, LEAST_TIMEOUT_S = 4.0, 10.0
GRAPH_KINDS = ("vad", "asr", "nmt", "tts")


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one run: ``running`` models are started, ``start`` has those that are tuned."""

    config: ServeFile
    title: str
    running: Sequence[str]
    start: Candidate
    space: Space
    how: Measurement


def plan(options: Options) -> Plan:
    """Everything that can be known before a server is started.

    Raises:
        ConfigError: the configuration is wrong.
        typer.BadParameter: an option is; it is named.
    """
    if "RAY_ADDRESS" in os.environ:
        raise typer.BadParameter("RAY_ADDRESS is set: unset it, as a server of its own is started")
    if options.picture is not None and importlib.util.find_spec("matplotlib") is None:
        _refuse("--picture", "needs matplotlib: pip install './client[load]'")
    config = load(options.config)
    models = config.applications[0].args.models
    tuned, running = _models(options, models)
    how = _measurement(options, config)
    _check_budget(options)
    start = present(config, tuned)
    most_rows = int(how.load.value) if how.bodies and how.load.loop == "closed" else None
    gpus = nvidia.count(os.environ)
    machine = Machine(len(os.sched_getaffinity(0)), gpus, models)
    space = {name: _values(options, machine, name, s, most_rows) for name, s in start.models}
    return Plan(config, options.model or GRAPH, running, start, space, how)


def _models(
    options: Options, models: dict[str, ModelConfig]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return those that are tuned, and those that run; the graph's others serve beside them."""
    if (options.model is None) != options.graph:
        raise typer.BadParameter("name either --model or --graph")
    if options.model is None:
        tuned = [name for name, model in models.items() if model.kind in GRAPH_KINDS]
        if lacking := sorted(set(GRAPH_KINDS) - {models[name].kind for name in tuned}):
            _refuse("--graph", f"the configuration has no model of the kind {lacking[0]}")
        return tuned, list(models)
    if options.model not in models:
        _refuse("--model", f"there is no model {options.model!r}; there are {', '.join(models)}")
    return [options.model], [options.model]


def _measurement(options: Options, config: ServeFile) -> Measurement:
    if options.callers is not None and options.rate is not None:
        raise typer.BadParameter("name either --callers or --rate")
    asked = Load("closed", options.callers or DEFAULT_CALLERS)
    if options.rate is not None:
        asked = Load("open", options.rate)
    args = config.applications[0].args
    try:
        clips = read_clips(options.audio or SAMPLE)
        texts = tuple(options.text or [DEFAULT_TEXT])
        work = Work("translate", clips, texts, options.source, options.to)
        sent = _bodies(options.model, args, work) if options.model else []
    except (ValueError, OSError, DragomanError) as error:
        _refuse("--audio", str(error))
    return Measurement(
        load=asked,
        duration_s=options.duration,
        warm_up_s=options.warm_up,
        slo_ms=options.slo_p99_ms,
        timeout_s=options.timeout or max(LEAST_TIMEOUT_S, LATE * options.slo_p99_ms / 1000),
        work=work,
        bodies=sent,
        seed=options.seed,
    )


def _bodies(name: str, args: AppConfig, work: Work) -> Sequence[Body]:
    """Make the requests to one model. Raises ConfigError: it cannot be loaded."""
    model = args.models[name]
    if model.kind != "tensors":
        return bodies(model.kind, work, args.limits)
    try:
        return tensor_bodies(name, model)
    except StartupError as error:
        raise ConfigError(f"models.{name}: {error}") from error


def _check_budget(options: Options) -> None:
    """There must be time for the present settings, another, and their turns."""
    least_s = (2 + 2 * options.turns) * (options.duration + options.warm_up)
    if options.budget_s < least_s:
        _refuse(
            "--budget-s",
            f"{options.budget_s:g} s are too few: two settings in {options.turns} turns take at "
            f"least {least_s:g} s, after the server's start",
        )


# ---- values ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that the models share; ``gpus`` is None where they cannot be counted."""

    cores: int
    gpus: int | None
    models: dict[str, ModelConfig]

    def misfit(self, name: str, replicas: int) -> str | None:
        """Say why the GPUs cannot hold so many replicas of a model; None: they can."""
        if self.gpus is None:
            return None
        changed = self.models[name].model_copy(update={"replicas": replicas})
        try:
            check_fractions({**self.models, name: changed}, self.gpus)
        except ConfigError as error:
            return str(error)
        return None

    def computes_on_cpu(self, name: str) -> bool:
        """Tell whether a model's threads matter."""
        model = self.models[name]
        on_gpu = model.device != "cpu" and model.gpu_fraction > 0 and self.gpus != 0
        return find_engine(model.engine).engine.library is not None and not on_gpu


def _values(
    options: Options, machine: Machine, name: str, at: Settings, most_rows: int | None
) -> Values:
    """List the values to try of one model; ``most_rows`` can be in a batch at once."""
    sizes = _numbers(options.batch_sizes, "--batch-sizes", BatchPolicy, "max_batch_size")
    delays = _numbers(options.delays_ms, "--delays-ms", BatchPolicy, "max_queue_delay_ms")
    replicas = _numbers(options.replicas, "--replicas", ModelConfig, "replicas")
    threads = _numbers(options.threads, "--threads", ModelConfig, "threads")
    for count in replicas:
        if misfit := machine.misfit(name, count):
            _refuse("--replicas", misfit)
    is_default = not replicas and not threads
    if is_default:
        replicas = [n for n in REPLICAS if not machine.misfit(name, n)]
        threads = [n for n in THREADS if machine.computes_on_cpu(name)]
    return values(
        at,
        sizes or _up_to(BATCH_SIZES, most_rows),
        delays or DELAYS_MS,
        replicas,
        threads,
        most_threads=machine.cores if is_default else None,
    )


def _up_to(sizes: Sequence[int], most: int | None) -> Sequence[int]:
    """Take the sizes as far as the first that holds them all."""
    if most is None:
        return sizes
    return [size for place, size in enumerate(sizes) if not place or sizes[place - 1] < most]


def _numbers(text: str | None, option: str, of: type[BaseModel], field: str) -> list[Any]:
    """Read the numbers of an option, each as the field of the configuration takes it."""
    if text is None:
        return []
    info = of.model_fields[field]
    bounded: Any = Annotated[info.annotation, info]
    adapter: TypeAdapter[Any] = TypeAdapter(bounded)
    try:
        return [adapter.validate_python(part.strip()) for part in text.split(",")]
    except ValidationError as error:
        said = messages(error)[0].partition(": ")[2]
        _refuse(option, f"needs numbers like 1,2,4; {text}: {said}")


def _refuse(option: str, message: str) -> NoReturn:
    raise typer.BadParameter(message, param_hint=option)
