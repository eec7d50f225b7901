"""What the simulation and the real servers are made of: a model's times, costs, numbers, a load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from deployments.config.policy import BatchPolicy

MS = 1000
Spread: TypeAlias = Literal["turns", "connections", "chance"]


@dataclass(frozen=True)
class Sleeper:
    """A model whose batch of n rows takes ``fixed_ms + n * row_ms``."""

    fixed_ms: float
    row_ms: float
    rows: int  # most of a batch
    delay_ms: float = 50

    def batch_s(self, rows: float) -> float:
        return (self.fixed_ms + rows * self.row_ms) / MS

    @property
    def capacity(self) -> float:
        """Return the requests/s of one replica with full batches."""
        return self.rows / self.batch_s(self.rows)

    @property
    def policy(self) -> BatchPolicy:
        return BatchPolicy(
            max_batch_size=self.rows, max_queue_delay_ms=self.delay_ms, max_queue_size=4096
        )


@dataclass(frozen=True)
class Costs:
    """What stands around a model, in milliseconds."""

    request: float = 0.35  # of an ingress process, which does one thing at a time
    batch: float = 1.2  # of the same
    call: float = 0.8  # of a replica's process, a batch that an ingress sends
    way: float = 1.0  # to a replica on the ingress' node, and as long back
    far_way: float = 2.0  # to one on another node
    caller: float = 0.1  # of the one process of all callers, a request


@dataclass(frozen=True)
class Cluster:
    """So many equal nodes.

    Attributes:
        ingresses: of each node.
        replicas: of each node.
        gathers: batches of several ingresses may run together at a replica.
        shares: each ingress forms batches for its share of the replicas, not for all of them.
        spread: each request goes to the next ingress (``turns``, as nginx does it); or to that of
            its connection, which came there in turn (``connections``) or by chance (``chance``, as
            the kernel spreads those to one port).
    """

    model: Sleeper
    nodes: int = 1
    ingresses: int = 1
    replicas: int = 1
    gathers: bool = True
    shares: bool = True
    spread: Spread = "turns"
    cores: int | None = None  # of one machine that all processes share; None: enough
    costs: Costs = field(default_factory=Costs)

    @property
    def replicas_of_an_ingress(self) -> int:
        """Return for how many replicas each ingress forms batches."""
        every = self.nodes * self.replicas
        return max(1, every // (self.nodes * self.ingresses)) if self.shares else every

    @property
    def capacity(self) -> float:
        """Return the requests/s of all replicas with full batches."""
        return self.nodes * self.replicas * self.model.capacity


@dataclass(frozen=True)
class Carried:
    """What came of a load."""

    requests_s: float
    rows: float  # a batch, as the model ran it
    p50_ms: float
    p95_ms: float
    refused: int = 0
