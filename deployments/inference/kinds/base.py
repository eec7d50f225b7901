"""The base of all names of ``/v2/models``: a signature, the models behind it, and their rows.

One row is one item of the model's batcher; of a text, each sentence is one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import ClassVar

from deployments.catalogue.model import Model
from deployments.config.schema import AppConfig, Limits
from deployments.graph.bounds import FASTEST, SLOWEST, check_text_length
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.inference.rows import AUDIO, AUDIO_LENGTH, SAMPLE_RATE, Rows, naming_input
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from deployments.telemetry import usage
from models.audio import decode
from models.errors import DragomanError, InvalidRequest
from models.types import SAMPLE_RATE_HZ, Audio, Kind

SPEEDS = (SLOWEST, FASTEST)
AUDIO_INPUTS = (
    TensorSpec(AUDIO, "FP32", (-1,), also=("INT16",)),
    TensorSpec(AUDIO_LENGTH, "INT32", (1,), optional=True),
    TensorSpec(SAMPLE_RATE, "INT32", (1,), optional=True),
)
AUDIO_OUTPUTS = (
    TensorSpec(AUDIO, "FP32", (-1,)),
    TensorSpec(AUDIO_LENGTH, "INT32", (1,)),
    TensorSpec(SAMPLE_RATE, "INT32", (1,)),
)
Wanted = Callable[[str], bool]  # whether an output was asked for


class Served(ABC):
    """One name of ``/v2/models``: a model, a kind of which there are several, or the graph."""

    kind: ClassVar[Kind]
    decoupled: ClassVar[bool] = False  # whether a stream answers a request with several answers
    signature: Signature

    def __init__(self, name: str, pipeline: Pipeline, config: AppConfig) -> None:
        self.name = name
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._config = config
        self._limits = config.limits

    @property
    def models(self) -> list[Model]:
        """List what stands behind the name.

        Raises:
            NotReady, Unavailable: one of them cannot be used now.
        """
        if self.name in self._config.models:
            return [self._fleet.get(self.name)]
        return self._fleet.of_kind(self.kind)

    @property
    def is_known(self) -> bool:
        """Tell whether the signature is known, though the model may not be ready."""
        return True

    @property
    def model(self) -> Model:
        """Return the first of the models."""
        return self.models[0]

    @property
    def max_batch_size(self) -> int:
        """Return how many rows one request may have."""
        return max(model.batcher.policy.max_batch_size for model in self.models)

    @property
    def steps(self) -> tuple[str, ...]:
        """List the models behind a name that is not a model's own."""
        return () if self.name in self._config.models else self._config.names_of(self.kind)

    async def infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        """Return the outputs of checked rows.

        Raises:
            DragomanError: the first row that fails; the message names the input.
        """
        with self._naming_inputs():
            return await self._infer(rows, wanted, context)

    async def stream(
        self, rows: Rows, wanted: Wanted, context: Context
    ) -> AsyncGenerator[list[Tensor]]:
        """Yield the outputs of checked rows as they are made, at least once.

        Raises:
            DragomanError: as ``infer`` does, behind what was yielded before.
        """
        with self._naming_inputs():
            async with aclosing(self._stream(rows, wanted, context)) as answers:
                async for outputs in answers:
                    yield outputs

    async def _stream(
        self, rows: Rows, wanted: Wanted, context: Context
    ) -> AsyncGenerator[list[Tensor]]:
        yield await self._infer(rows, wanted, context)

    @contextmanager
    def _naming_inputs(self) -> Iterator[None]:
        """Let errors name the input that they are about."""
        try:
            yield
        except DragomanError as error:
            named = naming_input(error, self.signature.input_of)
            if named is error:
                raise
            raise named from error

    @abstractmethod
    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        """Plan what the rows ask for, decode their audio, and run the plan."""

    async def _at_16_khz(self, rows: Rows, context: Context) -> list[Audio]:
        """Return the audio of each row, resampled where that is needed."""
        audio = rows.audio(self._limits.max_audio_s)
        usage.heard(sum(each.duration_s for each in audio))
        if {each.sample_rate_hz for each in audio} == {SAMPLE_RATE_HZ}:
            return audio
        return [
            await self._pipeline.codecs.run(
                decode.resample_steps(each, SAMPLE_RATE_HZ), context.deadline, context.caller
            )
            for each in audio
        ]


def text_spec(name: str, *, optional: bool = False) -> TensorSpec:
    """Describe an input or output of one text a row."""
    return TensorSpec(name, "BYTES", (1,), optional=optional)


def required(value: str | None, name: str) -> str:
    """Return the value of an input that a row must have."""
    if value is None:
        raise InvalidRequest(f"input '{name}' must not be empty", param=name)
    return value


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Refuse rows without a text, or with more of it than one request may hold."""
    length_chars = sum(map(len, texts))
    check_text_length(length_chars, limits, param="text")
    usage.read(length_chars)
    for text in texts:
        if not text.strip():
            raise InvalidRequest("input 'TEXT' must not be empty", param="TEXT")
