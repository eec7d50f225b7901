"""One server of fakes for all calls of NVIDIA's Triton client, in both of its colours."""

from __future__ import annotations

import gc
import inspect
import warnings
from collections.abc import Iterator

import pytest

from tests.e2e.tritonclient.served import BATCHING, FAKES
from tests.support.server import Running, config_on_a_free_port, running
from tests.support.shared_memory import PREFIX
from tests.support.triton import CLIENTS, COVERED, Ask, asking


@pytest.fixture(scope="module", params=CLIENTS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="package", autouse=True)
def what_was_covered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tell at the end which calls of the client were made."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # what the client left open, before it is another module's
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for colour, client in CLIENTS.items():
            public = {name for name, _ in inspect.getmembers(client, inspect.isfunction)}
            left = {name for name in public - COVERED[colour] if not name.startswith("_")}
            print(f"\ntritonclient, {colour}: {', '.join(sorted(COVERED[colour]))}")
            print(f"not called: {', '.join(sorted(left))}")


@pytest.fixture(scope="package")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": FAKES, "shared_memory": {"prefix": PREFIX}},
        "deployments": [{"name": "Ingress", "user_config": {"batching": BATCHING}}],
    }
    config = {
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "proxy_location": "Disabled",
        "applications": [application],
    }
    with running(config_on_a_free_port(tmp_path_factory.mktemp("fakes"), config)) as server:
        yield server


@pytest.fixture
def ask(fake_server: Running, colour: str) -> Ask:
    return asking(fake_server.url, colour)


@pytest.fixture
def ask_one(fake_server: Running) -> Ask:
    """For what takes the server seconds, and is the same whichever colour asks."""
    return asking(fake_server.url, "sync")
