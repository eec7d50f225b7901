"""The space of the search: settings of each model, candidates made of them, values to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, TypeAlias

from deployments.config.files import ServeFile
from deployments.config.policy import BatchPolicy
from deployments.config.schema import ModelConfig

# Of a model, what changes only when it is loaded again: replicas, and threads of each.
Instances: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """The tuned settings of one model; names are the configuration's."""

    max_batch_size: int
    max_queue_delay_ms: float
    replicas: int
    threads: int

    @property
    def instances(self) -> Instances:
        return self.replicas, self.threads

    def __str__(self) -> str:
        return (
            f"batch {self.max_batch_size}, delay {self.max_queue_delay_ms:g} ms, "
            f"{self.replicas} x {counted(self.threads, 'thread')}"
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings of every model that is tuned, in the configuration's order."""

    models: tuple[tuple[str, Settings], ...]

    def of(self, name: str) -> Settings:
        return dict(self.models)[name]

    def with_(self, name: str, **changes: Any) -> Candidate:
        """Return the candidate with other values of one model's settings."""
        return Candidate(
            tuple(
                (known, replace(settings, **changes) if known == name else settings)
                for known, settings in self.models
            )
        )

    @property
    def cost(self) -> tuple[int, int, int]:
        """Return what it takes of the machine: replicas, threads, rows of its batches."""
        every = [settings for _, settings in self.models]
        return (
            sum(s.replicas for s in every),
            sum(s.replicas * s.threads for s in every),
            sum(s.replicas * s.max_batch_size for s in every),
        )

    def changes(self, base: Candidate) -> int:
        """Count the settings that differ."""
        pairs = zip(self.models, base.models, strict=True)
        return sum(
            one != other
            for (_, s), (_, b) in pairs
            for one, other in zip(astuple(s), astuple(b), strict=True)
        )

    def preference(self, base: Candidate) -> tuple[int, int, int, int]:
        """Rank equals, the least first: by replicas, threads, changes, rows of batches."""
        replicas, threads, rows = self.cost
        return replicas, threads, self.changes(base), rows

    def told(self, base: Candidate) -> str:
        """Tell in words: of a single model all, of several those that differ from ``base``."""
        if len(self.models) == 1:
            return str(self.models[0][1])
        changed = [
            f"{n}: {s}" for (n, s), b in zip(self.models, base.models, strict=True) if (n, s) != b
        ]
        return "; ".join(changed) or "the present settings"


@dataclass(frozen=True, slots=True)
class Values:
    """The values to try of one model, the present ones among them."""

    batch_sizes: tuple[int, ...]
    delays_ms: tuple[float, ...]
    instances: tuple[Instances, ...]


Space: TypeAlias = Mapping[str, Values]


def present(config: ServeFile, names: Sequence[str]) -> Candidate:
    """Read what the configuration says of these models."""
    application = config.applications[0]
    return Candidate(
        tuple(
            (name, _settings(application.args.models[name], policy_of(config, name)))
            for name in names
        )
    )


def policy_of(config: ServeFile, name: str) -> BatchPolicy:
    """Return a model's batch policy, or the default one."""
    for override in config.applications[0].deployments:
        if name in override.user_config.batching:
            return override.user_config.batching[name]
    return BatchPolicy()


def _settings(model: ModelConfig, policy: BatchPolicy) -> Settings:
    return Settings(
        policy.max_batch_size, policy.max_queue_delay_ms, model.first_replicas, model.cpu_threads
    )


def values(
    at: Settings,
    batch_sizes: Sequence[int],
    delays_ms: Sequence[float],
    replicas: Sequence[int],
    threads: Sequence[int],
    most_threads: int | None = None,
) -> Values:
    """List every value once, ascending, with those of ``at``.

    ``most_threads`` leaves out replicas that would have more threads together, but not ``at``'s.
    """
    pairs = {
        (count, each) for count in (replicas or [at.replicas]) for each in (threads or [at.threads])
    }
    fitting = {
        (count, each)
        for count, each in pairs
        if most_threads is None or count * each <= most_threads
    }
    return Values(
        tuple(sorted({at.max_batch_size, *batch_sizes})),
        tuple(sorted({at.max_queue_delay_ms, *delays_ms})),
        tuple(sorted(fitting | {at.instances})),
    )


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
