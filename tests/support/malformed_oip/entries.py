"""Malformed requests: one value, input or row of the JSON is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from deployments.inference.tensors import DTYPES
from tests.support.malformed_oip.valid import (
    LISTENERS,
    SIGNATURES,
    TOO_MANY_ROWS,
    Draft,
    make_input,
    valid_draft,
)

# ---- wrong values in the JSON ----------------------------------------------------------

NO_STRING: list[Any] = [None, 5, True, [], {}]
NO_FLAG: list[Any] = [None, 1, 0.5, "true", [], {}]
NO_OBJECT: list[Any] = [None, [], "x", 5, True]
NO_PARAMETERS: list[Any] = [*NO_OBJECT, {"x": None}, {"x": []}, {"x": {}}]
SHARED: list[Any] = [
    {"shared_memory_region": "region"},
    {"shared_memory_byte_size": 64},
    {"shared_memory_offset": 8},
    {"shared_memory_region": "", "shared_memory_byte_size": 64},
    {"shared_memory_region": 5, "shared_memory_byte_size": 64},
    {"shared_memory_region": "region", "shared_memory_byte_size": -1},
    {"shared_memory_region": "region", "shared_memory_byte_size": "64"},
    {
        "shared_memory_region": "region",
        "shared_memory_byte_size": 64,
        "shared_memory_offset": True,
    },
]
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


def _output_in_no_region(rng: Random) -> Draft:
    """A request with an output in a region that nobody has registered."""
    part = {
        "shared_memory_region": "region",
        "shared_memory_byte_size": rng.choice([0, 64, 2**62]),
        "shared_memory_offset": rng.choice([0, 8, 2**62]),
    }
    draft = _output_replaced("parameters", [part])(rng)
    draft.semantic = True
    return draft


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
    "output in no region": _output_in_no_region,
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
}
