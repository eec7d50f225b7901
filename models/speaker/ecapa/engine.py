"""Speaker embeddings: ECAPA-TDNN with SpeechBrain's weights, batched by length."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.errors import DragomanError
from models.passes import passes as forward_passes
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.speaker.clips import normalise, voiceprint
from models.speaker.ecapa.constants import (
    CPU_MAX_PADDING,
    CPU_PASS_S,
    CUDA_MAX_PADDING,
    CUDA_PASS_BYTES_A_S,
    CUDA_PRECISION,
    EMBEDDING_SIZE,
    MAX_CUDA_PASS_S,
    MAX_GRAPH_PASS_S,
    MIN_SAMPLES,
    Precision,
)
from models.speaker.ecapa.graph_shapes import graph_shapes
from models.types import SAMPLE_RATE_HZ, SpeakerItem, Voiceprint
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    from torch import Tensor

    from models.speaker.ecapa.cuda_graphs import GraphedEncoder
    from models.speaker.ecapa.network import SpeakerEncoder

HYPERPARAMS_FILE = "hyperparams.yaml"
CHECKPOINT_FILE = "embedding_model.ckpt"
LICENCE = "Apache-2.0"  # of the published weights, as their model card says


FILES = ("hyperparams.yaml", "embedding_model.ckpt")


@dataclass(frozen=True, slots=True)
class Options:
    """Set how the speaker encoder runs."""

    precision: Literal["auto", Precision] = "auto"
    """Precision of the network's convolutions on CUDA; features and statistics stay in float32. On
    a CPU it is always float32."""
    cuda_graphs: bool = True
    """On CUDA, replay the network as captured for some shapes instead of launching its kernels one
    by one. A pass is padded to the next of these shapes."""
    min_clip_s: float = 0.1
    """Least seconds of a clip; a shorter one is refused."""
    window_s: float = 60.0
    """Seconds above which a clip is cut into equal windows, whose mean is taken."""
    cuda_pass_s: float | None = None
    """Most seconds of audio in one pass on CUDA, padding included. null: by the model's share of
    the GPU's memory."""


