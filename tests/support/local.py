"""The whole application in this process, on fakes: no Ray, no weights, no socket."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.forming import BATCHES_A_REPLICA
from deployments.catalogue.control import Control
from deployments.catalogue.generation import Generation, ModelOverride
from deployments.catalogue.placements import Description, Placements, Remote
from deployments.catalogue.platform import AppStatus
from deployments.catalogue.scaling import Load
from deployments.catalogue.selection import Fleet
from deployments.catalogue.spreading import Lying
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, Limits, ModelConfig
from deployments.serve.batch_transport import Packed
from deployments.telemetry.model_report import Node, ReplicaStats
from models.errors import StartupError, Unavailable
from models.registry import find_engine
from models.weights.licences import check_accepted
from tests.support.fakes import FAKE_ASR, FAKE_NMT, FAKE_TTS, FAKE_VAD, SLEEP

FAKES = {
    "vad": FAKE_VAD,
    "asr": FAKE_ASR,
    "nmt": FAKE_NMT,
    "tts": FAKE_TTS,
    "speaker": SLEEP,
}


class LocalRemote:
    """One replica of a runtime, on a thread of this process; batches cross by pickle."""

    def __init__(
        self, name: str, config: ModelConfig, override: ModelOverride | None = None
    ) -> None:
        self._runtime = find_engine(config.engine).create(config.settings(name))
        spec, device = self._runtime.load()
        check_accepted(name, spec.weights, spec.licence, is_accepted=config.accept_license)
        self.description = Description(spec, device, override=override)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.batches: list[int] = []
        self.is_loading = False

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.batches.append(len(items))
        sent, sent_s = pickle.dumps(Packed(items)), time.perf_counter()
        results, ran_s = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._run, sent
        )
        waited_s = time.perf_counter() - sent_s - ran_s
        return BatchReply(pickle.loads(results), ran_s, waited_s)

    async def describe(self) -> Sequence[Description]:
        if self.is_loading:
            raise Unavailable("no replica answers")
        return [self.description]

    async def stats(self) -> Sequence[ReplicaStats]:
        if self.is_loading:
            raise Unavailable("no replica answers")
        return [ReplicaStats(items=sum(self.batches), batches=len(self.batches))]

    def close(self) -> None:
        self._thread.submit(self._runtime.close).result()

    def hold_all(self, until: asyncio.Event) -> None:
        """Let no batch begin before that."""
        infer = self.infer

        async def later(items: Sequence[Any]) -> BatchReply[Any]:
            await until.wait()
            return await infer(items)

        self.infer = later  # type: ignore[method-assign]

    def _run(self, sent: bytes) -> tuple[bytes, float]:
        started_s = time.perf_counter()
        results = pickle.dumps(Packed(self._runtime.run(pickle.loads(sent))))
        return results, time.perf_counter() - started_s


class LocalPlatform:
    """Runs applications as remotes of this process, and tells fleets of this process."""

    def __init__(self, apps: Mapping[str, LocalRemote] | None = None) -> None:
        self.apps: dict[str, LocalRemote | str] = dict(apps or {})  # or why it failed
        self.models = {app: app.partition("-")[0] for app in self.apps}
        self.fleets: list[Fleet] = []
        self.started: list[Generation] = []
        self.limits: list[int | None] = []  # of a node's replicas, with which each was started
        self.nodes: Sequence[int] = (256,)  # for how many replicas each is large enough
        self.lying = Lying()  # of every application
        self.remembered: Placements | None = None  # of a control before
        self.held: set[str] = set()  # applications whose start does not end
        self.gpus_left = (0.0, 0.0)
        self.scaled: list[tuple[str, int]] = []  # models, and what their number is to be
        self.most_replicas = 256  # of a model that start

    async def start(self, generation: Generation, most_on_a_node: int | None) -> None:
        self.started.append(generation)
        self.limits.append(most_on_a_node)
        name, app = generation.name, generation.app
        self.models[app] = name
        try:
            self.apps[app] = LocalRemote(name, generation.config, generation.override)
        except StartupError as error:
            self.apps[app] = str(error)

    async def delete(self, app: str) -> None:
        self.apps.pop(app, None)

    async def status(self) -> Mapping[str, AppStatus]:
        return {app: self._status(app, remote) for app, remote in self.apps.items()}

    def _status(self, app: str, remote: LocalRemote | str) -> AppStatus:
        if isinstance(remote, str):
            return AppStatus(self.models[app], "failed", remote)
        running = dict(self.scaled).get(self.models[app], 1)
        state: Literal["starting", "running"] = "starting" if app in self.held else "running"
        return AppStatus(
            self.models[app], state, replicas=min(running, self.most_replicas), lying=self.lying
        )

    async def describe(self, name: str, app: str) -> Description | None:
        remote = self.remote(app)
        return None if remote.is_loading else remote.description

    def remote(self, app: str) -> LocalRemote:
        remote = self.apps[app]
        assert isinstance(remote, LocalRemote)
        return remote

    async def room(self, config: ModelConfig) -> Sequence[int]:
        return self.nodes

    async def gpus(self) -> tuple[float, float]:
        return self.gpus_left

    async def recall(self) -> Placements | None:
        return self.remembered

    async def tell(self, placements: Placements, name: str, timeout_s: float) -> None:
        for fleet in self.fleets:
            await fleet.follower.follow(placements)
            await fleet.follower.settle(name, timeout_s)

    async def idle(self) -> Sequence[Mapping[str, float | None]] | None:
        return [fleet.follower.idle() for fleet in self.fleets]

    async def loads(self) -> Sequence[Mapping[str, Load]]:
        return [fleet.follower.loads() for fleet in self.fleets]

    async def scale(self, name: str, app: str, replicas: int) -> None:
        self.scaled.append((name, replicas))


class LocalDirectory(dict[str, LocalRemote]):
    """The remotes that run when the control starts, by model; and the way to the control."""

    def __init__(self, config: AppConfig) -> None:
        super().__init__({name: LocalRemote(name, m) for name, m in config.models.items()})
        self._config = config
        self._control: Control | None = None
        self.platform = LocalPlatform()

    @property
    def control(self) -> Control:
        if self._control is None:
            for name, model in self._config.models.items():
                app = Generation.of(name, model).app
                self.platform.apps[app], self.platform.models[app] = self[name], name
            self._control = Control(self._config.models, self.platform)
            self._control.start()
        return self._control

    async def placements(self) -> Placements:
        return await self.control.placements()

    async def remote(self, name: str, app: str) -> Remote:
        return self.platform.remote(app)

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        await self.control.load(name, override)

    async def unload(self, name: str) -> None:
        await self.control.unload(name)

    async def wake(self, name: str) -> None:
        await self.control.wake(name)

    async def nodes(self) -> Sequence[Node]:
        return []


def fake_config(**limits: Any) -> AppConfig:
    """Every kind of model, fake; ``limits`` other than the default."""
    return AppConfig(
        models={name: ModelConfig(engine=engine) for name, engine in FAKES.items()},
        aliases={"whisper-1": "asr", "tts-1": "tts"},
        limits=Limits(**limits),
    )


async def fake_fleet(
    config: AppConfig, remotes: LocalDirectory | None = None, /, **policies: BatchPolicy
) -> Fleet:
    """A fleet that is ready, of ``remotes``, or else of fakes."""
    remotes = fake_remotes(config) if remotes is None else remotes
    fleet = Fleet(config, remotes)
    remotes.platform.fleets.append(fleet)
    fleet.reconfigure(policies)
    fleet.start()
    await fleet.warm.wait()
    return fleet


def fake_remotes(config: AppConfig) -> LocalDirectory:
    return LocalDirectory(config)


async def until_queued(batcher: Batcher[Any, Any]) -> None:
    """Return once a request waits behind all batches of one replica that may be in flight.

    One that has only just come waits for a turn of the event loop, whatever is free.
    """
    async with asyncio.timeout(10):
        while batcher.in_flight < BATCHES_A_REPLICA or not batcher.pending:
            await asyncio.sleep(0.01)
