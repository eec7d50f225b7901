"""Deterministic runtimes behind the real interface: for tests and benches of what is around."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.device import Device, DeviceReport, report
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import SpeakerItem, Voiceprint


@dataclass(frozen=True, slots=True)
class Options:
    """A batch of n items sleeps ``base_ms + n * item_ms``: a GPU's time, which costs no CPU."""

    base_ms: float = 5.0
    item_ms: float = 0.2
    embedding_size: int = 192


class SleepSpeaker:
    """An embedding that sleeps; its value is read off the clip, so that answers differ."""

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        spec = RuntimeSpec(
            kind="speaker",
            engine="sleep",
            weights="none",
            licence="none",
            embedding_size=self._options.embedding_size,
        )
        device = Device("cpu", "sleeps")
        request = self._settings.device
        return spec, report(request, device, library="none", precision="float32", load_s=0.0)

    def warm_up(self) -> None:
        self.run([SpeakerItem(np.ones(16, np.int16))])

    def run(self, batch: Sequence[SpeakerItem]) -> list[Voiceprint | ItemError]:
        time.sleep((self._options.base_ms + len(batch) * self._options.item_ms) / 1000)
        embeddings = np.zeros((len(batch), self._options.embedding_size), np.float32)
        for row, item in zip(embeddings, batch, strict=True):
            row[int(item.samples[0]) % len(row)] = 1.0
        return [Voiceprint(row) for row in embeddings]

    def close(self) -> None:
        pass
