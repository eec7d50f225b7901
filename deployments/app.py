"""Build the application that ``serve_config.yaml`` names by its import path."""

# No `from __future__ import annotations`: Serve reads the type of `build`'s argument as an object.
import ray
from ray.serve import Application

from deployments.config.licences import check_licences
from deployments.config.policy import IngressUserConfig
from deployments.config.schema import AppConfig, check_fractions
from deployments.serve.drain import DRAIN_S
from deployments.serve.every_node import replicas_of
from deployments.serve.ingress import Ingress
from deployments.serve.model_control import OPERATIONS, ModelControl
from deployments.serve.replica import CPUS_A_REPLICA


def build(args: AppConfig) -> Application:
    """Bind the ingress, and the control that starts an application for each model.

    Raises:
        ConfigError: the GPU fractions do not fit the cluster's GPUs, or a licence that forbids
            commercial use is not accepted.
    """
    check_licences(args.models)
    gpus: float = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    check_fractions(args.models, gpus)
    control = ModelControl.options(  # type: ignore[attr-defined]
        max_ongoing_requests=OPERATIONS,
        ray_actor_options={"num_cpus": CPUS_A_REPLICA, "num_gpus": 0},
    ).bind(args)
    return Ingress.options(  # type: ignore[attr-defined, no-any-return]
        **replicas_of(args.ingress),
        max_ongoing_requests=OPERATIONS,  # HTTP requests do not pass through Serve
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options={"num_cpus": CPUS_A_REPLICA, "num_gpus": 0},
        user_config=IngressUserConfig().model_dump(),
    ).bind(args, control)
