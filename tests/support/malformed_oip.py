"""Malformed requests of the Open Inference Protocol, by the thousand, at random from a seed.

Each is a valid request with one thing wrong, or asks for what there is not: only a 4xx is right.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from urllib.parse import quote

import numpy as np

from deployments.http.triton.signature import Signature, TensorSpec
from deployments.http.triton.tensors import DTYPES, HEADER_LENGTH

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


# ---- wrong values in the JSON ----------------------------------------------------------

NO_STRING: list[Any] = [None, 5, True, [], {}]
NO_FLAG: list[Any] = [None, 1, 0.5, "true", [], {}]
NO_OBJECT: list[Any] = [None, [], "x", 5, True]
NO_PARAMETERS: list[Any] = [*NO_OBJECT, {"x": None}, {"x": []}, {"x": {}}]
SHARED: list[Any] = [{"shared_memory_region": "region"}, {"shared_memory_byte_size": 64}]
NO_SHAPE: list[Any] = [
    None, {}, "1", 5, True, [], [-1, 1], [1.0, 1], ["1", 1], [True, 1], [None], [[1]], [0],
    [2**62, 2**62], [2**31, 1], [10**30], [1] * 100,
]  # fmt: skip
NO_DATATYPE: list[Any] = [*NO_STRING, "", "fp32", "FLOAT", "INT128", "TYPE_FP32", "TYPE_STRING"]
NO_DATA: list[Any] = [None, {}, "x", 5, True, [], [[]], [None], [{}], {"0": 1}]
NO_ELEMENT: dict[str, list[Any]] = {
    "FP32": ["1", None, True, {}, [0.5, 0.5], 1e39, float("nan"), float("inf"), 10**400],
    "INT16": [0.5, "1", None, False, 40_000, -40_000, 2**64, [1, 2]],
    "INT32": [1.5, "1", None, True, 2**31, -(2**31) - 1, 2**64, 10**30, [1, 2]],
    "BYTES": [5, None, True, 1.5, [], {}, "\ud800"],
}


def _replaced(place: str, values: Sequence[Any]) -> Callable[[Random], Draft]:
    """A request with a wrong value at the top of the JSON."""

    def change(rng: Random) -> Draft:
        draft = valid_draft(rng)
        draft.document[place] = rng.choice(values)
        return draft

    return change


def _input_replaced(key: str, values: Sequence[Any]) -> Callable[[Random], Draft]:
    """A request with a wrong value in one of its inputs."""

    def change(rng: Random) -> Draft:
        draft = valid_draft(rng, binary=False if key == "data" else None)
        rng.choice(draft.inputs)[key] = rng.choice(values)
        return draft

    return change


def _output_replaced(key: str, values: Sequence[Any]) -> Callable[[Random], Draft]:
    def change(rng: Random) -> Draft:
        draft = valid_draft(rng)
        names = [output.name for output in SIGNATURES[draft.model].outputs]
        draft.document["outputs"] = [{"name": name} for name in names]
        rng.choice(draft.document["outputs"])[key] = rng.choice(values)
        return draft

    return change


def _key_missing(rng: Random) -> Draft:
    draft = valid_draft(rng)
    entry = rng.choice(draft.inputs)
    owner, key = rng.choice([(draft.document, "inputs"), *((entry, key) for key in entry)])
    del owner[key]
    return draft


def _output_name_missing(rng: Random) -> Draft:
    draft = valid_draft(rng)
    draft.document["outputs"] = [{"parameters": {"binary_data": True}}]
    return draft


def _wrong_datatype(rng: Random) -> Draft:
    """A datatype that there is, but not of this input."""
    draft = valid_draft(rng)
    entry = rng.choice(draft.inputs)
    spec = draft.spec(entry)
    others = [name for name in DTYPES if name not in (spec.datatype, *spec.also)]
    entry["datatype"] = rng.choice(others)
    return draft


def _wrong_dim(rng: Random) -> Draft:
    draft = valid_draft(rng)
    shape = rng.choice(draft.inputs)["shape"]
    index = rng.randrange(len(shape))
    wrong = [-1, -(2**63), 0, shape[index] + 1, 1.5, "3", None, True, 2**40, [1]]
    shape[index] = rng.choice(wrong)
    return draft


def _wrong_rank(rng: Random) -> Draft:
    """As many elements as before, under a shape of another rank."""
    draft = valid_draft(rng)
    entry = rng.choice(draft.inputs)
    if "data" in entry:
        entry["data"] = np.array(entry["data"], object).ravel().tolist()
    count = int(np.prod(entry["shape"]))
    entry["shape"] = rng.choice([[count], [1, 1, count], [*entry["shape"], 1], [1] * 5 + [count]])
    return draft


def _wrong_element(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    entry = rng.choice(draft.inputs)
    data = entry["data"]
    while isinstance(data[0], list):
        data = rng.choice(data)
    data[rng.randrange(len(data))] = rng.choice(NO_ELEMENT[entry["datatype"]])
    return draft


def _wrong_count(rng: Random) -> Draft:
    """One value too many or too few; ragged, where the data is nested."""
    draft = valid_draft(rng, binary=False)
    data = rng.choice(draft.inputs)["data"]
    if isinstance(data[0], list) and rng.random() < 0.7:
        data = rng.choice(data)
    if rng.random() < 0.5:
        data.pop()
    else:
        data.append(data[0])
    return draft


def _half_precision_as_json(rng: Random) -> Draft:
    draft = valid_draft(rng, models=LISTENERS, binary=False)
    draft.inputs[0]["datatype"] = rng.choice(["FP16", "BF16"])
    return draft


def _data_twice(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    rng.choice(draft.inputs)["data"] = [0]
    return draft


def _input_twice(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    draft.inputs.append(dict(rng.choice(draft.inputs)))
    return draft


def _output_twice(rng: Random) -> Draft:
    draft = valid_draft(rng)
    name = rng.choice(SIGNATURES[draft.model].outputs).name
    draft.document["outputs"] = [{"name": name}, {"name": name}]
    return draft


def _input_missing(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    required = [entry for entry in draft.inputs if not draft.spec(entry).optional]
    draft.inputs.remove(rng.choice(required))
    return draft


def _input_of_another_model(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    entry = {"name": "INPUT0", "datatype": "INT32", "shape": [1, 1], "data": [1]}
    draft.inputs.insert(rng.randint(0, len(draft.inputs)), entry)
    return draft


# ---- rows ------------------------------------------------------------------------------


def _too_many_rows(rng: Random) -> Draft:
    draft = valid_draft(rng, options=False)
    draft.document["inputs"], draft.blobs = [], []
    for spec in SIGNATURES[draft.model].required:
        entry, blob = make_input(rng, spec, TOO_MANY_ROWS, 1, None)
        draft.inputs.append(entry)
        draft.blobs.extend(blob)
    return draft


def _no_rows(rng: Random) -> Draft:
    return valid_draft(rng, rows=0)


def _rows_differ(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("asr", "nmt", "vad", "tts", "speaker"), options=False)
    rows = draft.inputs[0]["shape"][0]
    present = [entry["name"] for entry in draft.inputs[1:]]
    specs = [
        spec
        for spec in SIGNATURES[draft.model].inputs[1:]
        if spec.datatype in ("BYTES", "INT32") and spec.name not in present
    ]
    entry, blob = make_input(rng, rng.choice(specs), rows + rng.randint(1, 3), 160, None)
    draft.inputs.append(entry)
    draft.blobs.extend(blob)
    return draft


# ---- lies about lengths ----------------------------------------------------------------


def _header_length(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    head = len(draft.head())
    size = head + sum(map(len, draft.blobs))
    draft.header_length = rng.choice(
        ["-1", "abc", "1e3", "0x10", "1.0", "NaN", "+5", "1,2", str(size + 1), str(2**31),
         str(2**63), str(2**64 + head), "9" * 5_000, "1", str(head - 1), str(head // 2),
         str(head + 1), str(size)]
    )  # fmt: skip
    return draft


def _raw_for_many_inputs(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("nmt",))
    draft.body, draft.header_length = rng.randbytes(rng.randint(0, 99)), "0"
    return draft


def _raw_of_half_a_sample(rng: Random) -> Draft:
    draft = valid_draft(rng, models=LISTENERS)
    size = 4 * rng.randint(160, 1600) + rng.randint(1, 3)
    draft.body, draft.header_length = bytes(size), "0"
    return draft


def _blobs_cut(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    head, blobs = draft.head(), b"".join(draft.blobs)
    draft.header_length = str(len(head))
    draft.body = head + blobs[: rng.randrange(len(blobs))]
    return draft


def _blobs_too_long(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    draft.blobs.append(rng.randbytes(rng.randint(1, 64)))
    return draft


def _blob_size(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    parameters = rng.choice(draft.inputs)["parameters"]
    size = parameters["binary_data_size"]
    wrong = [0, -1, -size, size - 1, size + 1, 2 * size, 2**70, str(size), True, None, 1.5, [], {}]
    parameters["binary_data_size"] = rng.choice(wrong)
    return draft


def _binary_without_header(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    draft.body = draft.head() + b"".join(draft.blobs)
    return draft


def _string_length(rng: Random) -> Draft:
    """A string whose own length lies, in a tensor of the right size."""
    draft = valid_draft(rng, models=("nmt", "tts"), binary=True, options=False)
    blob = draft.blobs[0]
    own = int.from_bytes(blob[:4], "little")
    wrong = rng.choice([own - 1, own + 1, 0, own + 1000, 2**31, 2**32 - 1])
    draft.blobs[0] = wrong.to_bytes(4, "little") + blob[4:]
    return draft


def _string_count(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("nmt", "tts"), binary=True, options=False)
    draft.blobs[0] += rng.choice([b"\0\0\0\0", b"\1\0\0\0a", b"\0", b"\0\0\0"])
    draft.inputs[0]["parameters"]["binary_data_size"] = len(draft.blobs[0])
    return draft


def _not_finite(rng: Random) -> Draft:
    draft = valid_draft(rng, models=LISTENERS, binary=True, options=False)
    rows, width = draft.inputs[0]["shape"]
    samples = np.zeros((rows, width), "<f4")
    samples[rng.randrange(rows), rng.randrange(width)] = rng.choice([np.nan, np.inf, -np.inf])
    draft.inputs[0] |= {"datatype": "FP32", "parameters": {"binary_data_size": samples.nbytes}}
    draft.blobs[0] = samples.tobytes()
    return draft


# ---- bodies that are no JSON -----------------------------------------------------------


def _json_garbage(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    head = draft.head()
    cut = rng.randrange(len(head))
    draft.body = rng.choice(
        [
            b"",
            head[:cut],
            head + b"}",
            head + head,
            head[:cut] + b"\xff" + head[cut:],
            head[:cut] + b"\n\0" + head[cut:],
            head.decode().encode("utf-16"),
            b"\xef\xbb\xbf" + head,
            b"\xff" + rng.randbytes(50),
            head.replace(b'"', b"'"),
            head[:-1] + b",}",
            b"/* */" + head,
            *(b"null", b"[]", b"5", b'"inputs"', b"true", b"[" + head + b"]", b"NaN", b"{}"),
        ]
    )
    return draft


def _deep_json(rng: Random) -> Draft:
    draft = valid_draft(rng)
    depth = rng.choice([500, 5_000, 100_000])
    lists = b"[" * depth + b"]" * depth
    wrong = [lists, b"[" * depth, b'{"inputs":' * depth, b'{"inputs":' + lists + b"}"]
    draft.body = rng.choice(wrong)
    return draft


def _endless_number(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("asr",))
    number = rng.choice([b"1" * 5_000, b"-" + b"9" * 5_000, b"1e999999", b"1e400"])
    draft.body = (
        b'{"inputs": [{"name": "AUDIO", "datatype": "FP32", "shape": [1, 1], "data": [%b]}]}'
        % number
    )
    return draft


def _half_a_surrogate_pair(rng: Random) -> Draft:
    draft = valid_draft(rng)
    draft.document["id"] = rng.choice(["\ud800", "a\udfff", "\udc00b"])
    return draft


# ---- encodings -------------------------------------------------------------------------


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(16 << 20), mtime=0)


def _not_encoded(rng: Random) -> Draft:
    """A body that is not what ``Content-Encoding`` says."""
    draft = valid_draft(rng)
    head = draft.head()
    packed = gzip.compress(head, mtime=0)
    deflated = zlib.compress(head)
    encoding, body = rng.choice(
        [
            ("gzip", head),
            ("gzip", b""),
            ("gzip", deflated),
            ("gzip", packed[: rng.randrange(1, len(packed))]),
            ("gzip", packed + b"more"),
            ("gzip", packed[:-8] + bytes(8)),
            ("gzip", packed + packed),
            ("gzip", _bomb()),
            ("deflate", packed),
            ("deflate", b""),
            ("deflate", deflated[: rng.randrange(1, len(deflated))]),
            ("deflate", deflated + b"more"),
        ]
    )
    draft.headers["Content-Encoding"], draft.body = encoding, body
    return draft


def _unknown_encoding(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    names = ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate", "snappy", "utf-8", "*"]
    draft.headers["Content-Encoding"] = rng.choice(names)
    draft.body = draft.head()
    return draft


# ---- paths and verbs -------------------------------------------------------------------


def _unknown_model(rng: Random) -> Draft:
    draft = valid_draft(rng)
    names = ["nothing", "ASR", "asr ", "a/b", "..%2e", "модель", "asr\n", "%", "a" * 500, "0", "*"]
    name = quote(rng.choice(names), safe="")
    draft.path = f"/v2/models/{name}/infer"
    if rng.random() < 0.5:
        draft.method, draft.body = "GET", b""
        draft.path = f"/v2/models/{name}" + rng.choice(["", "/ready", "/config", "/stats"])
    return draft


def _unknown_version(rng: Random) -> Draft:
    draft = valid_draft(rng)
    version = rng.choice(["2", "0", "999999999999999999999", "one", "1.0", "-1", "%20", "latest"])
    draft.path = f"/v2/models/{draft.model}/versions/{version}"
    if rng.random() < 0.5:
        draft.path += "/infer"
    else:
        draft.path += rng.choice(["", "/ready", "/config", "/stats"])
        draft.method, draft.body = "GET", b""
    return draft


def _unknown_path(rng: Random) -> Draft:
    draft = valid_draft(rng)
    own = f"/v2/models/{draft.model}"
    draft.path = rng.choice(
        [
            "/v2/nothing",
            "/v2/health",
            "/v2/health/dead",
            f"{own}/nothing",
            f"{own}/infer/more",
            f"{own}/versions/1/nothing",
            f"{own}/versions/1/versions/1/infer",
            "/v2/repository/nothing",
            f"/v2/repository/models/{draft.model}/nothing",
            f"/v3/models/{draft.model}/infer",
        ]
    )
    if rng.random() < 0.3:
        draft.method, draft.body = "GET", b""
    return draft


def _wrong_verb(rng: Random) -> Draft:
    draft = valid_draft(rng)
    own = f"/v2/models/{draft.model}"
    gets = ["/v2", "/v2/health/live", "/v2/health/ready", own, f"{own}/ready", f"{own}/config"]
    gets += [f"{own}/stats", "/v2/models/stats"]
    load = f"/v2/repository/models/{draft.model}/load"
    if rng.random() < 0.5:
        draft.path = rng.choice([draft.path, "/v2/repository/index", load])
        draft.method = rng.choice(["GET", "PUT", "DELETE", "PATCH"])
    else:
        draft.path = rng.choice(gets)
        draft.method = rng.choice(["POST", "PUT", "DELETE", "PATCH"])
    draft.body = b"" if draft.method == "GET" else b"{}"
    return draft


def _repository(rng: Random) -> Draft:
    """Bad bodies of the model repository; none of them would unload a model."""
    draft = valid_draft(rng)
    bodies = [b"{", b"[]", b"5", b"\xff", b'"ready"', b"null"]
    if rng.random() < 0.5:
        draft.path = "/v2/repository/index"
        draft.body = rng.choice([*bodies, b'{"ready": "yes"}', b'{"ready": 1}', b'{"ready": null}'])
        return draft
    wrong: list[Any] = [5, None, [], {}, "{not json", "[]", "5"]
    configs = [json.dumps({"parameters": {"config": value}}).encode() for value in wrong]
    draft.path = f"/v2/repository/models/{draft.model}/load"
    draft.body = rng.choice([*bodies, b'{"parameters": []}', b'{"parameters": 5}', *configs])
    return draft


def _unknown_repository_model(rng: Random) -> Draft:
    draft = valid_draft(rng)
    name = quote(rng.choice(["nothing", "ASR", "модель", "a/b", "%"]), safe="")
    draft.path = f"/v2/repository/models/{name}/" + rng.choice(["load", "unload"])
    draft.body = rng.choice([b"", b"{}", b'{"parameters": {}}'])
    return draft


# ---- what only a model can refuse ------------------------------------------------------

NO_TEXT = b"\xff\xfe\xfa"  # not UTF-8
BAD_LANGUAGE = ["xx", "klingon", "e", "tlh", "🐉", "en\0", NO_TEXT]
BAD_VALUES: dict[str, list[tuple[str, Sequence[Any]]]] = {
    "vad": [("SAMPLE_RATE", [0, -16_000]), ("AUDIO_LENGTH", [-1, 2_000, 2**31 - 1])],
    "asr": [
        ("SAMPLE_RATE", [0, -16_000]),
        ("AUDIO_LENGTH", [-1, 2_000, 2**31 - 1]),
        ("LANGUAGE", BAD_LANGUAGE),
        ("TASK", ["sing", "translated", NO_TEXT]),
        ("PROMPT", [NO_TEXT]),
    ],
    "nmt": [
        ("SOURCE_LANGUAGE", [*BAD_LANGUAGE, ""]),
        ("TARGET_LANGUAGE", [*BAD_LANGUAGE, ""]),
        ("TEXT", [NO_TEXT, "a" * 100_000]),
        ("BEAM_SIZE", [-1, -(2**31)]),
    ],
    "tts": [
        ("TEXT", [NO_TEXT, "a" * 100_000]),
        ("VOICE", ["nobody", "alloy", NO_TEXT]),
        ("LANGUAGE", BAD_LANGUAGE),
        ("SPEED", [0.0, -1.0, 100.0]),
    ],
    "speaker": [("SAMPLE_RATE", [0, -16_000]), ("AUDIO_LENGTH", [-1, 2_000, 2**31 - 1])],
    "speech_translation": [
        ("SAMPLE_RATE", [0, -16_000]),
        ("AUDIO_LENGTH", [-1, 2_000, 2**31 - 1]),
        ("SOURCE_LANGUAGE", BAD_LANGUAGE),
        ("TARGET_LANGUAGE", BAD_LANGUAGE),
        ("VOICE", ["nobody", NO_TEXT]),
        ("TASK", ["sing", NO_TEXT]),
        ("SPEED", [0.0, -1.0, 100.0]),
    ],
}


def _bad_value(rng: Random) -> Draft:
    """One row with a value that no model takes."""
    model = rng.choice(list(BAD_VALUES))
    draft = valid_draft(rng, models=(model,), rows=1, binary=True, options=False)
    name, values = rng.choice(BAD_VALUES[model])
    value = rng.choice(values)
    spec = SIGNATURES[model].input_of[name]
    binary = True if isinstance(value, bytes) else None
    entry, blob = make_input(rng, spec, 1, 1, binary, value)
    names = [entry["name"] for entry in draft.inputs]
    if name in names:
        del draft.inputs[names.index(name)], draft.blobs[names.index(name)]
    draft.inputs.append(entry)
    draft.blobs.extend(blob)
    draft.semantic = True
    return draft


def _bad_parameter(rng: Random) -> Draft:
    draft = valid_draft(rng, rows=1)
    name = rng.choice(["timeout", "priority"])
    draft.document["parameters"] = {name: rng.choice(["soon", "", True, 1.5])}
    draft.semantic = True
    return draft


# What is wrong, and how such a request is made. Each kind is as likely as any other.
MUTATIONS: dict[str, Callable[[Random], Draft]] = {
    "inputs": _replaced("inputs", [*NO_OBJECT, {}, [None], [[]], ["x"], [5]]),
    "outputs": _replaced("outputs", [None, {}, "x", 5, True, [None], ["TEXT"], [5], [[]]]),
    "parameters": _replaced("parameters", [*NO_PARAMETERS, *SHARED]),
    "binary_data_output": _replaced(
        "parameters", [{"binary_data_output": value} for value in NO_FLAG]
    ),
    "id": _replaced("id", NO_STRING),
    "input's name": _input_replaced("name", [*NO_STRING, "", "NOTHING", "audio", "x" * 129]),
    "input's datatype": _input_replaced("datatype", NO_DATATYPE),
    "input's shape": _input_replaced("shape", NO_SHAPE),
    "input's data": _input_replaced("data", NO_DATA),
    "input's parameters": _input_replaced("parameters", [*NO_PARAMETERS, *SHARED]),
    "output's name": _output_replaced("name", [*NO_STRING, "", "NOTHING", "text", "x" * 129]),
    "output's parameters": _output_replaced(
        "parameters",
        [*NO_PARAMETERS, *SHARED, {"classification": 3}, *({"binary_data": v} for v in NO_FLAG)],
    ),
    "key missing": _key_missing,
    "output's name missing": _output_name_missing,
    "wrong datatype": _wrong_datatype,
    "wrong dim": _wrong_dim,
    "wrong rank": _wrong_rank,
    "wrong element": _wrong_element,
    "wrong count": _wrong_count,
    "half precision as JSON": _half_precision_as_json,
    "data twice": _data_twice,
    "input twice": _input_twice,
    "output twice": _output_twice,
    "input missing": _input_missing,
    "input of another model": _input_of_another_model,
    "too many rows": _too_many_rows,
    "no rows": _no_rows,
    "rows differ": _rows_differ,
    "header length": _header_length,
    "raw for many inputs": _raw_for_many_inputs,
    "raw of half a sample": _raw_of_half_a_sample,
    "blobs cut": _blobs_cut,
    "blobs too long": _blobs_too_long,
    "blob size": _blob_size,
    "binary without header": _binary_without_header,
    "string length": _string_length,
    "string count": _string_count,
    "not finite": _not_finite,
    "JSON garbage": _json_garbage,
    "deep JSON": _deep_json,
    "endless number": _endless_number,
    "half a surrogate pair": _half_a_surrogate_pair,
    "not encoded": _not_encoded,
    "unknown encoding": _unknown_encoding,
    "unknown model": _unknown_model,
    "unknown version": _unknown_version,
    "unknown path": _unknown_path,
    "wrong verb": _wrong_verb,
    "repository": _repository,
    "unknown repository model": _unknown_repository_model,
    "bad value": _bad_value,
    "bad parameter": _bad_parameter,
}


def malformed_requests(seed: int, count: int) -> Iterator[Malformed]:
    """``count`` malformed requests, the same for the same seed."""
    rng = Random(seed)
    kinds = list(MUTATIONS)
    for number in range(count):
        kind = rng.choice(kinds)
        draft = MUTATIONS[kind](rng)
        yield draft.finished(f"{number} {draft.model} {kind}")
