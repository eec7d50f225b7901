"""What the command line asks for, checked: which models, which values, which load."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from deployments.config import (
    GRAPH,
    BatchPolicy,
    ModelConfig,
    ServeFile,
    check_fractions,
    load,
    messages,
)
from deployments.tuning.command import Options
from deployments.tuning.requests import bodies
from deployments.tuning.rig import Measurement
from deployments.tuning.space import Candidate, Settings, Space, Values, present, values
from load.endpoints import DEFAULT_TEXT, SAMPLE, Work, read_clips
from load.steps import Load
from models import nvidia
from models.engines import ENGINES
from models.errors import ConfigError, DragomanError

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
DELAYS_MS = (0.0, 2.0, 5.0, 10.0, 20.0)
COUNTS = (1, 2, 4, 8, 16)  # of replicas and of threads, up to what the machine has
MOST_REPLICAS = 4
DEFAULT_CALLERS = 8
GRAPH_KINDS = ("vad", "asr", "nmt", "tts")


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one run: ``running`` models are started, ``start`` has those that are tuned."""

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
    space = {name: _values(options, models, name, s, most_rows) for name, s in start.models}
    return Plan(config, options.model or GRAPH, running, start, space, how)


def _models(
    options: Options, models: dict[str, ModelConfig]
) -> tuple[Sequence[str], Sequence[str]]:
    """Those that are tuned, and those that run; the graph's others serve beside them."""
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
        kind = args.models[options.model].kind if options.model else None
        sent = bodies(kind, work, args.limits) if kind else []
    except (ValueError, OSError, DragomanError) as error:
        _refuse("--audio", str(error))
    return Measurement(
        load=asked,
        duration_s=options.duration,
        warm_up_s=options.warm_up,
        slo_ms=options.slo_p99_ms,
        timeout_s=options.timeout,
        work=work,
        bodies=sent,
        seed=options.seed,
    )


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


def _values(
    options: Options, models: dict[str, ModelConfig], name: str, at: Settings, most_rows: int | None
) -> Values:
    """What is tried of one model; ``most_rows`` can be in a batch at once."""
    sizes = _numbers(options.batch_sizes, "--batch-sizes", BatchPolicy, "max_batch_size")
    delays = _numbers(options.delays_ms, "--delays-ms", BatchPolicy, "max_queue_delay_ms")
    replicas = _numbers(options.replicas, "--replicas", ModelConfig, "replicas")
    threads = _numbers(options.threads, "--threads", ModelConfig, "threads")
    for count in replicas:
        if misfit := _misfit(models, name, count):
            _refuse("--replicas", misfit)
    cores = len(os.sched_getaffinity(0))
    is_default = not replicas and not threads
    return values(
        at,
        sizes or _up_to(BATCH_SIZES, most_rows),
        delays or DELAYS_MS,
        replicas
        or [n for n in COUNTS if n <= MOST_REPLICAS and not _misfit(models, name, n)] * is_default,
        threads or (COUNTS if is_default and _computes_on_cpu(models[name]) else ()),
        most_threads=cores if is_default else None,
    )


def _up_to(sizes: Sequence[int], most: int | None) -> Sequence[int]:
    """As far as the first that holds them all."""
    if most is None:
        return sizes
    return [size for place, size in enumerate(sizes) if not place or sizes[place - 1] < most]


def _computes_on_cpu(model: ModelConfig) -> bool:
    """Whether its threads matter."""
    on_gpu = model.gpu_fraction > 0 and bool(nvidia.count(os.environ))
    return ENGINES[model.engine].library is not None and (model.device == "cpu" or not on_gpu)


def _misfit(models: dict[str, ModelConfig], name: str, replicas: int) -> str | None:
    """Why the GPUs of this machine cannot hold so many replicas; None: they can."""
    gpus = nvidia.count(os.environ)
    if gpus is None:
        return None
    try:
        changed = models[name].model_copy(update={"replicas": replicas})
        check_fractions({**models, name: changed}, gpus)
    except ConfigError as error:
        return str(error)
    return None


def _numbers(text: str | None, option: str, of: type[BaseModel], field: str) -> list[Any]:
    """The numbers of an option, each as the field of the configuration takes it."""
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