class EcapaSpeaker:
    """ECAPA-TDNN as SpeechBrain publishes it: 192 numbers of length 1.

    A clip's embedding does not depend on its neighbours in the batch. As with GE2E, quiet clips are
    made louder, which log-mel features without their mean do not show, and silence is not cut out.
    """

    engine = Engine("speaker", Options, "torch", FILES, licence=LICENCE)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._encoder: SpeakerEncoder | None = None
        self._graphs: GraphedEncoder | None = None
        self._pass_s = CPU_PASS_S

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import torch

        from models.speaker.ecapa import network as ecapa_network

        started_s = time.perf_counter()
        settings, request = self._settings, self._settings.device
        source = resolve(settings.weights, settings.sha256, settings.files)
        hyperparams, checkpoint = source.file(HYPERPARAMS_FILE), source.file(CHECKPOINT_FILE)
        got = device.choose_torch(request)
        precision = self._precision(on_cuda=got.actual == "cuda")
        if got.actual == "cuda":
            self._pass_s = self._options.cuda_pass_s or cuda_pass_s(got.memory_limit_bytes)
        self._encoder = ecapa_network.load(
            hyperparams, checkpoint, torch.device(got.actual), getattr(torch, precision)
        )
        spec = RuntimeSpec(
            kind="speaker",
            engine="ecapa",
            weights=settings.weights,
            licence=licence(settings.weights, LICENCE),
            embedding_size=EMBEDDING_SIZE,
        )
        return spec, device.report(
            request,
            got,
            library=f"torch {torch.__version__}, speechbrain {version('speechbrain')}",
            precision=precision,
            load_s=time.perf_counter() - started_s,
        )

    def warm_up(self) -> None:
        assert self._encoder is not None, "load() first"
        if self._options.cuda_graphs and self._encoder.device.type == "cuda":
            from models.speaker.ecapa.cuda_graphs import GraphedEncoder

            # Warm-ups and the graphs' pool each hold a pass: a quarter of the share together.
            longest_s = min(self._pass_s / 4, MAX_GRAPH_PASS_S)
            self._graphs = GraphedEncoder(self._encoder, graph_shapes(longest_s))
        second = SpeakerItem(np.ones(SAMPLE_RATE_HZ, np.int16))
        for batch_size in (1, 8):
            self.run([second] * batch_size)

    def run(self, batch: Sequence[SpeakerItem]) -> list[Voiceprint | ItemError]:
        """Return one embedding a clip; clips of about one length share a pass.

        A clip that is empty, too short, all zero or no numbers gets ``ItemError(InvalidRequest)``
        with ``param="file"``.
        """
        clips: list[list[NDArray[np.float32]] | ItemError] = []  # the windows of each
        for item in batch:
            try:
                clips.append(windows(self._checked(item), self._options.window_s))
            except DragomanError as error:
                clips.append(ItemError(error))
        every = [window for clip in clips if not isinstance(clip, ItemError) for window in clip]
        rows = iter(self._embed(every))
        return [
            clip
            if isinstance(clip, ItemError)
            else voiceprint(np.stack([next(rows) for _ in clip]).mean(axis=0))
            for clip in clips
        ]

    def close(self) -> None:
        self._encoder = self._graphs = None
        device.free_torch_memory()

    def _checked(self, item: SpeakerItem) -> NDArray[np.float32]:
        return normalise(item.samples, max(self._options.min_clip_s, MIN_SAMPLES / SAMPLE_RATE_HZ))

    def _precision(self, *, on_cuda: bool) -> Precision:
        if not on_cuda:
            return "float32"
        return CUDA_PRECISION if self._options.precision == "auto" else self._options.precision

    def _embed(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the embeddings [N, 192] of length 1 of signals [n], in their order."""
        import torch

        assert self._encoder is not None, "load() first"
        on_cuda = self._encoder.device.type == "cuda"
        together = passes(
            [len(signal) for signal in signals],
            pass_s=self._pass_s,
            max_padding=CUDA_MAX_PADDING if on_cuda else CPU_MAX_PADDING,
        )
        found = np.empty((len(signals), EMBEDDING_SIZE), np.float32)
        with torch.inference_mode():
            # All passes are started before the first is waited for.
            embeddings = [self._pass([signals[index] for index in pass_]) for pass_ in together]
            for pass_, rows in zip(together, embeddings, strict=True):
                found[pass_] = rows.cpu().numpy()
        return found

    def _pass(self, signals: Sequence[NDArray[np.float32]]) -> Tensor:
        """Return the embeddings, still on the device, of a pass: the longest signal first."""
        import torch

        assert self._encoder is not None, "load() first"
        captured = self._graphs(signals) if self._graphs is not None else None
        if captured is not None:
            return captured
        device = self._encoder.device
        audio = torch.zeros(len(signals), len(signals[0]), pin_memory=device.type == "cuda")
        for row, signal in zip(audio.numpy(), signals, strict=True):
            row[: len(signal)] = signal
        lengths = torch.tensor([len(signal) for signal in signals])
        embeddings: Tensor = self._encoder(audio.to(device, non_blocking=True), lengths)
        return embeddings


def windows(audio: NDArray[np.float32], window_s: float) -> list[NDArray[np.float32]]:
    """Return views of a clip: all of it, or equal windows of at most ``window_s``."""
    count = max(1, math.ceil(len(audio) / (window_s * SAMPLE_RATE_HZ)))
    return np.array_split(audio, count)


def passes(lengths: Sequence[int], *, pass_s: float, max_padding: float) -> list[list[int]]:
    """Choose the signals that go through the network together; return indices, longest first.

    Args:
        lengths: samples of each signal.
        pass_s: audio in a pass, padding included; a longer signal goes alone.
        max_padding: of each row, as a fraction of the longest in its pass.
    """
    most = pass_s * SAMPLE_RATE_HZ
    return forward_passes(
        lengths,
        lambda rows: len(rows) * rows[0] <= most and rows[-1] >= (1 - max_padding) * rows[0],
    )


def cuda_pass_s(memory_limit_bytes: int | None) -> float:
    """Return the audio in one pass on CUDA for a process with so much of the device's memory."""
    if memory_limit_bytes is None:
        return MAX_CUDA_PASS_S
    return min(MAX_CUDA_PASS_S, memory_limit_bytes / 2 / CUDA_PASS_BYTES_A_S)
