"""Options of the Whisper engine."""

from __future__ import annotations

from dataclasses import dataclass

from models.asr.decoding import Thresholds
from models.asr.model import Search
from models.devices.ctranslate import ComputeType

LONGEST_WINDOW_S = 30.0  # the positions of Whisper's encoder


@dataclass(frozen=True, slots=True)
class Options:
    """Set how Whisper decodes. Defaults are faster-whisper's.

    A row is padded to the smallest window that holds its audio and ``margin_s``. Without a
    margin, and in windows of 5 s with any margin, Whisper repeats itself past the end of
    speech (`bench.asr_windows` and `bench.said` show it). A text that is said twice in one
    window is decoded once more in the next larger one.
    """

    compute_type: ComputeType = "auto"
    """Type of weights and activations. auto: int8 on a CPU; on CUDA float16, or float32 where the
    GPU has no fast float16."""
    windows_s: tuple[float, ...] = (10.0, 20.0, 30.0)
    """Lengths of the windows in seconds, ascending, above margin_s, at most 30."""
    margin_s: float = 1.5
    """Seconds of silence after speech, in every window but the largest."""
    beam_size: int = 5
    """Hypotheses of a beam at temperature 0, at least 1."""
    best_of: int = 5
    """Samples of which the likeliest is taken, at temperatures above 0; at least 1."""
    patience: float = 1.0
    """Factor of beam_size that says how many hypotheses end before a beam does."""
    length_penalty: float = 1.0
    """Exponent of the length that a hypothesis's score is divided by."""
    repetition_penalty: float = 1.0
    """Factor by which a token that came already gets less likely. 1: none."""
    no_repeat_ngram_size: int = 0
    """Tokens of a sequence that may not come twice. 0: any may."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Temperatures that are tried in this order until a text passes the thresholds; none below
    0."""
    compression_ratio_threshold: float = 2.4
    """Compression ratio above which a text repeats itself and is decoded again."""
    log_prob_threshold: float = -1.0
    """Mean log probability, in nats a token, below which a text is decoded again."""
    no_speech_threshold: float = 0.6
    """Probability of no speech above which an unlikely text is dropped."""
    max_initial_timestamp_s: float = 1.0
    """Most seconds before the first timestamp of a window."""
    prompt_reset_temperature: float = 0.5
    """Temperature above which a text is no prompt for what follows it."""
    silence_dbfs: float = -60.0
    """Level in dBFS below which the loudest 30 ms of an audio hold no speech."""

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
