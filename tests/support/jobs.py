"""Jobs on fakes: the application with a library, and who runs its jobs, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from deployments.config.library import Jobs, Library
from deployments.config.schema import AppConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.v1.job_kinds import runner_of
from deployments.jobs.runner import Runner
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.security.keys import KnownKeys
from tests.support.asgi import connect
from tests.support.bad_input import wav
from tests.support.local import LocalDirectory, fake_config, fake_fleet, fake_remotes

JOBS = "/v1/jobs"
OVER = ("done", "failed")
SECRET = "a secret of the library, long enough"


@dataclass
class JobServer:
    """One ingress process, as far as jobs see it."""

    http: httpx.AsyncClient
    runner: Runner
    store: Store
    remotes: LocalDirectory
    app: Any

    async def create(self, data: bytes, **fields: Any) -> str:
        """Make a job, and return its id."""
        answer = await self.http.post(JOBS, data=fields, files={"file": ("a.wav", data)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def show(self, id: str) -> dict[str, Any]:
        answer = await self.http.get(f"{JOBS}/{id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def over(self, id: str) -> dict[str, Any]:
        """Return a job once it is over."""
        async with asyncio.timeout(60):
            while (job := await self.show(id))["status"] not in OVER:
                await asyncio.sleep(0.01)
        return job

    async def result(self, data: bytes, **fields: Any) -> httpx.Response:
        """Make a job, and return its result."""
        id = await self.create(data, **fields)
        job = await self.over(id)
        assert job["status"] == "done", job
        return await self.http.get(f"{JOBS}/{id}/result")


def job_config(folder: Path, config: AppConfig | None = None, **jobs: Any) -> AppConfig:
    library = Library(folder=str(folder), jobs=Jobs(**jobs))
    return (config or fake_config()).model_copy(update={"library": library})


async def at_once(wait_s: float) -> None:
    """Wait no time before a further try, but let others work."""
    await asyncio.sleep(0)


@asynccontextmanager
async def job_server(
    config: AppConfig, *, runs: bool = True, remotes: LocalDirectory | None = None
) -> AsyncIterator[JobServer]:
    """Serve jobs from the folder that the configuration names; ``runs``: and run them."""
    assert config.library.folder is not None
    store = Store(Path(config.library.folder), Sealing(SECRET), config.library.max_bytes_per_owner)
    remotes = fake_remotes(config) if remotes is None else remotes
    fleet = await fake_fleet(config, remotes)
    keys = KnownKeys(config.security)
    runner = runner_of(fleet, config, store, keys, at_once)
    assert runner is not None
    app = asgi_app(fleet, config, Admission(64), None, keys, None, store, runner)
    async with connect(app) as http:
        if runs:
            runner.start()
        try:
            yield JobServer(http, runner, store, remotes, app)
        finally:
            await runner.stop()


def minutes(count: float, level: int = 700) -> bytes:
    """A recording of sentences of 18 s, each with 2 s of silence behind it."""
    sentence = np.concatenate([np.full(18 * 16_000, level), np.zeros(2 * 16_000)])
    samples = np.tile(sentence.astype(np.int16), round(count * 3))
    return wav(samples)
