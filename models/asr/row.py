"""One item of a batch while Whisper decodes it window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.asr.decoding import FRAMES_PER_S, Stretch, join_text
from models.asr.repeats import repeats_the_end
from models.asr.spoken_languages import Languages
from models.errors import InvalidRequest, TooLarge, UnknownLanguage
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Segment, Transcript

FRAME_SAMPLES = SAMPLE_RATE_HZ // FRAMES_PER_S  # 160
LEAST_REST_S = 0.5  # in less audio behind the last text Whisper invents words
# Speech behind the last text that is decoded again; Whisper's times and the VAD's differ by less.
LEAST_SPEECH_S = 1.0
REPEAT_SHARE = 0.6  # a text that is said again takes about as long as the first time


@dataclass(slots=True)
class Row:
    """An item that is being decoded, window by window."""

    index: int  # in the batch
    item: AsrItem
    features: NDArray[np.float32]  # [mels, frames] of its audio, without padding
    language: str | None
    timestamps: bool  # Whisper writes times into its text
    probability: float = 1.0  # of the language
    languages: Languages = ()  # detected languages, for the task "detect"
    least_window_s: float = 0.0  # set when a smaller window wrote a text twice
    frame: int = 0  # decoded so far
    forced: tuple[int, ...] = ()  # tokens of ``AsrItem.prefix``
    history: list[int] = field(default_factory=list)  # tokens of the prompt and of the text so far
    segments: list[Segment] = field(default_factory=list)

    @property
    def is_once(self) -> bool:
        """Tell whether its audio is decoded once, whatever it holds."""
        return self.item.prefix is not None

    @property
    def frames_left(self) -> int:
        return int(self.features.shape[1]) - self.frame

    @property
    def written_in(self) -> str:
        """Return the language of the text."""
        return "en" if self.item.task == "translate" else self.language or UNDETERMINED

    def transcript(self) -> Transcript:
        language = self.language or UNDETERMINED
        return Transcript(
            text=join_text(self.segments, self.written_in),
            language=language,
            language_probability=self.probability if self.language else 0.0,
            segments=tuple(self.segments),
            languages=self.languages,
        )

    @property
    def has_speech_left(self) -> bool:
        """Tell whether there may be speech behind the decoded part."""
        if self.frame == 0:
            return self.frames_left > 0
        if self.item.speech:
            return self.speech_left_s(self.frame) >= LEAST_REST_S
        return self.frames_left >= LEAST_REST_S * FRAMES_PER_S

    def speech_left_s(self, frame: int) -> float:
        """Sum up the speech behind a frame, as the VAD heard it."""
        at_s = frame / FRAMES_PER_S
        return sum(max(0.0, span.end_s - max(at_s, span.start_s)) for span in self.item.speech)

    def repeats(self, text: str) -> bool:
        """Tell whether a text only repeats the end of the text before it.

        A speaker who says it twice takes about as long the second time, so less audio means a
        repeat.
        """
        before = join_text(self.segments, self.written_in)
        if not repeats_the_end(before, text):
            return False
        last = self.segments[-1]
        left_s = self.speech_left_s(self.frame) or self.frames_left / FRAMES_PER_S
        share = min(1.0, len(text) / max(1, len(last.text)))
        return left_s < REPEAT_SHARE * share * (last.end_s - last.start_s)

    def frame_to_go_on_from(self, stretch: Stretch, said: Sequence[Segment]) -> int:
        """Return the frame at which the next window begins.

        If the VAD heard more speech than the text covers, that is the end of the text.
        """
        if said and self.timestamps:
            end = round(said[-1].end_s * FRAMES_PER_S)
            goes_on = self.speech_left_s(end) >= LEAST_SPEECH_S
            if goes_on and self.frame + LEAST_REST_S * FRAMES_PER_S <= end < stretch.next_frame:
                return end
        return stretch.next_frame


def refuse_bad(item: AsrItem, longest_s: float, languages: Sequence[str]) -> None:
    """Refuse an item that cannot be decoded.

    Raises:
        InvalidRequest, TooLarge, UnknownLanguage: ``param`` names the field.
    """
    if item.samples.ndim != 1 or not np.isfinite(item.samples).all():
        raise InvalidRequest("audio must be mono, of finite samples", param="samples")
    if item.length > longest_s:
        message = f"audio of {item.length:.1f} s is longer than a window of {longest_s:g} s"
        raise TooLarge(message, param="samples")
    if item.language is not None and item.language not in languages:
        raise UnknownLanguage(f"unknown language {item.language!r}", param="language")
    if item.beam_size is not None and item.beam_size < 1:
        raise InvalidRequest("beam_size must be 1 or more", param="beam_size")
    if item.temperature is not None and not item.temperature >= 0:
        raise InvalidRequest("temperature must be 0 or more", param="temperature")


def padded(rows: Sequence[Row], frames: int) -> NDArray[np.float32]:
    """Return the remaining features of all rows, padded with 0 as faster-whisper does."""
    batch = np.zeros((len(rows), rows[0].features.shape[0], frames), np.float32)
    for into, row in zip(batch, rows, strict=True):
        into[:, : row.frames_left] = row.features[:, row.frame :]
    return batch
