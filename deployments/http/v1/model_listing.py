"""A model as ``/v1/models`` lists it: OpenAI's fields, and what an operator asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deployments.catalogue.placements import Description, ReplicaStats
from deployments.catalogue.selection import Fleet


async def model_row(fleet: Fleet, name: str, started: int) -> dict[str, Any]:
    """Its spec, device, counts over all replicas, and each replica's own report.

    Args:
        fleet: the models.
        name: of the model, or an alias.
        started: the server's start, in Unix seconds.

    Raises:
        UnknownModel: there is none of that name.
        Unavailable: it is still loading, or no replica answers.
    """
    model = fleet.get(name)
    descriptions, stats = await fleet.describe(name)
    spec = descriptions[0].spec
    items, batches = sum(s.items for s in stats), sum(s.batches for s in stats)
    return {
        "id": model.name,
        "object": "model",
        "created": started,
        "owned_by": "dragoman",
        "aliases": fleet.aliases_of(model.name),
        "kind": spec.kind,
        "engine": spec.engine,
        "weights": spec.weights,
        "licence": spec.licence,
        "languages": spec.languages,
        "pairs": spec.pairs,
        "cloning_languages": spec.cloning_languages,
        "voices": [voice.id for voice in spec.voices],
        "embedding_size": spec.embedding_size,
        "replicas": len(descriptions),
        "device": asdict(descriptions[0].device),
        "replica_reports": _replica_reports(descriptions, stats),
        "statistics": {
            "items": items,
            "batches": batches,
            "mean_batch_size": round(items / batches, 3) if batches else 0.0,
            "item_errors": sum(s.item_errors for s in stats),
            "failures": sum(s.failed_batches for s in stats),
            "busy_s": round(sum(s.busy_s for s in stats), 3),
        },
    }


def alias_row(row: dict[str, Any], alias: str, name: str) -> dict[str, Any]:
    """The row of a model under another name, which the configuration has for it or its kind."""
    return {**row, "id": alias, "alias_of": name, "aliases": []}


def _replica_reports(
    descriptions: Sequence[Description], stats: Sequence[ReplicaStats]
) -> list[dict[str, Any]]:
    """Those that answered both questions: one may have died or come between them."""
    counts = {s.replica: s for s in stats}
    return [
        {
            "replica": d.replica,
            "device": asdict(d.device),
            "warm_up_s": d.warm_up_s,
            "statistics": _statistics(counts[d.replica]),
        }
        for d in descriptions
        if d.replica in counts
    ]


def _statistics(stats: ReplicaStats) -> dict[str, Any]:
    figures = asdict(stats)
    del figures["replica"]
    return figures
