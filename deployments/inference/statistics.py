"""Triton's statistics extension: what each model has done, in its JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deployments.batching.statistics import ModelStatistics
from deployments.config.names import MODEL_VERSION

STAGES = ("compute_input", "compute_infer", "compute_output")
DURATIONS = ("success", "fail", "queue", *STAGES, "cache_hit", "cache_miss")


def as_json(name: str, done: ModelStatistics) -> dict[str, Any]:
    """Return one entry of ``model_stats``; all numbers are unsigned integers."""
    return {
        "name": name,
        "version": MODEL_VERSION,
        "last_inference": done.last_inference_ms,
        "inference_count": done.inference_count,
        "execution_count": done.execution_count,
        "inference_stats": {stage: asdict(getattr(done, stage)) for stage in DURATIONS},
        "response_stats": {},
        "batch_stats": [
            {"batch_size": size, **{stage: asdict(getattr(of_size, stage)) for stage in STAGES}}
            for size, of_size in sorted(done.executions.items())
        ],
        "memory_usage": [],
    }
