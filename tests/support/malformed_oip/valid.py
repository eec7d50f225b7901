"""Valid requests of the Open Inference Protocol at random: malformed ones are made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import DTYPES, HEADER_LENGTH

TOO_MANY_ROWS = 5_000  # more than any model takes at once
AUDIO = TensorSpec("AUDIO", "FP32", (-1,), also=("INT16",))


def _one(name: str, datatype: str = "BYTES", *, optional: bool = False) -> TensorSpec:
    return TensorSpec(name, datatype, (1,), optional)


def _options(*names: str) -> tuple[TensorSpec, ...]:
    whole = ("AUDIO_LENGTH", "SAMPLE_RATE", "BEAM_SIZE", "REFERENCE_LENGTH")
    types = {**dict.fromkeys(whole, "INT32"), "SPEED": "FP32"}
    return tuple(_one(name, types.get(name, "BYTES"), optional=True) for name in names)


SPOKEN = (TensorSpec("AUDIO", "FP32", (-1,)), _one("AUDIO_LENGTH", "INT32"))
TTS = Signature(
    (
        _one("TEXT"),
        *_options("VOICE", "LANGUAGE", "SPEED", "REFERENCE_LENGTH"),
        TensorSpec("REFERENCE", "FP32", (-1,), optional=True),
    ),
    (*SPOKEN, _one("SAMPLE_RATE", "INT32")),
)
SIGNATURES = {
    "vad": Signature(
        (
            AUDIO,
            *_options("AUDIO_LENGTH", "SAMPLE_RATE"),
            TensorSpec("STATE", "FP32", (-1,), optional=True),
        ),
        (
            TensorSpec("SPANS", "FP32", (-1, 2)),
            _one("SPAN_COUNT", "INT32"),
            TensorSpec("PROBABILITIES", "FP32", (-1,)),
            TensorSpec("STATE", "FP32", (-1,)),
        ),
    ),
    "asr": Signature(
        (AUDIO, *_options("AUDIO_LENGTH", "SAMPLE_RATE", "LANGUAGE", "TASK", "PROMPT")),
        (_one("TEXT"), _one("LANGUAGE"), _one("LANGUAGE_PROBABILITY", "FP32"), _one("SEGMENTS")),
    ),
    "nmt": Signature(
        (
            _one("TEXT"),
            _one("SOURCE_LANGUAGE"),
            _one("TARGET_LANGUAGE"),
            *_options("BEAM_SIZE"),
        ),
        (_one("TRANSLATION"),),
    ),
    "tts": TTS,
    "tts-en": TTS,
    "tts-pt": TTS,
    "speaker": Signature(
        (AUDIO, *_options("AUDIO_LENGTH", "SAMPLE_RATE")),
        (TensorSpec("EMBEDDING", "FP32", (256,)),),
    ),
    "speech_translation": Signature(
        (
            AUDIO,
            *_options("AUDIO_LENGTH", "SAMPLE_RATE", "SOURCE_LANGUAGE", "TARGET_LANGUAGE"),
            *_options("VOICE", "TASK", "SPEED"),
        ),
        (
            *(_one(name) for name in ("TRANSCRIPT", "LANGUAGE", "TRANSLATION", "VOICE")),
            *SPOKEN,
            _one("SAMPLE_RATE", "INT32"),
        ),
    ),
}
LISTENERS = ("vad", "asr", "speaker", "speech_translation")
# A valid value of each input of one element. What is left out depends on the weights.
VALUES: dict[str, Any] = {
    "SAMPLE_RATE": 16_000,
    "LANGUAGE": "en",
    "SOURCE_LANGUAGE": "en",
    "TARGET_LANGUAGE": "pt",
    "TASK": "transcribe",
    "PROMPT": "Dragoman",
    "TEXT": "Good morning.",
    "SPEED": 1.0,
}


@dataclass(frozen=True)
class Malformed:
    """One request. ``semantic``: its tensors fit the signature, only the model can refuse it."""

    id: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    semantic: bool = False


@dataclass
class Draft:
    """A request in the making; ``body`` and ``header_length``, once set, stand as they are."""

    model: str
    document: dict[str, Any]
    blobs: list[bytes]
    path: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    header_length: str | None = None
    semantic: bool = False

    @property
    def inputs(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.document["inputs"]
        return entries

    def spec(self, entry: dict[str, Any]) -> TensorSpec:
        return SIGNATURES[self.model].input_of[entry["name"]]

    def head(self) -> bytes:
        return json.dumps(self.document).encode()

    def finished(self, name: str) -> Malformed:
        """As it is sent; without binary tensors the header's length may be left out."""
        head = self.head()
        body = head + b"".join(self.blobs) if self.body is None else self.body
        length = self.header_length
        if length is None and self.blobs and self.body is None:
            length = str(len(head))
        headers = {**self.headers, **({} if length is None else {HEADER_LENGTH: length})}
        return Malformed(name, self.method, self.path, headers, body, self.semantic)


