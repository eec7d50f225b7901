"""The one interface that every model stands behind: load, warm up, run a batch, close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from models.devices.device import DeviceReport, DeviceRequest
from models.errors import DragomanError
from models.types import Kind

ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class ItemError:
    """Stands in a batch's results where one item failed; its neighbours are unharmed."""

    error: DragomanError


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a TTS runtime speaks with."""

    id: str
    language: str  # ISO 639-1
    engine: str
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """What a loaded model can do; the graph routes by it."""

    kind: Kind
    engine: str
    weights: str  # where they came from
    licence: str
    languages: tuple[str, ...] = ()  # ASR: ISO 639-1 codes; NMT: between any two of which
    pairs: tuple[tuple[str, str], ...] = ()  # NMT: (source, target), beside those of languages
    voices: tuple[Voice, ...] = ()  # TTS
    cloning_languages: tuple[str, ...] = ()  # TTS: that it speaks in the voice of a reference clip
    embedding_size: int | None = None  # speaker
    max_batch_size: int | None = None  # what the engine itself bounds; None: nothing
    length_buckets: tuple[
        float, ...
    ] = ()  # lengths that items are padded up to; empty: to the longest

    def translates(self, source: str, target: str) -> bool:
        among = source in self.languages and target in self.languages and source != target
        return self.kind == "nmt" and (among or (source, target) in self.pairs)


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """What the configuration says of one model, whatever its engine."""

    name: str
    weights: str  # package:NAME | path:FOLDER | hf:REPO@REVISION
    device: DeviceRequest
    options: Mapping[str, Any] = field(default_factory=dict)  # the engine's own, already validated
    sha256: Mapping[str, str] = field(
        default_factory=dict
    )  # file -> digest, beside the shipped pins
    files: tuple[str, ...] = ()  # patterns: what is taken from the hub; none: all


class Runtime(Protocol, Generic[ItemT_contra, ResultT]):
    """A model behind its batch-first interface. One thread at a time calls it.

    Engines keep no state between calls of ``run``, import heavy libraries inside ``load``,
    and take ``(settings: RuntimeSettings, options: Options)``.
    """

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Load the weights onto the device.

        Raises:
            WeightsError: weights are missing or differ from their pin.
            DeviceError: the device was asked for by name and is not there.
        """

    def warm_up(self) -> None:
        """Run the shapes that requests will have, so that the first request is not slow."""

    def run(self, batch: Sequence[ItemT_contra]) -> list[ResultT | ItemError]:
        """Answer each item: same length, same order.

        A bad item gets an ``ItemError`` in its place. An exception means that the batch as
        a whole failed; the caller may then try its items one by one.
        """

    def close(self) -> None:
        """Free the device's memory."""
