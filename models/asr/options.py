"""Options of the Whisper engine."""

from __future__ import annotations

from dataclasses import dataclass

from models.asr.decoding import Thresholds
from models.asr.model import Search
from models.devices.ctranslate import ComputeType

LONGEST_WINDOW_S = 30.0  # the positions of Whisper's encoder


@dataclass(frozen=True, slots=True)
class Options:
    """Options of Whisper in the configuration. Decoding defaults are faster-whisper's.

    A row is padded to the smallest window that holds its audio and ``margin_s``. Without a margin,
    and in windows of 5 s with any margin, Whisper repeats itself past the end of speech
    (`bench.asr_windows` and `bench.said` show it). A text that is written twice in one window is
    decoded again in the next larger one.
    """

    compute_type: ComputeType = "auto"
    windows_s: tuple[float, ...] = (10.0, 20.0, 30.0)
    margin_s: float = 1.5  # silence after speech, in every window but the largest
    beam_size: int = 5
    best_of: int = 5  # samples at temperatures above 0; the likeliest is taken
    patience: float = 1.0
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0  # 0: any n-gram may repeat
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the fallback, in order
    compression_ratio_threshold: float = 2.4  # above: the text repeats itself
    log_prob_threshold: float = -1.0  # nats a token; below: the text is unlikely
    no_speech_threshold: float = 0.6  # above, and unlikely: nobody speaks
    max_initial_timestamp_s: float = 1.0
    prompt_reset_temperature: float = 0.5  # text decoded above it does not prompt the next window
    silence_dbfs: float = -60.0  # audio whose loudest 30 ms are quieter has no speech

    def __post_init__(self) -> None:
        windows_s = self.windows_s
        if not windows_s or list(windows_s) != sorted(set(windows_s)):
            raise ValueError("windows_s: expected window lengths in ascending order")
        if windows_s[0] <= self.margin_s or windows_s[-1] > LONGEST_WINDOW_S:
            raise ValueError("windows_s: expected lengths above margin_s, up to 30 s")
        if not self.temperatures or min(self.temperatures) < 0:
            raise ValueError("temperatures: expected at least one, none below 0")
        if min(self.beam_size, self.best_of) < 1:
            raise ValueError("beam_size, best_of: expected at least 1")

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(
            compression_ratio=self.compression_ratio_threshold,
            log_prob=self.log_prob_threshold,
            no_speech=self.no_speech_threshold,
        )

    @property
    def search(self) -> Search:
        return Search(
            beam_size=self.beam_size,
            best_of=self.best_of,
            patience=self.patience,
            length_penalty=self.length_penalty,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            max_initial_timestamp_s=self.max_initial_timestamp_s,
        )
