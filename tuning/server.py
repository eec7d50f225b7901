"""The server that is tuned: of the user's configuration, on a free port, changed while it runs."""

from __future__ import annotations

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

from deployments.config.files import ServeFile
from deployments.config.schema import ModelConfig
from deployments.serve import launch
from deployments.serve.ports import free_port
from tuning.policies import LivePolicies
from tuning.space import (
    Candidate,
    Instances,
    Settings,
    counted,
    policy_of,
    present,
)

LOAD_S = 600.0  # what loading a model may take
MAX_REPLICAS = 256  # that a model may be loaded with, as the configuration allows
LOG_LINES = 20  # of the server's log, where it did not start


class ServerError(Exception):
    """There is no server to measure; the message says why."""


def server_content(config: ServeFile, names: Sequence[str], port: int) -> dict[str, Any]:
    """Make a configuration of those models alone, for this machine alone, on that port.

    No answer comes from a cache and no model is unloaded as idle: what is measured is their work.
    """
    content = config.model_dump(mode="json", exclude_unset=True)
    (application,) = content["applications"]
    args = application["args"]
    args["ingress"] = {**args.get("ingress", {}), "host": "127.0.0.1", "port": port, "tls": None}
    args["security"] = {"load_allow": {"max_replicas": MAX_REPLICAS}}  # without keys or names
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
class TunedServer:
    """Runs for the length of a ``with`` block and leaves nothing behind.

    Args:
        config: the user's.
        names: the models that run.
    """

    config: ServeFile
    names: Sequence[str]
    url: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)
    _policies: LivePolicies | None = None
    _loaded: dict[str, Instances] = field(default_factory=dict)  # without those that failed
    _start_s: float = 0.0
    _load_s: float = 0.0  # the longest that loading a model again took

    def __enter__(self) -> TunedServer:
        """Raises ServerError: it does not start."""
        try:
            with ExitStack() as stack:
                self._start(stack)
                self._stack = stack.pop_all()
        except OSError as error:
            raise ServerError(str(error)) from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-tune-")))
        content = server_content(self.config, self.names, free_port())
        path = folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(content))
        log = stack.enter_context((folder / "log").open("w+b"))
        server = launch.Server(path, ServeFile.model_validate(content))
        stack.callback(_end, server)
        started = time.monotonic()
        server.start(log)
        is_warm = server.wait_until_warm(started)
        address = server.cluster_address()
        if not is_warm or address is None:
            raise ServerError(f"the server did not start; the end of its log:\n{_end_of(log)}")
        self._start_s = time.monotonic() - started
        self._loaded = {name: s.instances for name, s in present(self.config, self.names).models}
        self._policies = LivePolicies(address, server.environment(), log)
        stack.callback(self._policies.close)
        self.url = server.url

    def loading_s(self, candidate: Candidate, after: Candidate | None = None) -> float:
        """Estimate how long loading models again may take; ``after`` None: from how it is now."""
        before = {name: s.instances for name, s in after.models} if after else self._loaded
        loads = sum(before.get(name) != s.instances for name, s in candidate.models)
        return loads * (self._load_s or self._start_s)

    def apply(self, candidate: Candidate) -> str | None:
        """Apply a candidate; return why the server cannot be so, or None.

        Batch policies change at once. A model is loaded again only for replicas and threads,
        after it was unloaded: there may be no room for both.

        Raises:
            OSError: it does not answer; ``httpx.HTTPError``: the same.
        """
        assert self._policies is not None
        batching = {name: _batching(self.config, name) for name in self.names}
        for name, settings in candidate.models:
            batching[name]["max_batch_size"] = settings.max_batch_size
            batching[name]["max_queue_delay_ms"] = settings.max_queue_delay_ms
        self._policies.apply(batching)
        with httpx.Client(base_url=self.url, timeout=LOAD_S, trust_env=False) as http:
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
        """Say why a batch size is not the server's: an engine may have a bound of its own.

        The present one may be above it; the server then takes the bound.
        """
        for name, settings in candidate.models:
            answer = http.get(f"/v2/models/{quote(name, safe='')}/config").raise_for_status()
            rows, asked = answer.json()["max_batch_size"], settings.max_batch_size
            if asked not in (rows, policy_of(self.config, name).max_batch_size):
                return f"{name} takes at most {counted(rows, 'row')}"
        return None


def _parameters(base: ModelConfig, settings: Settings) -> dict[str, str]:
    """Return the parameters of a load in Triton's words; none, if they are the configuration's."""
    if settings.instances == (base.first_replicas, base.cpu_threads):
        return {}
    config = {
        "instance_group": [{"count": settings.replicas}],
        "parameters": {"threads": {"string_value": str(settings.threads)}},
    }
    return {"config": json.dumps(config)}


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
