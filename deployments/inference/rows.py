"""Read the rows of a checked request as typed values, and write values as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.inference.tensors import Tensor
from models.audio.resample import MAX_RATE_HZ, MIN_RATE_HZ
from models.audio.samples import to_float32
from models.errors import CallerError, DragomanError, InvalidRequest, TooLarge
from models.text.languages import language_code
from models.types import SAMPLE_RATE_HZ, Audio

AUDIO, AUDIO_LENGTH, SAMPLE_RATE = "AUDIO", "AUDIO_LENGTH", "SAMPLE_RATE"
MAX_LEVEL = 16.0  # of a float sample: far above full scale, far below int16 as floats
MAX_ECHO_CHARS = 40  # of a value, in the message that refuses it
# The inputs that models know by other names; one that a model does not have is not named.
INPUT_OF = {
    "file": AUDIO,
    "text": "TEXT",
    "language": "LANGUAGE",
    "source_language": "SOURCE_LANGUAGE",
    "target_language": "TARGET_LANGUAGE",
    "voice": "VOICE",
    "speed": "SPEED",
    "prompt": "PROMPT",
    "beam_size": "BEAM_SIZE",
    "state": "STATE",
    "reference": "REFERENCE",
}


class Rows:
    """``count`` rows of a request whose tensors fit the model's signature."""

    def __init__(self, inputs: Mapping[str, Tensor], count: int) -> None:
        self._inputs = inputs
        self.count = count

    def texts(self, name: str) -> list[str | None]:
        """Read a BYTES input [rows, 1]; an empty string, or no such input, is None.

        Raises:
            InvalidRequest: not UTF-8.
        """
        tensor = self._inputs.get(name)
        if tensor is None:
            return [None] * self.count
        try:
            return [value.decode() or None for value in tensor.array[:, 0]]
        except UnicodeDecodeError as error:
            message = f"input '{name}' must be UTF-8: {error.reason} at byte {error.start}"
            raise InvalidRequest(message, param=name) from error

    def languages(self, name: str) -> list[str | None]:
        """Read an input of languages as ISO 639-1 codes; None: it is to be detected."""
        return [text and language_code(text) for text in self.texts(name)]

    def choices(self, name: str, allowed: Sequence[str]) -> list[str]:
        """Read texts of which each must be one of ``allowed``; the first is the default."""
        chosen = [text or allowed[0] for text in self.texts(name)]
        for choice in chosen:
            if choice not in allowed:
                message = f"input '{name}' must be one of {', '.join(allowed)}"
                raise InvalidRequest(f"{message}; got {choice[:MAX_ECHO_CHARS]!r}", param=name)
        return chosen

    def numbers(self, name: str, default: float, low: float, high: float) -> list[Any]:
        """Read an input [rows, 1] of numbers from ``low`` to ``high``."""
        tensor = self._inputs.get(name)
        if tensor is None:
            return [default] * self.count
        values: list[Any] = tensor.array[:, 0].tolist()
        for value in values:
            if not low <= value <= high:
                message = f"input '{name}' must be from {low:g} to {high:g}, got {value:g}"
                raise InvalidRequest(message, param=name)
        return values

    def vectors(self, name: str) -> list[NDArray[np.float32] | None]:
        """Read an input [rows, n] of floats; None where there is no such input."""
        tensor = self._inputs.get(name)
        return [None] * self.count if tensor is None else list(tensor.array)

    def audio(self, max_duration_s: float) -> list[Audio]:
        """Read each row's samples at the caller's rate, without the caller's padding.

        Raises:
            InvalidRequest: an impossible length or rate.
            TooLarge: all rows together are longer than ``max_duration_s``.
        """
        rates = self.numbers(SAMPLE_RATE, SAMPLE_RATE_HZ, MIN_RATE_HZ, MAX_RATE_HZ)
        clips = self.clips(AUDIO, AUDIO_LENGTH)
        for clip in clips:
            if clip.dtype == np.float32 and np.abs(clip).max() > MAX_LEVEL:
                message = f"input '{AUDIO}' must have full scale 1.0; it has samples above"
                raise InvalidRequest(f"{message} {MAX_LEVEL:g}", param=AUDIO)
        audio = [Audio(clip, rate_hz) for clip, rate_hz in zip(clips, rates, strict=True)]
        duration_s = sum([each.duration_s for each in audio])
        if duration_s > max_duration_s:
            message = f"input '{AUDIO}' must hold at most {max_duration_s:g} s of audio in all rows"
            raise TooLarge(f"{message}, it holds {duration_s:.1f}", param=AUDIO)
        return audio

    def clips(self, name: str, length_name: str) -> list[Any]:
        """Read an input [rows, samples] of audio, each row cut to its own length."""
        array = self._inputs[name].array
        width = array.shape[1]
        if not width:
            raise InvalidRequest(f"input '{name}' has no samples", param=name)
        if length_name not in self._inputs:
            return list(array)
        lengths = self.numbers(length_name, width, 1, width)
        return [row[:length] for row, length in zip(array, lengths, strict=True)]

    def arrays(self) -> list[dict[str, NDArray[Any]]]:
        """Return the arrays of each row by name, as views."""
        tensors = [(name, tensor.array) for name, tensor in self._inputs.items()]
        return [{name: array[row, ...] for name, array in tensors} for row in range(self.count)]

    def has(self, name: str) -> bool:
        """Tell whether the request has an input."""
        return name in self._inputs


def naming_input(error: DragomanError, known: Mapping[str, Any]) -> DragomanError:
    """Return an error that names the input that it is about, if that is one of ``known``."""
    name = INPUT_OF.get(error.param or "")
    if name not in known or not isinstance(error, CallerError):
        return error
    # Another object: it may be its neighbours' error, too.
    return type(error)(f"input '{name}': {error.message}", param=name)


# ---- values as tensors -----------------------------------------------------------------


def text_tensor(name: str, values: Sequence[str]) -> Tensor:
    """Make a BYTES tensor [rows, 1]."""
    array = np.empty((len(values), 1), object)
    array[:, 0] = [value.encode() for value in values]
    return Tensor(name, "BYTES", array)


def number_tensor(name: str, datatype: str, values: Sequence[float]) -> Tensor:
    """Make an FP32 or INT32 tensor [rows, 1]."""
    dtype = np.float32 if datatype == "FP32" else np.int32
    return Tensor(name, datatype, np.array(values, dtype).reshape(-1, 1))


def padded_tensor(name: str, rows: Sequence[NDArray[Any]]) -> Tensor:
    """Make an FP32 tensor [rows, longest, ...]; zeros stand behind the shorter rows."""
    longest = max(len(row) for row in rows)
    array = np.zeros((len(rows), longest, *rows[0].shape[1:]), np.float32)
    for index, row in enumerate(rows):
        array[index, : len(row)] = row
    return Tensor(name, "FP32", array)


def audio_tensors(audio: Sequence[Audio]) -> list[Tensor]:
    """Make AUDIO at full scale 1.0, AUDIO_LENGTH and SAMPLE_RATE of each row."""
    return [
        padded_tensor(AUDIO, [to_float32(each.samples) for each in audio]),
        number_tensor(AUDIO_LENGTH, "INT32", [len(each.samples) for each in audio]),
        number_tensor(SAMPLE_RATE, "INT32", [each.sample_rate_hz for each in audio]),
    ]
