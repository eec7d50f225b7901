"""The rig: measures a candidate with the load test, on the server that is tuned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from dragoman_client import AsyncClient, DragomanError, Model, Retry
from load.endpoints import Ask, Work
from load.figures import StepFigures
from load.steps import Length, Load, RealClock, Recording, Stepper
from load.sweep import Plan, Sweep
from tuning.requests import Body, asker
from tuning.server import ServerError, TunedServer
from tuning.space import Candidate
from tuning.trial import Trial

# As many connections as requests at once: a pool's bound would hold an open loop back.
UNBOUNDED = httpx.Limits(max_connections=None, max_keepalive_connections=None)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The way to measure; ``bodies`` go to the one model, or else the work to the graph."""

    load: Load
    duration_s: float
    warm_up_s: float
    slo_ms: float
    timeout_s: float
    work: Work
    bodies: Sequence[Body] = ()
    seed: int = 0


@dataclass(slots=True)
class ServerRig:
    """Loads a server that runs.

    Args:
        server: takes the candidates.
        tuned: the models whose settings are tuned; only one if ``how`` has bodies.
        how: the load.
    """

    server: TunedServer
    tuned: Sequence[str]
    how: Measurement
    _took_s: float = 0.0  # that the last step took, with the wait for its last answers

    def expected_s(self, candidate: Candidate, after: Candidate | None = None) -> float:
        """Estimate the step, and the loading of models that must be loaded again."""
        step_s = max(self.how.warm_up_s + self.how.duration_s, self._took_s)
        return step_s + self.server.loading_s(candidate, after)

    def measure(self, candidate: Candidate) -> Trial:
        """Apply the candidate, load the server, and say what came of it.

        Raises:
            ServerError: the server does not answer.
        """
        try:
            if reason := self.server.apply(candidate):
                return Trial(candidate, reason=reason)
            started = time.monotonic()
            trial = asyncio.run(self._run(candidate))
            self._took_s = time.monotonic() - started
            return trial
        except (OSError, httpx.HTTPError) as error:
            raise ServerError(f"the server does not answer: {error}") from error

    async def probe(self) -> None:
        """Send one request. Raises DragomanError."""
        async with self._client() as client, self._http() as http:
            await self._ask(client, http)(0)

    async def _run(self, candidate: Candidate) -> Trial:
        how = self.how
        async with self._client() as client, self._http() as http:
            stepper = Stepper(self._ask(client, http), RealClock(), seed=how.seed)
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
        url, once = self.server.url, Retry(attempts=1)
        return AsyncClient(url, timeout=self.how.timeout_s, retry=once, transport=transport)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.server.url, timeout=self.how.timeout_s, limits=UNBOUNDED, trust_env=False
        )


class Quiet:
    """A sweep's progress that nobody hears: a trial is one line, told by whoever searches."""

    def begin(self, load: Load, length: Length) -> None: ...

    def answered(self, recording: Recording) -> None: ...

    def end(self, figures: StepFigures) -> None: ...


async def _models(client: AsyncClient) -> dict[str, Model]:
    """Ask for the models; none where the server does not tell: it may be overloaded."""
    try:
        return {model.id: model for model in await client.models()}
    except DragomanError:
        return {}
