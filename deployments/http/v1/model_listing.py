"""Render a model's report as ``/v1/models`` lists it: OpenAI's fields, and what operators need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deployments.batching.statistics import Figures
from deployments.catalogue.reports import report_of
from deployments.catalogue.selection import Fleet
from deployments.telemetry.live_figures import LiveFigures
from deployments.telemetry.model_report import ModelReport, ReplicaReport
from models.runtime import RuntimeSpec
from models.types import Kind
from models.weights.licences import commercial_use

NOTHING = Figures()
# The stage of a live session that a kind of model ends.
LIVE_STAGES: Mapping[Kind, str] = {"asr": "recognised", "nmt": "translated", "tts": "spoken"}


async def model_row(
    fleet: Fleet, name: str, started: int, figures: Mapping[str, Figures], live: LiveFigures
) -> dict[str, Any]:
    """Ask a model's replicas, and render what they answer.

    Args:
        fleet: the models.
        name: the model's name, or an alias.
        started: the server's start, in Unix seconds.
        figures: of each model's queue, over all ingresses.
        live: the figures of live sessions.

    Raises:
        UnknownModel: no model has that name.
        Unavailable: the model is still loading, or no replica answers.
    """
    report, spec = await report_of(fleet, name)
    row = as_row(report, spec, fleet.aliases_of(report.name), started)
    stage = LIVE_STAGES.get(spec.kind)
    lag_s = None if stage is None else live.lag_p95_s(stage)
    now = figures.get(report.name, NOTHING)
    return {
        **row,
        "waiting": now.waiting,
        "live_lag_p95_s": None if lag_s is None else round(lag_s, 3),
    }


def as_row(
    report: ModelReport, spec: RuntimeSpec, aliases: list[str], started: int
) -> dict[str, Any]:
    """Render the report of a model that answers."""
    assert report.device is not None
    counts = report.statistics
    return {
        "id": report.name,
        "object": "model",
        "created": started,
        "owned_by": "dragoman",
        "aliases": aliases,
        "kind": spec.kind,
        "engine": spec.engine,
        "weights": spec.weights,
        "licence": spec.licence,
        "commercial_use": commercial_use(spec.licence),
        "sends_to": spec.sends_to,
        "languages": spec.languages,
        "pairs": spec.pairs,
        "cloning_languages": spec.cloning_languages,
        "voices": [voice.id for voice in spec.voices],
        "embedding_size": spec.embedding_size,
        "replicas": report.replica_count,
        "device": asdict(report.device),
        "replica_reports": [_replica_row(replica) for replica in report.replicas],
        "statistics": {
            "items": counts.items,
            "batches": counts.batches,
            "mean_batch_size": round(counts.mean_batch_size, 3),
            "item_errors": counts.item_errors,
            "failures": counts.failures,
            "busy_s": round(counts.busy_s, 3),
        },
    }


def alias_row(row: dict[str, Any], alias: str, name: str) -> dict[str, Any]:
    """Return a model's row under another name, which the configuration has for it or its kind."""
    return {**row, "id": alias, "alias_of": name, "aliases": []}


def _replica_row(report: ReplicaReport) -> dict[str, Any]:
    statistics = asdict(report.statistics)
    del statistics["replica"]
    return {
        "replica": report.replica,
        "node": report.node,
        "device": asdict(report.device),
        "warm_up_s": report.warm_up_s,
        "statistics": statistics,
    }
