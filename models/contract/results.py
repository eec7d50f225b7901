"""Results of an engine: what is wrong with one, and whether two are the same answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from models.runtime import RuntimeSpec
from models.tensors.comparing import APART, distance
from models.tensors.signature import DTYPES, fits
from models.types import (
    UNDETERMINED,
    AsrItem,
    Kind,
    NmtItem,
    Speech,
    SpeechSpan,
    TensorsItem,
    TensorsResult,
    Transcript,
    Translation,
    TtsItem,
    VadItem,
    VadResult,
    Voiceprint,
)

FRAME_SAMPLES = 512  # of one of VadResult.probabilities
# What two runs of the same item may differ by. A row beside others is padded and multiplied in
# another order, which int8 engines hear; voices draw noise for each sentence.
PROBABILITY_TOLERANCE = 0.02
SPAN_TOLERANCE_S = 0.1
COSINE_TOLERANCE = 1e-3
LEAST_SIMILAR_TEXT = 0.9  # difflib's ratio of characters
DURATION_TOLERANCE = 0.25  # of the longer one
DURATION_TOLERANCE_S = 0.15
TIME_TOLERANCE_S = 0.05  # by which a span or segment may leave its audio
NORM_TOLERANCE = 1e-3


def wrong(item: Any, result: Any, spec: RuntimeSpec) -> str | None:
    """Say what is wrong with the result of a good item; None: nothing."""
    kind = spec.kind
    if type(result) is not TYPES[kind]:
        return f"a {TYPES[kind].__name__} was expected, not {_shown(result)}"
    return WRONG[kind](item, result, spec)


def different(kind: Kind, one: Any, other: Any) -> str | None:
    """Say how two results differ beyond the tolerance; None: they are the same answer."""
    if type(one) is not type(other):
        return f"{_shown(one)} and {_shown(other)}"
    if not isinstance(one, TYPES[kind]):
        return None
    return DIFFERENT[kind](one, other)


def _shown(result: Any) -> str:
    """Name a result, with the error that stands in its place."""
    error = getattr(result, "error", None)
    return type(result).__name__ if error is None else f"ItemError({error!r})"


# ---- what is wrong with a result -----------------------------------------------------------


def _wrong_vad(item: VadItem, result: VadResult, spec: RuntimeSpec) -> str | None:
    probabilities = result.probabilities
    frames = math.ceil(len(item.samples) / FRAME_SAMPLES)
    if probabilities.shape != (frames,):
        shape = list(probabilities.shape)
        return f"probabilities must be [{frames}], one for each 512 samples, not {shape}"
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        return "probabilities must be from 0 to 1"
    return _wrong_times(result.spans, item.length)


def _wrong_asr(item: AsrItem, result: Transcript, spec: RuntimeSpec) -> str | None:
    if result.language not in (*spec.languages, UNDETERMINED):
        return f"language {result.language!r} is not among the spec's"
    unknown = [language for language, _ in result.languages if language not in spec.languages]
    if unknown:
        return f"languages: {unknown[0]!r} is not among the spec's"
    if not 0 <= result.language_probability <= 1:
        return f"language_probability must be from 0 to 1, not {result.language_probability}"
    return _wrong_times(result.segments, item.length)


def wrong_words(item: AsrItem, result: Transcript) -> str | None:
    """Say what is wrong with the words of an answer that goes on from a prefix."""
    words = "".join(word.text for segment in result.segments for word in segment.words or ())
    expected = (item.prefix or "") + result.text
    if words != expected:
        return f"its words are {words!r}, and prefix and text {expected!r}"
    return None


def _wrong_nmt(item: NmtItem, result: Translation, spec: RuntimeSpec) -> str | None:
    got = result.source_language, result.target_language
    asked = item.source_language, item.target_language
    if got != asked:
        return f"{asked[0]}-{asked[1]} was asked for, not {got[0]}-{got[1]}"
    return None if result.text.strip() else "the translation is empty"


def _wrong_tts(item: TtsItem, result: Speech, spec: RuntimeSpec) -> str | None:
    audio = result.audio
    rates_hz = [voice.sample_rate_hz for voice in spec.voices if voice.id == item.voice]
    if rates_hz and audio.sample_rate_hz != rates_hz[0]:
        return f"its rate is {audio.sample_rate_hz} Hz, and the voice's is {rates_hz[0]}"
    if audio.samples.ndim != 1 or not len(audio.samples):
        return f"samples must be [n] with n above 0, not {audio.samples.shape}"
    if audio.samples.dtype not in (np.int16, np.float32):
        return f"samples must be int16 or float32, not {audio.samples.dtype}"
    return None if np.isfinite(audio.samples).all() else "some samples are no numbers"


def _wrong_speaker(item: Any, result: Voiceprint, spec: RuntimeSpec) -> str | None:
    embedding = result.embedding
    if embedding.dtype != np.float32 or embedding.shape != (spec.embedding_size,):
        shape = f"{embedding.dtype} {list(embedding.shape)}"
        return f"the embedding must be float32 [{spec.embedding_size}], not {shape}"
    norm = float(np.linalg.norm(embedding))
    if not abs(norm - 1) <= NORM_TOLERANCE:
        return f"the embedding must be of length 1, not {norm:.4g}"
    return None


def _wrong_times(spans: Any, length_s: float) -> str | None:
    """Spans or segments must be in order and lie within their audio."""
    before_s = 0.0
    for span in spans:
        if not before_s - TIME_TOLERANCE_S <= span.start_s <= span.end_s:
            return f"from {span.start_s:.2f} s to {span.end_s:.2f} s is out of order"
        if span.end_s > length_s + TIME_TOLERANCE_S:
            return f"{span.end_s:.2f} s lies behind the end of the audio, {length_s:.2f} s"
        before_s = span.end_s if isinstance(span, SpeechSpan) else span.start_s
    return None


def _wrong_tensors(item: TensorsItem, result: TensorsResult, spec: RuntimeSpec) -> str | None:
    if result.outputs.keys() != {info.name for info in spec.outputs}:
        return f"its outputs are {', '.join(result.outputs)}, and others by spec.outputs"
    for info in spec.outputs:
        array = result.outputs[info.name]
        if array.dtype != DTYPES[info.datatype] or not fits(info.dims, array.shape):
            got = f"{array.dtype} {list(array.shape)}"
            return f"output {info.name!r} is {got}, not {info.datatype} {list(info.dims)}"
    return None


# ---- how two results differ ----------------------------------------------------------------


def _different_vad(one: VadResult, other: VadResult) -> str | None:
    if one.probabilities.shape != other.probabilities.shape:
        return f"{len(one.probabilities)} and {len(other.probabilities)} frames"
    apart = float(np.abs(one.probabilities - other.probabilities).max(initial=0.0))
    if not apart <= PROBABILITY_TOLERANCE:
        return f"probabilities differ by {apart:.3f}"
    if len(one.spans) != len(other.spans):
        return f"{len(one.spans)} and {len(other.spans)} spans"
    for a, b in zip(one.spans, other.spans, strict=True):
        if max(abs(a.start_s - b.start_s), abs(a.end_s - b.end_s)) > SPAN_TOLERANCE_S:
            return f"{a} and {b}"
    return None


def _different_texts(one: Any, other: Any) -> str | None:
    alike = SequenceMatcher(None, one.text, other.text, autojunk=False).ratio()
    return None if alike >= LEAST_SIMILAR_TEXT else f"{one.text[:60]!r} and {other.text[:60]!r}"


def _different_asr(one: Transcript, other: Transcript) -> str | None:
    if one.language != other.language:
        return f"languages {one.language} and {other.language}"
    return _different_texts(one, other)


def _different_tts(one: Speech, other: Speech) -> str | None:
    a_s, b_s = one.audio.duration_s, other.audio.duration_s
    if abs(a_s - b_s) > DURATION_TOLERANCE * max(a_s, b_s) + DURATION_TOLERANCE_S:
        return f"{a_s:.2f} s and {b_s:.2f} s of speech"
    return None


def _different_speaker(one: Voiceprint, other: Voiceprint) -> str | None:
    if one.embedding.shape != other.embedding.shape:
        return f"shapes {one.embedding.shape} and {other.embedding.shape}"
    cosine = float(one.embedding @ other.embedding)
    return None if cosine >= 1 - COSINE_TOLERANCE else f"their cosine is {cosine:.4f}"


def _different_tensors(one: TensorsResult, other: TensorsResult) -> str | None:
    if one.outputs.keys() != other.outputs.keys():
        return f"outputs {', '.join(one.outputs)} and {', '.join(other.outputs)}"
    for name, apart in distance(one.outputs, other.outputs).items():
        if apart > APART:
            return f"output {name!r} differs by {apart:.1%} of its largest value"
    return None


TYPES: Mapping[Kind, type[Any]] = {
    "vad": VadResult,
    "asr": Transcript,
    "nmt": Translation,
    "tts": Speech,
    "speaker": Voiceprint,
    "tensors": TensorsResult,
}
WRONG: Mapping[Kind, Callable[[Any, Any, RuntimeSpec], str | None]] = {
    "vad": _wrong_vad,
    "asr": _wrong_asr,
    "nmt": _wrong_nmt,
    "tts": _wrong_tts,
    "speaker": _wrong_speaker,
    "tensors": _wrong_tensors,
}
DIFFERENT: Mapping[Kind, Callable[[Any, Any], str | None]] = {
    "vad": _different_vad,
    "asr": _different_asr,
    "nmt": _different_texts,
    "tts": _different_tts,
    "speaker": _different_speaker,
    "tensors": _different_tensors,
}
