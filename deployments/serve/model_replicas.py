"""Run each model as an application of Serve: its replicas, its share of a GPU, its state."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import ray
from ray import serve
from ray.serve import Application, RunTarget
from ray.serve._private.common import DeploymentID, ReplicaState
from ray.serve.config import RequestRouterConfig
from ray.serve.context import _get_global_client
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.schema import ApplicationDetails, ApplicationStatus, ServeInstanceDetails

from deployments.batching.forming import BATCHES_A_REPLICA
from deployments.batching.shared import CALLS_A_REPLICA
from deployments.catalogue.generation import Generation, model_of
from deployments.catalogue.placements import Description, Placements
from deployments.catalogue.platform import AppStatus
from deployments.catalogue.scaling import Load
from deployments.catalogue.spreading import Lying
from deployments.config.names import APPLICATION, INGRESS
from deployments.config.schema import ModelConfig
from deployments.serve.drain import DRAIN_S
from deployments.serve.handle import LOST, ServeRemote, handle_of
from deployments.serve.nodes import nodes_with_cpus, room
from deployments.serve.replica import CPUS_A_REPLICA, ModelReplica
from deployments.telemetry.log import LogFormat, logger
from models.errors import Draining, Unavailable

ASK_S = 5.0  # for the ingresses to answer
RECALL_S = 10.0  # for a restarted control to find them
PAUSE_S = 0.1  # before something is asked again
ROUTER = "deployments.serve.nearest_replica:NearestReplica"
OUR_ERROR = re.compile(r"^models\.errors\.\w+: ")  # as Python writes it before what it says

AppState = Literal["starting", "running", "failed", "stopping"]
STATES: dict[ApplicationStatus, AppState] = {
    ApplicationStatus.RUNNING: "running",
    ApplicationStatus.UNHEALTHY: "running",  # a replica has died; Serve makes another one
    ApplicationStatus.DEPLOYING: "starting",
    ApplicationStatus.DEPLOY_FAILED: "failed",
    ApplicationStatus.DELETING: "stopping",
}


class ServePlatform:
    """Run models as applications of Serve; calls that would block the loop are made on threads."""

    def __init__(
        self, log_format: LogFormat, serve_logging: Mapping[str, Any] | None, ingresses: int
    ) -> None:
        self._log_format: LogFormat = log_format
        self._ingresses = ingresses
        self._serve_logging = serve_logging
        self._deletions = ThreadPoolExecutor(thread_name_prefix="delete")

    async def start(self, generation: Generation, most_on_a_node: int | None) -> None:
        share = await self._gpu_share(generation.config)
        nodes = await asyncio.to_thread(nodes_with_cpus)
        bound = bind(generation, share, nodes, most_on_a_node, self._log_format, self._ingresses)
        app = RunTarget(
            bound,
            name=generation.app,
            route_prefix=None,
            external_scaler_enabled=generation.config.range is not None,
            logging_config=dict(self._serve_logging) if self._serve_logging else None,
        )
        await asyncio.to_thread(
            serve.run_many,
            [app],
            wait_for_ingress_deployment_creation=False,
            wait_for_applications_running=False,
        )

    async def scale(self, name: str, app: str, replicas: int) -> None:
        """Tell Serve's controller, which takes that of applications with an external scaler."""
        client = _get_global_client()
        assert client is not None, "a replica is connected"
        controller = client._controller
        asked = controller.update_deployment_replicas.remote(DeploymentID(name, app), replicas)
        await asyncio.wrap_future(asked.future())

    async def delete(self, app: str) -> None:
        while app in await self._applications():
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._deletions, serve.delete, app)
            except TimeoutError:
                logger.warning("application %s is still stopping", app)

    async def status(self) -> Mapping[str, AppStatus]:
        applications = await self._applications()
        server = applications.get(APPLICATION)
        if server is None or server.status == ApplicationStatus.DELETING:
            raise Draining("the server is stopping")
        found = {app: _status(app, of) for app, of in applications.items()}
        return {app: status for app, status in found.items() if status is not None}

    async def describe(self, name: str, app: str) -> Description | None:
        remote = ServeRemote(await handle_of(name, app))
        try:
            async with asyncio.timeout(ASK_S):
                while True:  # the handle may not know yet what the controller knows
                    try:
                        return (await remote.describe())[0]
                    except Unavailable:
                        await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            return None

    async def gpus(self) -> tuple[float, float]:
        there, free = await asyncio.gather(
            asyncio.to_thread(ray.cluster_resources), asyncio.to_thread(ray.available_resources)
        )
        return there.get("GPU", 0.0), free.get("GPU", 0.0)

    async def _gpu_share(self, config: ModelConfig) -> float:
        """Return the share of a GPU that Ray keeps for a replica.

        On a cluster without GPUs a fraction would never be scheduled; the model's own `device`
        decides there.
        """
        gpus, _ = await self.gpus()
        return config.gpu_fraction if gpus and config.device != "cpu" else 0.0

    async def room(self, config: ModelConfig) -> Sequence[int]:
        return await asyncio.to_thread(room, await self._gpu_share(config))

    async def recall(self) -> Placements | None:
        """Return the latest placements that an ingress knows."""
        try:
            async with asyncio.timeout(RECALL_S):
                while await self._are_there_ingresses():
                    known: list[Placements] = await self._ask_ingresses("placements")
                    if known:
                        return max(known, key=lambda placements: placements.version)
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            logger.error("no ingress tells what was unloaded: every model is loaded")
        return None

    async def tell(self, placements: Placements, name: str, timeout_s: float) -> None:
        answers = await self._ask_ingresses(
            "follow", placements, name, timeout_s, within_s=timeout_s + ASK_S
        )
        if not all(answers):
            logger.warning("batches of model %r had not ended after %.0f s", name, timeout_s)

    async def idle(self) -> Sequence[Mapping[str, float | None]] | None:
        answers = await self._ask_ingresses("idle", within_s=ASK_S, whole=True)
        return answers or None

    async def loads(self) -> Sequence[Mapping[str, Load]]:
        return await self._ask_ingresses("loads", within_s=ASK_S)

    async def _ask_ingresses(
        self, method: str, *args: Any, within_s: float = ASK_S, whole: bool = False
    ) -> list[Any]:
        """Return the answers of the ingresses; empty if ``whole`` and one does not answer."""
        try:
            handle = await handle_of(INGRESS, APPLICATION)
            answers = await handle.broadcast(method, *args).results_async(
                timeout_s=within_s, return_exceptions=True
            )
        except (DeploymentUnavailableError, Unavailable, TimeoutError, *LOST) as error:
            logger.debug("no ingress answers %s: %s", method, error)
            return []
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, LOST):
                logger.error("an ingress failed to %s", method, exc_info=answer)
        told = [answer for answer in answers if not isinstance(answer, BaseException)]
        return [] if whole and len(told) < len(answers) else told

    async def _are_there_ingresses(self) -> bool:
        application = (await self._applications()).get(APPLICATION)
        ingress = application.deployments.get(INGRESS) if application else None
        replicas = ingress.replicas if ingress else []
        return any(each.state == ReplicaState.RUNNING for each in replicas)

    async def _applications(self) -> Mapping[str, ApplicationDetails]:
        client = _get_global_client()
        assert client is not None, "a replica is connected"
        details = await asyncio.to_thread(client.get_serve_details)
        return ServeInstanceDetails(**details).applications


