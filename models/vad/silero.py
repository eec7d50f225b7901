"""Voice activity detection: Silero VAD on ONNX Runtime, batched across streams."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.devices import device
from models.devices.onnx_session import open_session
from models.errors import DragomanError, InvalidRequest
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import (
    SAMPLE_RATE_HZ,
    SpeechSpan,
    VadItem,
    VadParameters,
    VadResult,
)
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    import onnxruntime

# Fixed by the network (silero-vad, `OnnxWrapper`).
FRAME_SAMPLES = 512  # 32 ms at 16 kHz
CONTEXT_SAMPLES = 64  # the end of the frame before, in front of each frame
STATE_SHAPE = (2, 128)  # hidden and cell state of the LSTM, for one stream
RECURRENT_SIZE = STATE_SHAPE[0] * STATE_SHAPE[1]
STATE_SIZE = RECURRENT_SIZE + CONTEXT_SAMPLES  # 320: the size of VadResult.state

# Rules of Silero's `get_speech_timestamps` that are not parameters here.
HYSTERESIS = 0.15  # speech ends under `threshold - HYSTERESIS`,
MIN_END_THRESHOLD = 0.01  # but never under this
MIN_CUT_SILENCE_S = 0.098  # over-long speech is cut at silences longer than three frames


@dataclass(frozen=True, slots=True)
class Options:
    """Set which model of Silero VAD runs."""

    file: str = "data/silero_vad.onnx"
    """The model, inside its weights."""


@dataclass(slots=True)
class _Stream:
    """One row of a batch while it goes through the network."""

    frames: NDArray[np.float32]  # [n, CONTEXT_SAMPLES + FRAME_SAMPLES], a view
    probabilities: NDArray[np.float32]  # [n], filled frame by frame
    recurrent: NDArray[np.float32]  # [2, 128]
    context: NDArray[np.float32]  # [64], the last samples
    ended: bool  # its last frame was padded: no state follows

    def state(self) -> NDArray[np.float32]:
        if self.ended:
            return np.empty(0, np.float32)
        return np.concatenate((self.recurrent.ravel(), self.context))


class SileroVad:
    """Silero VAD v6 (https://github.com/snakers4/silero-vad, MIT): a probability every 32 ms.

    A stream goes on from ``VadItem.state``, the ``VadResult.state`` of its piece before. A piece
    that is no multiple of 512 samples ends its stream: its last frame is filled with silence, as
    Silero does at the end of a file, and its state comes back empty, which no later piece may
    bring. Spans are those of the piece, with times from its start.
    """

    engine = Engine("vad", Options, "onnxruntime", small=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._session: onnxruntime.InferenceSession | None = None

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import onnxruntime

        started_s = time.perf_counter()
        settings, request = self._settings, self._settings.device
        path = resolve(settings.weights, settings.sha256).file(self._options.file)
        got, providers = device.choose_onnxruntime(request)
        self._session = open_session(path, request.threads, providers, lengths_vary=False)
        got = device.confirm_onnxruntime(request, got, self._session.get_providers())
        spec = RuntimeSpec(
            kind="vad",
            engine="silero",
            weights=settings.weights,
            licence=licence(settings.weights),
        )
        return spec, device.report(
            request,
            got,
            library=f"onnxruntime {onnxruntime.__version__}",
            precision="float32",
            load_s=time.perf_counter() - started_s,
        )

    def warm_up(self) -> None:
        second = VadItem(np.zeros(SAMPLE_RATE_HZ, np.float32))
        for batch_size in (1, 8):
            self.run([second] * batch_size)

    def run(self, batch: Sequence[VadItem]) -> list[VadResult | ItemError]:
        """Return probabilities and spans of each piece.

        An item with impossible parameters, a foreign state or samples that are no numbers gets
        ``ItemError(InvalidRequest)``; ``param`` names the field.
        """
        streams: list[_Stream | ItemError] = []
        for item in batch:
            try:
                streams.append(_open(item))
            except DragomanError as error:
                streams.append(ItemError(error))
        self._infer([stream for stream in streams if isinstance(stream, _Stream)])
        return [
            stream if isinstance(stream, ItemError) else _result(item, stream)
            for item, stream in zip(batch, streams, strict=True)
        ]

    def close(self) -> None:
        self._session = None

    def _infer(self, streams: list[_Stream]) -> None:
        """Step all streams frame by frame; a stream that has ended leaves the batch."""
        assert self._session is not None, "load() first"
        streams = sorted(streams, key=lambda stream: len(stream.frames), reverse=True)
        if not streams:
            return
        recurrent = np.stack([stream.recurrent for stream in streams], axis=1)  # [2, B, 128]
        rate_hz = np.array(SAMPLE_RATE_HZ, np.int64)
        for step in range(len(streams[0].frames)):
            while len(streams[-1].frames) == step:
                ended = streams.pop()
                ended.recurrent = recurrent[:, len(streams)]
            recurrent = recurrent[:, : len(streams)]
            frames = np.stack([stream.frames[step] for stream in streams])  # [B, 576]
            probabilities, recurrent = self._session.run(
                ["output", "stateN"], {"input": frames, "state": recurrent, "sr": rate_hz}
            )
            for stream, probability in zip(streams, probabilities[:, 0], strict=True):
                stream.probabilities[step] = probability
        for row, stream in enumerate(streams):
            stream.recurrent = recurrent[:, row]


def spans(
    probabilities: NDArray[np.float32], parameters: VadParameters, duration_s: float
) -> tuple[SpeechSpan, ...]:
    """Return the speech in a stretch of audio, by the rules of Silero's ``get_speech_timestamps``.

    Speech begins where a probability reaches ``threshold`` and ends where it stays under
    ``threshold - 0.15`` for ``min_silence_s``. Speech longer than ``max_speech_s`` is cut at its
    longest silence, or where there is none, at that length. Speech of ``min_speech_s`` or less is
    dropped; what remains is padded, but never into its neighbour.

    Args:
        probabilities: float32 [frames of 512 samples].
        parameters: valid ones; see ``validate``.
        duration_s: length of the audio, which bounds the last span.
    """
    n_samples = round(duration_s * SAMPLE_RATE_HZ)
    found = _speeches(probabilities, parameters, n_samples)
    _pad(found, parameters.padding_s * SAMPLE_RATE_HZ, n_samples)
    return tuple(SpeechSpan(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in found)


def validate(parameters: VadParameters) -> None:
    """Check the parameters.

    Raises:
        InvalidRequest: they cannot be met; ``param`` names the field.
    """
    if not 0 < parameters.threshold < 1:
        raise InvalidRequest("threshold must lie between 0 and 1", param="threshold")
    for name in ("min_speech_s", "min_silence_s", "padding_s"):
        value = getattr(parameters, name)
        if not (math.isfinite(value) and value >= 0):
            raise InvalidRequest(f"{name} must be a number of seconds, 0 or more", param=name)
    least_s = FRAME_SAMPLES / SAMPLE_RATE_HZ + 2 * parameters.padding_s
    if not parameters.max_speech_s > least_s:
        raise InvalidRequest(
            f"max_speech_s must be more than a frame and the padding: {least_s:g} s",
            param="max_speech_s",
        )


def _speeches(
    probabilities: NDArray[np.float32], parameters: VadParameters, n_samples: int
) -> list[tuple[int, int]]:
    """Return speech before padding: (first sample, sample after the last)."""
    end_threshold = max(parameters.threshold - HYSTERESIS, MIN_END_THRESHOLD)
    min_speech = parameters.min_speech_s * SAMPLE_RATE_HZ
    min_silence = parameters.min_silence_s * SAMPLE_RATE_HZ
    padding = parameters.padding_s * SAMPLE_RATE_HZ
    max_speech = parameters.max_speech_s * SAMPLE_RATE_HZ - FRAME_SAMPLES - 2 * padding

    found: list[tuple[int, int]] = []
    start: int | None = None  # of the present speech
    silent_since: int | None = None  # within it, where it may turn out to have ended
    silences: list[tuple[int, int]] = []  # within it, where it may be cut: (start, end)
    for at, probability in enumerate(probabilities.tolist()):
        at *= FRAME_SAMPLES
        if probability >= parameters.threshold and silent_since is not None:
            if at - silent_since > MIN_CUT_SILENCE_S * SAMPLE_RATE_HZ:
                silences.append((silent_since, at))
            silent_since = None
        if start is None:
            if probability >= parameters.threshold:
                start = at
            continue
        if at - start > max_speech:
            if not silences:
                found.append((start, at))
                start = silent_since = None
                continue
            end, resumed = max(silences, key=lambda silence: silence[1] - silence[0])
            found.append((start, end))
            start, silent_since, silences = resumed, None, []
        if probability < end_threshold:
            if silent_since is None:
                silent_since = at
            if at - silent_since >= min_silence:
                if silent_since - start > min_speech:
                    found.append((start, silent_since))
                start, silent_since, silences = None, None, []
    if start is not None and n_samples - start > min_speech:
        found.append((start, n_samples))
    return found


def _pad(speeches: list[tuple[int, int]], padding: float, n_samples: int) -> None:
    """Widen each speech by ``padding`` samples; two that would overlap share their silence."""
    last = len(speeches) - 1
    for i, (start, end) in enumerate(speeches):
        if i == 0:
            start = int(max(0, start - padding))
        if i == last:
            end = int(min(n_samples, end + padding))
        else:
            next_start, next_end = speeches[i + 1]
            silence = next_start - end
            margin = silence // 2 if silence < 2 * padding else padding
            end = int(min(n_samples, end + margin))
            speeches[i + 1] = (int(max(0, next_start - margin)), next_end)
        speeches[i] = (start, end)


def _open(item: VadItem) -> _Stream:
    """Cut a piece into frames, each with its context, and continue from the state before it."""
    validate(item.parameters)
    state = np.zeros(STATE_SIZE, np.float32) if item.state is None else item.state
    if state.size == 0:
        raise InvalidRequest(
            f"the stream has ended: its last piece was no multiple of {FRAME_SAMPLES} samples",
            param="state",
        )
    if state.shape != (STATE_SIZE,):
        raise InvalidRequest("state is not one that a VAD result returned", param="state")
    samples = to_float32(item.samples)
    if not np.isfinite(samples).all():
        raise InvalidRequest("the audio holds values that are no numbers", param="file")
    n_frames = -(-len(samples) // FRAME_SAMPLES)
    padding = np.zeros(n_frames * FRAME_SAMPLES - len(samples), np.float32)
    audio = np.concatenate((state[RECURRENT_SIZE:], samples, padding))
    return _Stream(
        frames=_frames(audio, n_frames),
        probabilities=np.empty(n_frames, np.float32),
        recurrent=state[:RECURRENT_SIZE].reshape(STATE_SHAPE),
        context=audio[-CONTEXT_SAMPLES:],
        ended=len(padding) > 0,
    )


def _frames(audio: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    """Return views of the frames [n, 576] of audio that begins with its context."""
    if n_frames == 0:
        return np.empty((0, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)
    size = CONTEXT_SAMPLES + FRAME_SAMPLES
    return np.lib.stride_tricks.sliding_window_view(audio, size)[::FRAME_SAMPLES]


def _result(item: VadItem, stream: _Stream) -> VadResult:
    return VadResult(
        spans=spans(stream.probabilities, item.parameters, item.length),
        probabilities=stream.probabilities,
        state=stream.state(),
    )
