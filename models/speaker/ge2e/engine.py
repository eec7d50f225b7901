"""Speaker embeddings: GE2E d-vectors with Resemblyzer's weights, batched over partials."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.devices.precision import full_precision
from models.errors import DragomanError
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.speaker.clips import normalise, voiceprint
from models.speaker.ge2e.constants import (
    EMBEDDING_SIZE,
    HOP_SAMPLES,
    MIN_COVERAGE,
    PARTIAL_FRAMES,
    PARTIAL_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    WINDOW_SAMPLES,
)
from models.types import SAMPLE_RATE_HZ, SpeakerItem, Voiceprint
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    from models.speaker.ge2e.network import SpeakerEncoder


@dataclass(frozen=True, slots=True)
class Options:
    """Set how the speaker encoder runs."""

    file: str = "pretrained.pt"
    """The checkpoint, inside its weights."""
    precision: Literal["float32", "float16"] = "float32"
    """Precision of the network on CUDA. On a CPU it is always float32."""
    min_clip_s: float = 0.1
    """Least seconds of a clip; a shorter one is refused."""
    partials_per_pass: int = 64
    """Pieces of 1.6 s that go through the network together, about 1 MB each."""


class Ge2eSpeaker:
    """Resemblyzer's voice encoder: 256 numbers of length 1, none negative.

    Quiet clips are made louder, as Resemblyzer does. Silence is not cut out, as Resemblyzer does
    with webrtcvad: pass it the speech that the VAD found.
    """

    engine = Engine("speaker", Options, "torch", small=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._encoder: SpeakerEncoder | None = None

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import torch

        from models.speaker.ge2e import network as ge2e_network

        started_s = time.perf_counter()
        settings, request = self._settings, self._settings.device
        path = resolve(settings.weights, settings.sha256).file(self._options.file)
        got = device.choose_torch(request)
        precision = self._options.precision if got.actual == "cuda" else "float32"
        self._encoder = ge2e_network.load(path, torch.device(got.actual), getattr(torch, precision))
        spec = RuntimeSpec(
            kind="speaker",
            engine="ge2e",
            weights=settings.weights,
            licence=licence(settings.weights),
            embedding_size=EMBEDDING_SIZE,
        )
        return spec, device.report(
            request,
            got,
            library=f"torch {torch.__version__}",
            precision=precision,
            load_s=time.perf_counter() - started_s,
        )

    def warm_up(self) -> None:
        second = SpeakerItem(np.ones(SAMPLE_RATE_HZ, np.int16))
        for batch_size in (1, self._options.partials_per_pass):
            self.run([second] * batch_size)

    def run(self, batch: Sequence[SpeakerItem]) -> list[Voiceprint | ItemError]:
        """Return one embedding a clip: the mean of its partials, scaled to length 1.

        A clip that is empty, too short, all zero or no numbers gets ``ItemError(InvalidRequest)``
        with ``param="file"``.
        """
        clips: list[NDArray[np.float32] | ItemError] = []  # partials [n, 25,840] of each
        for item in batch:
            try:
                clips.append(partials(normalise(item.samples, self._options.min_clip_s)))
            except DragomanError as error:
                clips.append(ItemError(error))
        means = iter(self._means([clip for clip in clips if not isinstance(clip, ItemError)]))
        return [clip if isinstance(clip, ItemError) else voiceprint(next(means)) for clip in clips]

    def close(self) -> None:
        self._encoder = None
        device.free_torch_memory()

    def _means(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the mean embedding [256] of each clip's partials [n, 25,840], in shared passes."""
        import torch

        assert self._encoder is not None, "load() first"
        windows = [window for clip in clips for window in clip]
        passes = [np.empty((0, EMBEDDING_SIZE), np.float32)]
        with torch.inference_mode(), full_precision():
            for first in range(0, len(windows), self._options.partials_per_pass):
                together = np.stack(windows[first : first + self._options.partials_per_pass])
                audio = torch.from_numpy(together).to(self._encoder.device)
                passes.append(self._encoder(audio).cpu().numpy())
        ends = np.cumsum([len(clip) for clip in clips], dtype=np.intp)
        rows = np.split(np.concatenate(passes), ends)[: len(clips)]
        return [own.mean(axis=0) for own in rows]


def partial_count(n_samples: int) -> int:
    """Count the partials of a clip: at least one; the last must be well covered."""
    frames = -(-(n_samples + 1) // HOP_SAMPLES)
    count = 1 + max(0, frames - PARTIAL_FRAMES + STEP_FRAMES) // STEP_FRAMES
    covered = n_samples - (count - 1) * STEP_SAMPLES
    poor = covered < MIN_COVERAGE * PARTIAL_FRAMES * HOP_SAMPLES
    return count - 1 if poor and count > 1 else count


def partials(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return views of a clip's partials [n, 25,840], with zeros where they reach past it."""
    count = partial_count(len(audio))
    before = WINDOW_SAMPLES // 2
    size = (count - 1) * STEP_SAMPLES + PARTIAL_SAMPLES
    padded = np.zeros(size, np.float32)
    heard = audio[: size - before]
    padded[before : before + len(heard)] = heard
    return np.lib.stride_tricks.sliding_window_view(padded, PARTIAL_SAMPLES)[::STEP_SAMPLES]
