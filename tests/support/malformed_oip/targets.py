"""Malformed requests: paths, verbs and models that are not there, and values no model takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import quote

from tests.support.malformed_oip.valid import SIGNATURES, Draft, make_input, valid_draft

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


MUTATIONS: dict[str, Callable[[Random], Draft]] = {
    "unknown model": _unknown_model,
    "unknown version": _unknown_version,
    "unknown path": _unknown_path,
    "wrong verb": _wrong_verb,
    "repository": _repository,
    "unknown repository model": _unknown_repository_model,
    "bad value": _bad_value,
    "bad parameter": _bad_parameter,
}
