"""Apply operators' changes and the engines' bounds to the configured batch policies."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.catalogue.placements import Placement
from deployments.config.policy import BatchPolicy
from deployments.telemetry.log import logger
from models.errors import InvalidRequest


class Policies:
    """The batch policies of the configuration, by model."""

    def __init__(self) -> None:
        self._configured: dict[str, BatchPolicy] = {}

    def reconfigure(self, policies: Mapping[str, BatchPolicy]) -> None:
        """Replace all configured policies."""
        self._configured = dict(policies)

    def configured(self, name: str) -> BatchPolicy:
        """Return the configured policy, or the default one."""
        return self._configured.get(name, BatchPolicy())

    def effective(self, name: str, placement: Placement | None) -> BatchPolicy:
        """Return the policy with what an operator changed at the load."""
        policy = self.configured(name)
        if placement is None or placement.override is None:
            return policy
        try:
            return placement.override.batching(policy)
        except InvalidRequest as error:
            logger.error("model %r keeps its configured batch policy: %s", name, error.message)
            return policy


def within(policy: BatchPolicy, max_rows: int | None) -> BatchPolicy:
    """Return a policy whose batches have at most so many rows; None: any number."""
    if max_rows is None or max_rows >= policy.max_batch_size:
        return policy
    return policy.model_copy(update={"max_batch_size": max_rows})
