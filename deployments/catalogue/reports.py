"""Build the report of each running model from what its replicas answer."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.catalogue.placements import Description
from deployments.catalogue.selection import Fleet
from deployments.telemetry.model_report import (
    ModelCounts,
    ModelReport,
    ReplicaReport,
    ReplicaStats,
)
from models.runtime import RuntimeSpec


async def report_of(fleet: Fleet, name: str) -> tuple[ModelReport, RuntimeSpec]:
    """Ask every replica of a model, and return its report and what the model can do.

    Args:
        fleet: the models.
        name: the model's name, or an alias.

    Raises:
        UnknownModel: no model has that name.
        Unavailable: the model is still loading, or no replica answers.
    """
    model = fleet.get(name)
    descriptions, stats = await fleet.describe(name)
    report = ModelReport(
        name=model.name,
        state=fleet.readiness()[model.name],
        replica_count=len(descriptions),
        device=descriptions[0].device,
        replicas=_replicas(descriptions, stats),
        statistics=ModelCounts.of(stats),
    )
    return report, descriptions[0].spec


def _replicas(
    descriptions: Sequence[Description], stats: Sequence[ReplicaStats]
) -> tuple[ReplicaReport, ...]:
    """Pair the answers; leave out a replica that started or died between the two questions."""
    counts = {s.replica: s for s in stats}
    return tuple(
        ReplicaReport(d.replica, d.device, d.warm_up_s, counts[d.replica], d.node)
        for d in descriptions
        if d.replica in counts
    )
