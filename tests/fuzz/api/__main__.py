"""Ask the whole HTTP API by its description: ``python -m tests.fuzz.api --examples 150``.

The application runs here, on fakes, behind the server's own listener; schemathesis asks it from
a process of its own. Whatever follows ``--`` is for ``schemathesis run``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.config.schema import ModelConfig
from deployments.config.security import SCOPES, Key, Security
from deployments.config.shared_memory import SharedMemory
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.security.keys import new_key
from tests.fuzz.api.narrowing import SPARE
from tests.fuzz.api.shared_memory import KEY, memory
from tests.support.fakes import SLEEP
from tests.support.local import fake_config, fake_fleet
from tests.support.sockets import serving

MAX_KEPT_BYTES = 1 << 26
PATIENCE_S = 60  # /v1/doctor asks every library for its version, in a process of its own
ROOT = Path(__file__).parents[3]


class Counting:
    """Counts the requests that an application is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        await self._app(scope, receive, send)


async def ask(examples: int, seed: int, others: Sequence[str] = ()) -> tuple[int, int]:
    """Ask every operation; return the requests that came, and schemathesis' exit status."""
    key, digest = new_key()
    config = fake_config(max_audio_s=60)
    spare = {SPARE: ModelConfig(engine=SLEEP)}
    owner = Key(name="fuzz", hash=digest, scopes=SCOPES)
    config = config.model_copy(
        update={
            "models": {**config.models, **spare},
            "security": Security(keys=(owner,)),
            "shared_memory": SharedMemory(prefix=KEY),
        }
    )
    with (
        memory(),
        tempfile.TemporaryDirectory() as folder,
    ):  # for what is kept, and schemathesis remembers
        store = Store(Path(folder) / "library", Sealing(None), MAX_KEPT_BYTES)
        fleet = await fake_fleet(config)
        app = Counting(asgi_app(fleet, config, Admission(64), store=store))
        async with serving(app) as url:
            program = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}openapi.json"]
            asked = await asyncio.create_subprocess_exec(
                *program,
                *("--header", f"Authorization: Bearer {key}"),
                *("--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"),
                *("--request-timeout", str(PATIENCE_S)),
                *others,
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "SCHEMATHESIS_HOOKS": "tests.fuzz.api.narrowing",
                },
            )
            status = await asked.wait()
        return app.requests, status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz.api")
    parser.add_argument("--examples", type=int, default=150, help="of each operation, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("others", nargs="*", help="for schemathesis")
    arguments = parser.parse_args()
    requests, status = asyncio.run(ask(arguments.examples, arguments.seed, arguments.others))
    print(f"{requests} requests")
    return status


if __name__ == "__main__":
    sys.exit(main())
