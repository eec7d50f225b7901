"""The configurations that the growth bench serves, and a server of each on a free port."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.server import Running, config_on_a_free_port, running

DEFAULT = Path(__file__).parents[2] / "serve_config.yaml"
Config = dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A warm server, and how long its start took."""

    server: Running
    start_s: float

    @property
    def url(self) -> str:
        return self.server.url


def default_config(**limits: Any) -> Config:
    """The default configuration with its real weights, and these limits instead of its own."""
    config: Config = yaml.safe_load(DEFAULT.read_text())
    config["applications"][0]["args"]["limits"] |= limits
    return config


def config_of(
    models: Config, batching: Config | None = None, limits: Config | None = None
) -> Config:
    """A configuration of these models alone."""
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": models, "limits": limits or {}},
        "deployments": [{"name": "Ingress", "user_config": {"batching": batching or {}}}],
    }
    return {
        "proxy_location": "Disabled",
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [application],
    }


@contextmanager
def serving(config: Config) -> Iterator[Started]:
    """A server of this configuration for the length of a block."""
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), config)
        started = time.monotonic()
        with running(path) as server:
            yield Started(server, time.monotonic() - started)
