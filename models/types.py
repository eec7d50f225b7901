"""Items that runtimes take and results that they return: frozen values, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000  # of all audio that enters a runtime

# Mono PCM: int16 (full scale 32,768) or float32 (full scale 1.0), shape [n].
Samples: TypeAlias = NDArray[np.int16] | NDArray[np.float32]
SOURCE_VOICE = "source"  # the voice of the speaker who is translated
FIRST_SOUND = "\ue000"  # of the characters that stand for phonemes, see TtsItem
UNDETERMINED = "und"  # ISO 639-2: the language of silence
Task: TypeAlias = Literal["transcribe", "translate", "detect"]
Kind: TypeAlias = Literal["vad", "asr", "nmt", "tts", "speaker", "tensors"]


@dataclass(frozen=True, slots=True)
class AnswerWarning:
    """A doubt about an answer. ``code`` is for programs, in snake_case."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono audio: ``samples`` of shape [n] at ``sample_rate_hz``.

    ``warnings`` tell what was missing in the file that it was decoded from.
    """

    samples: Samples
    sample_rate_hz: int = SAMPLE_RATE_HZ
    warnings: tuple[AnswerWarning, ...] = ()

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


# ---- items: one row of a batch, as a runtime takes it ---------------------------------
# Each has a ``length``, its own cost in the unit of its kind (audio seconds, characters or values).
# The batcher sorts and bounds batches by it.


@dataclass(frozen=True, slots=True)
class VadParameters:
    """Rules by which probabilities become spans, as in Silero's ``get_speech_timestamps``."""

    threshold: float = 0.5
    min_speech_s: float = 0.25
    min_silence_s: float = 0.1
    padding_s: float = 0.03
    max_speech_s: float = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class VadItem:
    """A piece of a stream at 16 kHz. ``state`` continues the stream from the piece before."""

    samples: Samples
    parameters: VadParameters = VadParameters()
    state: NDArray[np.float32] | None = None  # opaque: what VadResult.state returned

    @property
    def length(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class AsrItem:
    """A window of at most 30 s at 16 kHz.

    Attributes:
        language: None: detect it.
        task: "translate" is to English; "detect" finds the language alone, in ``languages``.
        temperature: None: greedy with the fallback temperatures.
        timestamps: False: one segment for a short window, in less time.
        speech: where a VAD heard speech, in order, with a little silence around; decoding goes on
            until its text is found. Empty: not known.
        languages: those in which doubtful speech is tried; empty: the likeliest.
        prefix: what is known to be said from the start of the audio on, with its spaces; the
            answer's text goes on from it, and its words are those of both. The window is decoded
            once, without times in the text. None: nothing is known, and long audio is decoded to
            its end.
        beam_size: 1 is greedy; None: the engine's own.
    """

    samples: Samples
    language: str | None = None
    task: Task = "transcribe"
    word_timestamps: bool = False
    prompt: str | None = None
    temperature: float | None = None
    timestamps: bool = True
    speech: tuple[SpeechSpan, ...] = ()
    languages: tuple[str, ...] = ()
    prefix: str | None = None
    beam_size: int | None = None

    @property
    def length(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase, and what stands in its place in the translation."""

    text: str
    translation: str
    case_sensitive: bool = False  # it is meant only as it is written


@dataclass(frozen=True, slots=True)
class NmtItem:
    """One sentence (a longer text is cut by ``models.text.sentences.split``).

    An engine refuses an item that asks for what it cannot do, such as a beam or, unless its spec
    has ``continues``, to go on.

    Attributes:
        beam_size: 1: greedy.
        length_penalty: of a beam: the exponent of the length that divides scores.
        max_tokens: of the translation; None: the engine's own bound.
        before: what of its sentence stands before the text, and is translated already.
        before_translated: that translation, from which the text's goes on; "" if ``before`` is.
        terms: those of a glossary that the text holds; for engines whose spec has ``takes_terms``.
    """

    text: str
    source_language: str
    target_language: str
    beam_size: int = 1
    length_penalty: float = 1.0
    max_tokens: int | None = None
    before: str = ""
    before_translated: str = ""
    terms: tuple[Term, ...] = ()

    @property
    def length(self) -> float:
        return float(len(self.before) + len(self.text))


@dataclass(frozen=True, slots=True, eq=False)
class TtsItem:
    """One sentence to speak. ``speed`` 1.0 is the voice's own, 2.0 twice as fast.

    With ``reference`` the engine speaks ``language`` in the voice of that clip, and ``voice`` is
    ``SOURCE_VOICE``.

    ``sounds`` are phonemes in IPA: the first stands for the character ``FIRST_SOUND`` of the text,
    the next for the one behind it, and so on. They are for engines whose spec has ``takes_sounds``.
    """

    text: str
    voice: str
    speed: float = 1.0
    language: str | None = None  # None: the voice's own
    reference: Samples | None = None  # 16 kHz, [n]
    sounds: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        return float(len(self.text))


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerItem:
    """A clip of one speaker at 16 kHz."""

    samples: Samples

    @property
    def length(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class TensorsItem:
    """One row of a model that is no speech: its inputs by name, without the rows' dimension.

    BF16 comes as float32, and BYTES as ``bytes`` in an array of objects.
    """

    inputs: Mapping[str, NDArray[Any]]

    @property
    def length(self) -> float:
        """Return the number of its values; rows of one shape have one length."""
        return float(max(1, sum([array.size for array in self.inputs.values()])))

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return what rows must have in common to go through a network together."""
        return tuple([(name, self.inputs[name].shape) for name in sorted(self.inputs)])


Item: TypeAlias = VadItem | AsrItem | NmtItem | TtsItem | SpeakerItem | TensorsItem


# ---- results ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """Speech from ``start_s`` to ``end_s`` of its audio."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class VadResult:
    """Speech in a piece: ``spans`` in order, ``probabilities`` [32 ms frames], next ``state``."""

    spans: tuple[SpeechSpan, ...]
    probabilities: NDArray[np.float32]
    state: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Word:
    start_s: float
    end_s: float
    text: str  # with its leading space, as Whisper writes it
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech with its text; times count from the start of the item's audio."""

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] | None = None
    language: str = UNDETERMINED


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of an item's speech. ``language_probability`` is 1.0 if the caller named the
    language.

    ``languages``: by the task "detect" all that the speech may be in, with their probabilities,
    the likeliest first; of a whole recording those that it is in.
    """

    text: str
    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    languages: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """A text in the target language. ``warnings`` tell what of the source may be missing."""

    text: str
    source_language: str
    target_language: str
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Synthesised audio, at the voice's own sample rate."""

    audio: Audio


@dataclass(frozen=True, slots=True, eq=False)
class Voiceprint:
    """A speaker embedding: float32 [d], of length 1."""

    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TensorsResult:
    """The outputs of one row by name, as ``TensorsItem`` has its inputs."""

    outputs: Mapping[str, NDArray[Any]]


Result: TypeAlias = VadResult | Transcript | Translation | Speech | Voiceprint | TensorsResult