def bind(
    generation: Generation,
    gpu_share: float,
    nodes: int,
    most_on_a_node: int | None,
    log_format: LogFormat,
    ingresses: int,
) -> Application:
    """Build the application of one generation, for a cluster of so many nodes and ingresses."""
    name, config = generation.name, generation.config
    return ModelReplica.options(  # type: ignore[attr-defined, no-any-return]
        name=name,
        num_replicas=config.first_replicas,
        max_replicas_per_node=most_on_a_node,
        max_ongoing_requests=ingresses * (CALLS_A_REPLICA if ingresses > 1 else BATCHES_A_REPLICA),
        graceful_shutdown_timeout_s=DRAIN_S,
        request_router_config=RequestRouterConfig(
            request_router_class=ROUTER  # type: ignore[arg-type]
        ),
        ray_actor_options={"num_cpus": CPUS_A_REPLICA, "num_gpus": gpu_share},
    ).bind(config.engine, config.settings(name, nodes), generation.override, log_format)


def _status(app: str, of: ApplicationDetails) -> AppStatus | None:
    """Return an application's status; None if it serves no model."""
    name = model_of(app, *of.deployments)  # without a deployment in the first moment
    if name is None or of.status not in STATES:
        return None
    deployment, state = of.deployments.get(name), STATES[of.status]
    message = deployment.message if deployment else of.message
    last_line = (message.strip().splitlines() or ["see the log"])[-1]
    reason = OUR_ERROR.sub("", last_line)
    if deployment is None:
        return AppStatus(name, state, reason, of.last_deployed_time_s)
    replicas = [each for each in deployment.replicas if each.state != ReplicaState.STOPPING]
    nodes = tuple(each.node_id for each in replicas)
    most = deployment.deployment_config.max_replicas_per_node
    lying = Lying(nodes, most if isinstance(most, int) else None, is_complete=state == "running")
    running = sum(each.state == ReplicaState.RUNNING for each in replicas)
    return AppStatus(name, state, reason, of.last_deployed_time_s, running, lying)
