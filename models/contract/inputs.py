"""Inputs for the checks of an engine: made ones of each kind, and bad ones that it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32, to_int16
from models.runtime import RuntimeSpec
from models.tensors.signature import made_row
from models.types import (
    SAMPLE_RATE_HZ,
    SOURCE_VOICE,
    AsrItem,
    Item,
    Kind,
    NmtItem,
    Samples,
    SpeakerItem,
    TensorsItem,
    TtsItem,
    VadItem,
)

# Of made clips: (length in s, pitch in Hz). All differ, so that answers in another order show.
CLIPS = ((1.0, 110.0), (2.5, 220.0), (0.75, 160.0), (4.0, 95.0), (1.5, 310.0))
SYLLABLE_HZ = 4.0  # rate at which a made clip gets loud and quiet, as speech does
TEXTS = (
    "Good morning.",
    "The meeting begins at nine in the large room on the second floor.",
    "Where is the station, please?",
    "It rains.",
    "Please send me the report before the end of the week, and tell your colleague.",
)
NOWHERE = "zz"  # no language's code


def clips() -> list[NDArray[np.int16]]:
    """Make sounds of harmonics and some noise, of several lengths: int16 [n] each, at 16 kHz."""
    return [to_int16(_voiced(length_s, pitch_hz)) for length_s, pitch_hz in CLIPS]


def items(kind: Kind, spec: RuntimeSpec, recordings: Sequence[Samples] = ()) -> list[Any]:
    """Make good items, of which each is unlike the others.

    Args:
        kind: of the engine.
        spec: what it says that it can do.
        recordings: speech at 16 kHz, where made sounds will not do; empty: made sounds.
    """
    if kind == "tensors":
        return [made_row(spec.inputs, number) for number in range(len(TEXTS))]
    sounds = list(recordings) or clips()
    if kind == "vad":
        return [VadItem(samples) for samples in sounds]
    if kind == "speaker":
        return [SpeakerItem(samples) for samples in sounds]
    if kind == "asr":  # made sounds are in no language, so one is named
        language = None if recordings else spec.languages[0]
        return [AsrItem(samples, language, temperature=0.0) for samples in sounds]
    if kind == "nmt":
        source, target = pairs(spec)[0]
        return [NmtItem(text, source, target) for text in TEXTS]
    if spec.voices:
        return [TtsItem(text, spec.voices[0].id) for text in TEXTS]
    language, sound = spec.cloning_languages[0], sounds[0]
    return [TtsItem(text, SOURCE_VOICE, 1.0, language, sound) for text in TEXTS]


def pairs(spec: RuntimeSpec) -> list[tuple[str, str]]:
    """List what a translator says that it translates, from English first."""
    among = [(a, b) for a in spec.languages for b in spec.languages if a != b]
    return sorted([*spec.pairs, *among], key=lambda pair: pair[0] != "en")


def bad_items(kind: Kind, good: Any) -> dict[str, Item]:
    """Make items that an engine must refuse one by one, each of a good item and named."""
    if kind == "nmt":
        return {"a language that it does not know": replace(good, target_language=NOWHERE)}
    if kind == "tts":
        return {"a voice that it does not have": replace(good, voice=NOWHERE, reference=None)}
    if kind == "tensors":
        return {"a row without its inputs": TensorsItem({})}
    numberless = to_float32(good.samples).copy()
    numberless[len(numberless) // 2] = np.nan
    bad = {"samples that are no numbers": replace(good, samples=numberless)}
    if kind == "asr":
        bad["a language that it does not know"] = replace(good, language=NOWHERE)
    return bad


def as_float32(item: Any) -> Any:
    """Return an item of sound with its samples as float32."""
    return replace(item, samples=to_float32(item.samples))


def _voiced(length_s: float, pitch_hz: float) -> NDArray[np.float32]:
    times_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    harmonics = sum(np.sin(2 * np.pi * pitch_hz * n * times_s) / n for n in range(1, 12))
    loudness = 0.5 - 0.5 * np.cos(2 * np.pi * SYLLABLE_HZ * times_s)
    noise = np.random.default_rng(round(pitch_hz)).standard_normal(len(times_s))
    return np.asarray(0.15 * loudness * harmonics + 0.01 * noise, np.float32)
