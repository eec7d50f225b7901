"""The rig: a server of the user's configuration on a free port, and the load test before it."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx
import yaml

from deployments import launch
from deployments.config import ModelConfig, ServeFile
from deployments.tuning.policies import LivePolicies
from deployments.tuning.requests import Body, asker
from deployments.tuning.space import (
    Candidate,
    Instances,
    Settings,
    counted,
    policy_of,
    present,
)
from deployments.tuning.trial import Trial
from dragoman_client import AsyncClient, DragomanError, Model, Retry
from load.arrivals import Process
from load.endpoints import Ask, Work
from load.figures import StepFigures
from load.steps import Length, Load, RealClock, Recording, Stepper
from load.sweep import Plan, Sweep

LOAD_S = 600.0  # what loading a model may take
# As many connections as requests at once: a pool's bound would hold an open loop back.
UNBOUNDED = httpx.Limits(max_connections=None, max_keepalive_connections=None)
LOG_LINES = 20  # of the server's log, where it did not start


class RigError(Exception):
    """There is no server to measure; the message says why."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """How to measure; ``bodies`` go to the one model, or else the work to the graph."""

    load: Load
    duration_s: float
    warm_up_s: float
    slo_ms: float
    timeout_s: float
    work: Work
    bodies: Sequence[Body] = ()
    process: Process = "poisson"
    seed: int = 0


def server_content(config: ServeFile, names: Sequence[str], port: int) -> dict[str, Any]:
    """A configuration of those models alone, for this machine alone, on that port.

    No answer comes from a cache and no model is unloaded as idle: what is measured is their work.
    """
    content = config.model_dump(mode="json", exclude_unset=True)
    content["http_options"] = {**content.get("http_options", {}), "host": "127.0.0.1", "port": port}
    (application,) = content["applications"]
    args = application["args"]
    args["models"] = {
        name: {**model, "idle_unload_s": None}
        for name, model in args["models"].items()
        if name in names
    }
    args["aliases"] = {}
    batching = {name: _batching(config, name) for name in names}
    application["deployments"] = [{"name": "Ingress", "user_config": {"batching": batching}}]
    return content


def _batching(config: ServeFile, name: str) -> dict[str, Any]:
    return {**policy_of(config, name).model_dump(), "response_cache": False}


@dataclass(slots=True)
class ServerRig:
    """Measures on a server of its own, for the length of a ``with`` block.

    Args:
        config: the user's.
        names: the models that run.
        tuned: the models whose settings are tuned; only one if ``how`` has bodies.
        how: the load.
    """

    config: ServeFile
    names: Sequence[str]
    tuned: Sequence[str]
    how: Measurement
    _stack: ExitStack = field(default_factory=ExitStack)
    _url: str = ""
    _policies: LivePolicies | None = None
    _loaded: dict[str, Instances] = field(default_factory=dict)  # without those that failed
    _start_s: float = 0.0
    _load_s: float = 0.0  # the longest that loading a model again took

    def __enter__(self) -> ServerRig:
        try:
            with ExitStack() as stack:
                self._start(stack)
                self._stack = stack.pop_all()
        except OSError as error:
            raise RigError(str(error)) from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-tune-")))
        port = launch.free_port()
        content = server_content(self.config, self.names, port)
        path = folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(content))
        log = stack.enter_context((folder / "log").open("w+b"))
        server = launch.Server(path, ServeFile.model_validate(content))
        stack.callback(_end, server)
        started = time.monotonic()
        server.start(log)
        if not server.wait_until_warm(started):
            raise RigError(f"the server did not start; the end of its log:\n{_end_of(log)}")
        self._start_s = time.monotonic() - started
        self._loaded = {name: s.instances for name, s in present(self.config, self.tuned).models}
        address = server.cluster_address()
        if address is None:
            raise RigError(f"the server has ended; the end of its log:\n{_end_of(log)}")
        self._policies = LivePolicies(address, server.environment(), log)
        stack.callback(self._policies.close)
        self._url = server.url

    # ---- measuring -----------------------------------------------------------------------

    def expected_s(self, candidate: Candidate, after: Candidate | None = None) -> float:
        """The step, and the loading of models that must be loaded again."""
        before = {name: s.instances for name, s in after.models} if after else self._loaded
        loads = sum(before.get(name) != s.instances for name, s in candidate.models)
        step_s = self.how.warm_up_s + self.how.duration_s
        return step_s + loads * (self._load_s or self._start_s)

    def measure(self, candidate: Candidate) -> Trial:
        """Apply the candidate, load the server, and say what came of it.

        Raises:
            RigError: the server does not answer.
        """
        try:
            reason = self._apply(candidate)
            return Trial(candidate, reason=reason) if reason else asyncio.run(self._run(candidate))
        except (OSError, httpx.HTTPError) as error:
            raise RigError(f"the server does not answer: {error}") from error

    async def probe(self) -> None:
        """Send one request. Raises DragomanError."""
        async with self._client() as client, self._http() as http:
            await self._ask(client, http)(0)

    async def _run(self, candidate: Candidate) -> Trial:
        how = self.how
        async with self._client() as client, self._http() as http:
            stepper = Stepper(self._ask(client, http), RealClock(), how.process, how.seed)
            if how.warm_up_s:
                await stepper.run(Recording(how.load), Length(duration_s=how.warm_up_s))
            plan = Plan((how.load,), Length(duration_s=how.duration_s), 0, how.slo_ms)
            before = await _models(client)
            sweep = Sweep(plan, client, stepper, Quiet())
            await sweep.run()
            after = await _models(client)
        busy_s = {
            name: after[name].statistics.busy_s - before[name].statistics.busy_s
            for name in sweep.steps[0].mean_batch
            if name in self.tuned and name in before and name in after
        }
        return Trial(candidate, sweep.steps[0], None, busy_s, self._memory_bytes(after))

    def _memory_bytes(self, models: dict[str, Model]) -> int | None:
        sizes = [
            models[name].replicas * (models[name].device.memory_bytes or 0)
            for name in self.tuned
            if name in models
        ]
        return sum(sizes) or None

    def _ask(self, client: AsyncClient, http: httpx.AsyncClient) -> Ask:
        if self.how.bodies:
            return asker(http, self.tuned[0], self.how.bodies)
        return self.how.work.asker(client)

    def _client(self) -> AsyncClient:
        transport = httpx.AsyncHTTPTransport(limits=UNBOUNDED)
        once = Retry(attempts=1)
        return AsyncClient(self._url, timeout=self.how.timeout_s, retry=once, transport=transport)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._url, timeout=self.how.timeout_s, limits=UNBOUNDED, trust_env=False
        )

    # ---- applying ------------------------------------------------------------------------

    def _apply(self, candidate: Candidate) -> str | None:
        """Why the server cannot be so; None: it is.

        Batch policies change at once. A model is loaded again only for replicas and threads,
        after it was unloaded: there may be no room for both.
        """
        assert self._policies is not None
        batching = {name: _batching(self.config, name) for name in self.names}
        for name, settings in candidate.models:
            batching[name]["max_batch_size"] = settings.max_batch_size
            batching[name]["max_queue_delay_ms"] = settings.max_queue_delay_ms
        self._policies.apply(batching)
        with httpx.Client(base_url=self._url, timeout=LOAD_S, trust_env=False) as http:
            for name, settings in candidate.models:
                if reason := self._load(http, name, settings):
                    return reason
            return self._bound(http, candidate)

    def _load(self, http: httpx.Client, name: str, settings: Settings) -> str | None:
        """Load a model with its replicas and threads, if it is not; why that failed."""
        if self._loaded.get(name) == settings.instances:
            return None
        started = time.monotonic()
        path = f"/v2/repository/models/{quote(name, safe='')}"
        http.post(f"{path}/unload").raise_for_status()
        self._loaded.pop(name, None)
        base = self.config.applications[0].args.models[name]
        loaded = http.post(f"{path}/load", json={"parameters": _parameters(base, settings)})
        if loaded.is_error:
            return f"{name} could not be loaded: {_error_of(loaded)}"
        self._loaded[name] = settings.instances
        self._load_s = max(self._load_s, time.monotonic() - started)
        return None

    def _bound(self, http: httpx.Client, candidate: Candidate) -> str | None:
        """Why a batch size is none of the server's: an engine may have a bound of its own.

        The present one may be above it; the server then takes the bound.
        """
        for name, settings in candidate.models:
            answer = http.get(f"/v2/models/{quote(name, safe='')}/config").raise_for_status()
            rows, asked = answer.json()["max_batch_size"], settings.max_batch_size
            if asked not in (rows, policy_of(self.config, name).max_batch_size):
                return f"{name} takes at most {counted(rows, 'row')}"
        return None


class Quiet:
    """A sweep's progress that nobody hears: a trial is one line, told by whoever searches."""

    def begin(self, load: Load, length: Length) -> None: ...

    def answered(self, recording: Recording) -> None: ...

    def end(self, figures: StepFigures) -> None: ...


def _parameters(base: ModelConfig, settings: Settings) -> dict[str, str]:
    """Of a load in Triton's words; none, if the configuration says so already."""
    if settings.instances == (base.replicas, base.threads):
        return {}
    config = {
        "instance_group": [{"count": settings.replicas}],
        "parameters": {"threads": {"string_value": str(settings.threads)}},
    }
    return {"config": json.dumps(config)}


async def _models(client: AsyncClient) -> dict[str, Model]:
    """None where the server does not tell: it may be overloaded."""
    try:
        return {model.id: model for model in await client.models()}
    except DragomanError:
        return {}


def _end(server: launch.Server) -> None:
    """Undisturbed: a second Ctrl-C must not leave anything behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    server.stop()


def _error_of(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _end_of(log: IO[bytes]) -> str:
    log.flush()
    log.seek(0)
    return "\n".join(log.read().decode(errors="replace").splitlines()[-LOG_LINES:])
