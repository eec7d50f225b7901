"""Specs and device reports of an engine: what is wrong with what its ``load`` returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.devices.device import DeviceReport
from models.runtime import Engine, RuntimeSpec
from models.tensors.signature import DTYPES
from models.text.languages import language_code
from models.types import Kind

RATES_HZ = range(8_000, 192_001)


def wrong_spec(engine: Engine, loaded: Any) -> str | None:
    """Say what is wrong with what ``load`` returned; None: nothing."""
    if not (isinstance(loaded, tuple) and len(loaded) == 2):
        return f"load must return (RuntimeSpec, DeviceReport), not {type(loaded).__name__}"
    spec, report = loaded
    if not isinstance(spec, RuntimeSpec) or not isinstance(report, DeviceReport):
        types = f"({type(spec).__name__}, {type(report).__name__})"
        return f"load must return (RuntimeSpec, DeviceReport), not {types}"
    if spec.kind != engine.kind:
        return f"spec.kind is {spec.kind}, and the class declares {engine.kind}"
    for name in ("engine", "weights", "licence"):
        if not getattr(spec, name):
            return f"spec.{name} must not be empty"
    if spec.max_batch_size is not None and spec.max_batch_size < 1:
        return f"spec.max_batch_size must be None or at least 1, not {spec.max_batch_size}"
    return _wrong_languages(spec) or WRONG[spec.kind](spec)


def _wrong_languages(spec: RuntimeSpec) -> str | None:
    named = {
        "languages": spec.languages,
        "pairs": [language for pair in spec.pairs for language in pair],
        "voices": [voice.language for voice in spec.voices],
        "cloning_languages": spec.cloning_languages,
    }
    for name, languages in named.items():
        for language in languages:
            if language_code(language) != language:
                return f"spec.{name}: {language!r} is no ISO 639-1 code, such as en"
    return None


def _wrong_vad(spec: RuntimeSpec) -> str | None:
    return None


def _wrong_asr(spec: RuntimeSpec) -> str | None:
    return None if spec.languages else "spec.languages must name what it recognises"


def _wrong_nmt(spec: RuntimeSpec) -> str | None:
    if spec.pairs or len(spec.languages) > 1:
        return None
    return "spec.pairs or spec.languages must name what it translates"


def _wrong_tts(spec: RuntimeSpec) -> str | None:
    if not spec.voices:
        return "spec.voices must name a voice, also where it clones others: its rate is theirs"
    ids = [voice.id for voice in spec.voices]
    if len(set(ids)) < len(ids) or not all(ids):
        return f"spec.voices must have ids of their own, not {', '.join(map(repr, ids))}"
    for voice in spec.voices:
        if voice.sample_rate_hz not in RATES_HZ:
            return f"spec.voices: {voice.id} has {voice.sample_rate_hz} Hz"
    return None


def _wrong_speaker(spec: RuntimeSpec) -> str | None:
    if spec.embedding_size is not None and spec.embedding_size > 0:
        return None
    return f"spec.embedding_size must be above 0, not {spec.embedding_size}"


def _wrong_tensors(spec: RuntimeSpec) -> str | None:
    for name, tensors in (("inputs", spec.inputs), ("outputs", spec.outputs)):
        names = [each.name for each in tensors]
        if not names or not all(names) or len(set(names)) < len(names):
            return f"spec.{name} must have names of their own, not {', '.join(map(repr, names))}"
        for each in tensors:
            if each.datatype not in DTYPES:
                known = ", ".join(DTYPES)
                return f"spec.{name}: {each.name!r} is {each.datatype!r}; there are {known}"
            if not all(dim == -1 or dim > 0 for dim in each.dims):
                return f"spec.{name}: {each.name!r} has the dims {each.dims}; -1 is any length"
    return None


WRONG: Mapping[Kind, Callable[[RuntimeSpec], str | None]] = {
    "vad": _wrong_vad,
    "asr": _wrong_asr,
    "nmt": _wrong_nmt,
    "tts": _wrong_tts,
    "speaker": _wrong_speaker,
    "tensors": _wrong_tensors,
}
