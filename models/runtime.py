"""The interface that every engine implements: declare itself, load, warm up, run, close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

from models.devices.device import DeviceReport, DeviceRequest
from models.errors import DragomanError
from models.types import Kind

Library: TypeAlias = Literal["torch", "onnxruntime", "ctranslate2"]
ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class NoOptions:
    """Stands for the options of an engine that has none."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Declares what the server must know of an engine before it loads it.

    It stands as the attribute ``engine`` of the runtime class.

    Attributes:
        kind: what it does.
        options: the frozen dataclass of what the configuration may say under ``options``.
        library: what computes, on the CPU or on CUDA; None: Python or NumPy alone.
        files: patterns of the files that it reads from a repository on the hub, which may hold
            the same weights for other libraries, too; none: all files.
        needs_weights: whether the configuration must name ``weights``.
        small: whether one CPU thread is best.
        keeps: whether ``models.text.keep`` keeps what is no prose around it. Such a runtime has
            ``lacks``, too; see ``models.nmt.keeping``.
        licence: of its published weights, as an SPDX id or a name; it is taken for that of weights
            that tell none themselves. None: weights of many licences run on it.
        file_options: names of options that the configuration's file alone may set, and no call
            that loads a model, whatever ``security.load_allow`` says.

    Raises:
        TypeError, ValueError: a declaration that the server could not use.
    """

    kind: Kind
    options: type[Any] = NoOptions
    library: Library | None = None
    files: tuple[str, ...] = ()
    needs_weights: bool = True
    small: bool = False
    keeps: bool = False
    licence: str | None = None
    file_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"Engine.kind: one of {', '.join(get_args(Kind))}, not {self.kind!r}")
        if self.library not in (None, *get_args(Library)):
            known = ", ".join(get_args(Library))
            raise ValueError(f"Engine.library: None or one of {known}, not {self.library!r}")
        if not isinstance(self.files, tuple):
            raise TypeError(f"Engine.files: a tuple of patterns, not {self.files!r}")
        parameters = getattr(self.options, "__dataclass_params__", None)
        if not (isinstance(self.options, type) and is_dataclass(self.options)):
            raise TypeError(f"Engine.options: a frozen dataclass, not {self.options!r}")
        if parameters is None or not parameters.frozen:
            raise TypeError(
                f"Engine.options: {self.options.__name__} is a dataclass but not frozen"
            )
        if self.licence is not None and not (isinstance(self.licence, str) and self.licence):
            raise TypeError(f"Engine.licence: None or a text, not {self.licence!r}")
        if unknown := set(self.file_options) - set(self.options.__dataclass_fields__):
            raise ValueError(f"Engine.file_options: no option is called {min(unknown)}")
        if self.keeps and self.kind != "nmt":
            raise ValueError(f"Engine.keeps: for nmt alone, not for {self.kind}")


@dataclass(frozen=True, slots=True)
class ItemError:
    """Stand in a batch's results where one item failed; its neighbours are unharmed."""

    error: DragomanError


@dataclass(frozen=True, slots=True)
class Voice:
    """Describe a voice that a TTS runtime speaks with."""

    id: str
    language: str  # ISO 639-1
    engine: str
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Describe an input or output of a model that is no speech, without the rows' dimension."""

    name: str
    datatype: str  # as the Open Inference Protocol has it, such as FP32; BYTES are strings
    dims: tuple[int, ...]  # -1: any length
    any_length: int = 1  # that such dims have in rows that are made, as for a warm-up


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """Describe what a loaded model can do; the graph routes by it."""

    kind: Kind
    engine: str
    weights: str  # where they came from
    licence: str
    languages: tuple[str, ...] = ()  # ASR: ISO 639-1 codes; NMT: between any two of which
    takes_prefix: bool = False  # ASR: AsrItem.prefix; an engine that does not refuses it
    takes_prompt: bool = True  # ASR: AsrItem.prompt; an engine that does not refuses it
    pairs: tuple[tuple[str, str], ...] = ()  # NMT: (source, target), beside those of languages
    continues: bool = False  # NMT: whether it can go on from the start of a sentence
    takes_terms: bool = False  # NMT: NmtItem.terms; every engine that ``keeps`` does
    voices: tuple[Voice, ...] = ()  # TTS
    takes_sounds: bool = False  # TTS: TtsItem.sounds
    cloning_languages: tuple[str, ...] = ()  # TTS: that it speaks in the voice of a reference clip
    embedding_size: int | None = None  # speaker
    inputs: tuple[TensorInfo, ...] = ()  # tensors
    outputs: tuple[TensorInfo, ...] = ()  # tensors
    max_batch_size: int | None = None  # what the engine itself bounds; None: nothing
    # Lengths that items are padded up to; empty: to the longest.
    length_buckets: tuple[float, ...] = ()
    sends_to: str | None = None  # host that items are sent to; None: they stay on the machine
    # What bounds a batch that waits for another machine, and so uses no CPU; None: batches compute.
    max_run_s: float | None = None

    def translates(self, source: str, target: str) -> bool:
        """Tell whether it translates from one language to another."""
        among = source in self.languages and target in self.languages and source != target
        return self.kind == "nmt" and (among or (source, target) in self.pairs)


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Hold what the configuration says of one model, whatever its engine."""

    name: str
    weights: str  # none | package:NAME | path:FOLDER | hf:REPO@REVISION
    device: DeviceRequest
    options: Mapping[str, Any] = field(default_factory=dict)  # the engine's own, already validated
    # File -> digest in hex, beside the shipped pins.
    sha256: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()  # patterns: what is taken from the hub; none: all
    accepts_licence: bool = False  # also one that forbids commercial use


class Runtime(Protocol, Generic[ItemT_contra, ResultT]):
    """Run a model behind a batch-first interface. One thread at a time calls it.

    Its class declares itself in ``engine`` and takes ``(settings, options)``: the
    ``RuntimeSettings`` and an instance of ``engine.options``. It keeps no state between calls of
    ``run``. Its module imports heavy libraries inside ``load``, as the configuration's check
    imports it, too.
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
