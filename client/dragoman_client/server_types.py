"""Define what the client returns of the server itself: its models, voices and diagnosis."""

from __future__ import annotations

from collections.abc import Mapping

from .answer import Answer


class Device(Answer, frozen=True):
    """The device that was asked for a model, the one it runs on, and why."""

    requested: str
    actual: str
    reason: str
    library: str
    precision: str
    threads: int | None = None
    gpu_name: str | None = None
    memory_bytes: int | None = None
    load_s: float | None = None


class Statistics(Answer, frozen=True):
    """Counts since the server's start, over all replicas."""

    items: int
    batches: int
    mean_batch_size: float
    failures: int
    busy_s: float


class Model(Answer, frozen=True, kw_only=True):
    """A model of the server."""

    id: str
    kind: str  # vad, asr, nmt, tts, speaker, tensors
    engine: str
    weights: str
    licence: str  # of its weights
    commercial_use: bool | None = None  # whether the licence allows it; None: it is not known
    sends_to: str | None = None  # the host that texts are sent to; None: they stay there
    languages: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()  # (source, target)
    voices: tuple[str, ...] = ()
    embedding_size: int | None = None  # numbers in an embedding
    replicas: int
    device: Device
    statistics: Statistics
    aliases: tuple[str, ...] = ()  # other names of the model
    # Of the slowest open live session, over the last minute: 95 of 100 events were no later.
    live_lag_p95_s: float | None = None


class Voice(Answer, frozen=True):
    """A voice that speaks a language."""

    id: str
    language: str
    engine: str
    model: str
    sample_rate_hz: int


class Readiness(Answer, frozen=True):
    """The state of the server and of each model. It is true if the server takes requests.

    >>> if not client.ready():
    ...     client.wait_until_ready(timeout_s=120)
    """

    ready: bool
    models: Mapping[str, str] = {}

    def __bool__(self) -> bool:
        return self.ready


class Finding(Answer, frozen=True):
    """One result of the server's diagnosis of itself."""

    check: str
    status: str  # ok, warning, failed
    found: str
    fix: str | None = None  # the command that repairs it, if one does


class Diagnosis(Answer, frozen=True):
    """The server's answer to whether it uses the GPU, and if not, why.

    >>> diagnosis = client.doctor()
    >>> [(row.check, row.fix) for row in diagnosis.findings if row.status == "failed"]
    [('onnxruntime', 'run `make install-gpu`')]
    """

    hostname: str
    status: str  # the worst of the findings: ok, warning, failed
    verdict: str
    findings: tuple[Finding, ...]