# ---- valid requests --------------------------------------------------------------------


def valid_draft(
    rng: Random,
    *,
    models: Sequence[str] = tuple(SIGNATURES),
    rows: int | None = None,
    binary: bool | None = None,
    options: bool = True,
) -> Draft:
    """A valid request of one of these models; what is not said is drawn.

    Args:
        binary: whether all inputs are binary, or none.
        options: whether there may be optional inputs.
    """
    model = rng.choice(models)
    rows = rng.randint(1, 3) if rows is None else rows
    width = rng.randint(160, 1600)
    document: dict[str, Any] = {"inputs": []}
    blobs: list[bytes] = []
    for spec in SIGNATURES[model].inputs:
        known = spec.name in (*VALUES, "AUDIO", "AUDIO_LENGTH")
        if spec.optional and not (options and known and rng.random() < 0.4):
            continue
        entry, blob = make_input(rng, spec, rows, width, binary)
        document["inputs"].append(entry)
        blobs.extend(blob)
    if rng.random() < 0.5:
        document["outputs"] = [
            {"name": output.name, "parameters": {"binary_data": rng.random() < 0.5}}
            for output in SIGNATURES[model].outputs
        ]
    if rng.random() < 0.5:
        document["id"] = str(rng.randint(1, 99))
    if rng.random() < 0.5:
        document["parameters"] = {"binary_data_output": True}
    version = rng.choice(["", "/versions/1"])
    return Draft(model, document, blobs, f"/v2/models/{model}{version}/infer")


def make_input(
    rng: Random, spec: TensorSpec, rows: int, width: int, binary: bool | None, value: Any = None
) -> tuple[dict[str, Any], list[bytes]]:
    """An entry of ``inputs``, and its binary data, if any; ``value`` stands in every row."""
    datatype = rng.choice([spec.datatype, *spec.also])
    shape = [rows, *(width if dim == -1 else dim for dim in spec.dims)]
    if value is None:
        own = width if spec.name == "AUDIO_LENGTH" else 0
        value = VALUES.get(spec.name, "" if spec.datatype == "BYTES" else own)
    count = int(np.prod(shape))
    entry: dict[str, Any] = {"name": spec.name, "datatype": datatype, "shape": shape}
    if binary is False or (binary is None and rng.random() < 0.4):
        flat = [value] * count
        step = shape[1]
        nested = [flat[start : start + step] for start in range(0, count, step)]
        entry["data"] = nested if rng.random() < 0.5 else flat
        return entry, []
    if datatype == "BYTES":
        text = value if isinstance(value, bytes) else str(value).encode()
        blob = (len(text).to_bytes(4, "little") + text) * count
    else:
        blob = np.full(count, value, DTYPES[datatype]).tobytes()
    entry["parameters"] = {"binary_data_size": len(blob)}
    return entry, [blob]
