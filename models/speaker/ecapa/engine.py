"""Speaker embeddings: ECAPA-TDNN with SpeechBrain's weights, batched by length."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.errors import DragomanError
from models.passes import passes as forward_passes
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.speaker.clips import normalise, voiceprint
from models.types import SAMPLE_RATE_HZ, SpeakerItem, Voiceprint
from models.weights import source as weights

if TYPE_CHECKING:
    from torch import Tensor

    from models.speaker.ecapa.cuda_graphs import GraphedEncoder
    from models.speaker.ecapa.network import SpeakerEncoder

Precision: TypeAlias = Literal["float32", "float16", "bfloat16"]

# Fixed by the weights (speechbrain/spkrec-ecapa-voxceleb, hyperparams.yaml).
EMBEDDING_SIZE = 192
MEL_CHANNELS = 80
HOP_SAMPLES = 160  # 10 ms
HYPERPARAMS_FILE = "hyperparams.yaml"
CHECKPOINT_FILE = "embedding_model.ckpt"
LICENCE = "Apache-2.0"  # of the published weights, as their model card says

# The convolutions reflect 4 frames (kernel 3, dilation 4): a clip must have one more.
MIN_SAMPLES = 4 * HOP_SAMPLES  # 5 frames, since windows are centred

# On a CPU a pass of more audio falls out of its caches. Measured at published size on 2 cores,
# ms a clip by batch 1, 2, 4, 8, 16: 1 s 47, 37, 32, 34, 33; 2 s 65, 56, 53, 62, 65; 3 s 87, 85,
# 75, 89, 135; 5 s 143, 132, 154, 177; 10 s 262, 324, 378. Each is best or near it at 8 to 12 s
# together, so that clips of more than 6 s go alone.
CPU_PASS_S = 12.0
# What a batch saves on a CPU, 10 to 30 %, is not to be lost to padding: of the longest of a pass.
CPU_MAX_PADDING = 0.1
CUDA_MAX_PADDING = 0.5  # a short pass costs its kernels' launches, not their work
# What `auto` is on CUDA. Measured on an H100: the least cosine to float32 on the CPU is 0.9999995
# (bfloat16: 0.99996), and 32 captured clips of 1 s take 0.59 of float32's time.
CUDA_PRECISION: Precision = "float16"
# Audio in one pass on CUDA, padding included: 17 MB a second, measured there, of half of what the
# process may take. Measured on an H100, 128 clips of 10 s: 144 ms in passes of 320 s, 304 of 64 s.
CUDA_PASS_BYTES_A_S = 17e6
MAX_CUDA_PASS_S = 320.0
# Rows and seconds of the passes that are captured on CUDA; longer ones gain nothing by it.
GRAPH_ROWS = (1, 2, 4, 8, 16, 32, 64)
GRAPH_DURATIONS_S = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
MAX_GRAPH_PASS_S = 64.0


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

    A clip's embedding does not depend on its neighbours in the batch. As with GE2E, quiet clips
    are made louder, which log-mel features without their mean do not hear, and silence is not
    cut out.
    """

    engine = Engine("speaker", Options, "torch", FILES)

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
        source = weights.resolve(settings.weights, settings.sha256, settings.files)
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
            licence=LICENCE,
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
        """One embedding a clip, clips of about one length together in a pass.

        A clip that is empty, too short, all zero or no numbers gets
        ``ItemError(InvalidRequest)`` with ``param="file"``.
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
        """The embeddings [N, 192] of length 1 of signals [n] of any lengths, in their order."""
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
            # All are on their way before the first is waited for.
            embeddings = [self._pass([signals[index] for index in pass_]) for pass_ in together]
            for pass_, rows in zip(together, embeddings, strict=True):
                found[pass_] = rows.cpu().numpy()
        return found

    def _pass(self, signals: Sequence[NDArray[np.float32]]) -> Tensor:
        """The embeddings, still on the device, of a pass: the longest signal first."""
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
    """Views of a clip: all of it, or equal windows of at most ``window_s``."""
    count = max(1, math.ceil(len(audio) / (window_s * SAMPLE_RATE_HZ)))
    return np.array_split(audio, count)


def passes(lengths: Sequence[int], *, pass_s: float, max_padding: float) -> list[list[int]]:
    """Which signals go through the network together: indices, the longest of a pass first.

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
    """Audio in one pass on CUDA for a process that may take so much of the device's memory."""
    if memory_limit_bytes is None:
        return MAX_CUDA_PASS_S
    return min(MAX_CUDA_PASS_S, memory_limit_bytes / 2 / CUDA_PASS_BYTES_A_S)


def graph_shapes(pass_s: float) -> list[tuple[int, int]]:
    """Rows and samples of each pass to capture that holds no more audio than ``pass_s``."""
    return [
        (rows, round(duration_s * SAMPLE_RATE_HZ))
        for rows in GRAPH_ROWS
        for duration_s in GRAPH_DURATIONS_S
        if rows * duration_s <= pass_s
    ]


def graph_shape(
    shapes: Sequence[tuple[int, int]], rows: int, samples: int
) -> tuple[int, int] | None:
    """The least of the shapes that holds so many rows of so many samples; None: none does."""
    fitting = [shape for shape in shapes if shape[0] >= rows and shape[1] >= samples]
    return min(fitting, key=lambda shape: shape[0] * shape[1], default=None)
