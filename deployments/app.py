"""The application's builder: what ``serve_config.yaml`` names as its import path."""

# No `from __future__ import annotations`: Serve reads the type of `build`'s argument as an object.
import ray
from ray.serve import Application

from deployments.batcher import BATCHES_A_REPLICA
from deployments.config import AppConfig, IngressUserConfig, ModelConfig, check_fractions
from deployments.ingress.deployment import Ingress
from deployments.replica import ModelReplica

# Ray schedules by it and bounds nothing; a model's threads are what bounds its CPU.
CPUS_A_REPLICA = 0.05
DRAIN_S = 20.0  # what a stopping replica may take to finish what it has begun
# Each of these requests holds a connection, so that our own admission can answer it.
CONNECTIONS_OVER_LIMIT = 2


def build(args: AppConfig) -> Application:
    """Bind every model and the ingress.

    Raises:
        ConfigError: the GPU fractions do not fit the cluster's GPUs.
    """
    gpus: float = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    check_fractions(args.models, gpus)
    handles = {name: _bind(name, model, gpus) for name, model in args.models.items()}
    return Ingress.options(  # type: ignore[attr-defined, no-any-return]
        num_replicas=args.ingress.replicas,
        max_ongoing_requests=args.limits.max_concurrent_requests * CONNECTIONS_OVER_LIMIT,
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options={"num_cpus": CPUS_A_REPLICA, "num_gpus": 0},
        user_config=IngressUserConfig().model_dump(),
    ).bind(args, handles)


def _bind(name: str, model: ModelConfig, gpus: float) -> Application:
    return ModelReplica.options(  # type: ignore[attr-defined, no-any-return]
        name=name,
        num_replicas=model.replicas,
        max_ongoing_requests=BATCHES_A_REPLICA,
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options={
            "num_cpus": CPUS_A_REPLICA,
            # On a host without GPUs a fraction would never be scheduled; the model's own
            # `device` decides there.
            "num_gpus": model.gpu_fraction if gpus and model.device != "cpu" else 0,
        },
    ).bind(model.engine, model.settings(name))
