"""What the engines of anybody's networks share: from an opened network to the answers of rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.devices import device
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, TensorInfo
from models.tensors.batches import Arrays, RowBatches
from models.types import TensorsItem, TensorsResult
from models.weights.source import licence


@dataclass(frozen=True, slots=True)
class Network:
    """A network that was opened.

    Attributes:
        on: where it was opened.
        inputs, outputs: its signature.
        forward: runs arrays [rows, ...] by name.
        is_alone: whether it takes one row at a time.
        library: that runs it, with its version.
    """

    on: device.Device
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    forward: Callable[[Arrays], Arrays]
    is_alone: bool
    library: str


class RowsEngine:
    """Run rows through the network that a subclass opens."""

    name: str  # of the engine
    engine: Engine

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._rows: RowBatches | None = None

    def _open(self) -> Network:
        """Open the network. Raises WeightsError."""
        raise NotImplementedError

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        started_s, settings = time.perf_counter(), self._settings
        network = self._open()
        self._rows = RowBatches(
            settings.name, network.inputs, network.outputs, network.forward, alone=network.is_alone
        )
        spec = RuntimeSpec(
            kind="tensors",
            engine=self.name,
            weights=settings.weights,
            licence=licence(settings.weights),
            inputs=network.inputs,
            outputs=network.outputs,
            max_batch_size=1 if network.is_alone else None,
        )
        return spec, device.report(
            settings.device,
            network.on,
            library=network.library,
            precision="as in its file",
            load_s=time.perf_counter() - started_s,
        )

    def warm_up(self) -> None:
        assert self._rows is not None, "load() first"
        self._rows.warm_up()

    def run(self, batch: Sequence[TensorsItem]) -> list[TensorsResult | ItemError]:
        """Return the outputs of each row; see ``RowBatches.run`` for the errors."""
        assert self._rows is not None, "load() first"
        return self._rows.run(batch)

    def close(self) -> None:
        self._rows = None
