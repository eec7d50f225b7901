"""What schemathesis is told beside the description: what the fakes know, and what is left out.

The description cannot say which languages, voices and models a server has, nor what a recording
is; without that, hardly any request would get past the first check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st

from deployments.http.parsing import TIMEOUT_HEADER
from tests.fuzz.api import shared_memory
from tests.support.bad_input import wav

SPARE = "spare"  # a model that no request needs, which may be unloaded and loaded
LOUD = np.concatenate([np.zeros(800), np.full(4_000, 700), np.zeros(800)]).astype("<i2")
RECORDINGS = st.sampled_from([wav(LOUD), wav(LOUD[:3200]), wav(np.zeros(3200, np.int16))])
SAMPLES = st.sampled_from([LOUD.tobytes(), bytes(6400)])
MODELS = ["asr", "nmt", "tts", "speaker", "vad"]
ALL_NAMES = {*MODELS, SPARE, "speech_translation", "whisper-1", "tts-1"}
LONG_MS = 60_000  # a deadline that no request here misses
NUMBERS = ("beam_size", "length_penalty", "max_tokens", "speed", "offset", "byte_size")

schemathesis.openapi.format("binary", RECORDINGS)
schemathesis.openapi.media_type("audio/pcm; rate=16000; channels=1", SAMPLES)

WORD = {"type": "string", "pattern": "^[a-z]{1,20}$"}
NO_OTHERS = {"additionalProperties": False}
JOB = {  # its other fields are those of the two endpoints, which are asked themselves
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "kind": {"const": "transcription"},
    },
    "required": ["file", "kind"],
    **NO_OTHERS,
}
FIELDS: Mapping[str, Mapping[str, dict[str, Any]]] = {  # of each request's type
    "SpeechTranslationFields": {
        "target_language": {"enum": ["pt"]},
        "source_language": {"enum": ["en"]},
        "voice": {"enum": ["fake-pt"]},
        "response_format": {
            "enum": [
                *("json", "wav", "mp3", "opus", "flac", "srt", "vtt", "ttml", "ass"),
                *("bilingual_srt", "bilingual_vtt"),
            ]
        },
    },
    "AudioTranslationFields": {
        "model": {"enum": ["asr", "whisper-1"]},
        "target_language": {"enum": ["pt"]},
        "language": {"enum": ["en"]},
    },
    "TextTranslationFields": {
        "source_language": {"enum": ["en", None]},
        "target_language": {"enum": ["pt"]},
    },
    "TranscriptionFields": {
        "response_format": {
            "enum": ["json", "text", "srt", "vtt", "ttml", "ass", "verbose_json", "diarized_json"]
        },
        "model": {"enum": ["asr", "whisper-1"]},
        "language": {"enum": ["en"]},
        "languages[]": {"type": "array", "items": {"enum": ["en", "pt"]}},
    },
    "SpeechFields": {
        "model": {"enum": ["tts", "tts-1", None]},
        "voice": {"enum": ["fake-pt", None]},
        "language": {"enum": ["pt", None]},
    },
    "EmbeddingFields": {"model": {"enum": ["speaker"]}},
    "ConsentFields": {"language": {"enum": ["en"]}, "name": WORD},
    "TermFields": {
        "term": WORD,
        "language": {"enum": ["en"]},
        "translations": {"type": "object", "properties": {"pt": WORD}, **NO_OTHERS},
        "sounds": {"type": "object", "properties": {"en": WORD}, **NO_OTHERS},
    },
    "NewGlossaryFields": {
        "name": WORD,
        "terms": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/TermFields"},
            "minItems": 1,
            "maxItems": 1,
        },
    },
    "ClientSecretFields": {"session": {"enum": [{"type": "transcription"}]}},
}

# Fields that are valid only beside others, which schemathesis cannot draw beside files, and those
# that are there to be refused. The tests of bad requests have them.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "EmbeddingFields": ("threshold", "top_k", "include_embedding"),
    "AudioTranslationFields": ("stream",),
    "SpeechTranslationFields": (
        "stream",
        "fit",
        "background",
        "subtitles",
        "bilingual",
        "glossary",
    ),
    "SpeechFields": ("glossary",),
    "TextTranslationFields": ("glossary",),
    "TranscriptionFields": (
        "glossary",
        "stream",
        "include[]",
        "keywords[]",
        "chunking_strategy",
        "timestamp_granularities[]",
        "known_speaker_names[]",
        "known_speaker_references[]",
    ),
    "LoadParameters": ("config",),
}


def tensor(name: str, values: Any) -> dict[str, Any]:
    """Return the schema of an input of one text."""
    required = {
        "name": {"const": name},
        "datatype": {"const": "BYTES"},
        "shape": {"const": [1, 1]},
        "data": {"type": "array", "items": values, "minItems": 1, "maxItems": 1},
    }
    return {"type": "object", "properties": required, "required": list(required)}


# What ``nmt`` takes: the description says only where to ask for it.
INPUTS = [
    tensor("TEXT", {"type": "string", "minLength": 1}),
    tensor("SOURCE_LANGUAGE", {"const": "en"}),
    tensor("TARGET_LANGUAGE", {"const": "pt"}),
]
INFER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "inputs": {
            "type": "array",
            "prefixItems": INPUTS,
            "items": False,
            "minItems": len(INPUTS),
            "maxItems": len(INPUTS),
        },
    },
    "required": ["inputs"],
}


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Narrow the description to what the fakes know."""
    components, paths = raw_schema["components"], raw_schema["paths"]
    parameters = components["parameters"]
    parameters["Timeout"]["schema"] = {"type": "integer", "minimum": LONG_MS}
    parameters["ModelName"]["schema"] = {"enum": [*MODELS, "speech_translation"]}
    for name, fields in FIELDS.items():
        components["schemas"][name]["properties"].update(fields)
    for name, left_out in LEFT_OUT.items():
        for field in left_out:
            del components["schemas"][name]["properties"][field]
        for rule in ("if", "then", "allOf", "dependentRequired"):
            components["schemas"][name].pop(rule, None)
    shared_memory.narrow(components)
    for action in ("load", "unload"):
        (of,) = paths[f"/v2/repository/models/{{name}}/{action}"].values()
        of["parameters"] = [of_name(SPARE)]
    paths["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"] = JOB
    for path in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
        infer = paths[path]["post"]
        infer["requestBody"]["content"] = {"application/json": {"schema": INFER}}
        others = [each for each in infer["parameters"] if "Length" not in each["$ref"]]
        infer["parameters"] = [of_name("nmt"), *others[1:]]


def of_name(name: str) -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"enum": [name]}}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Put back the name of a model that an answer before has given: a body fits one alone."""
    if case.path.startswith("/v2/repository/models/"):
        wanted = SPARE
    elif case.path.endswith("/infer") and case.path_parameters.get("name") in ALL_NAMES:
        wanted = "nmt"
    else:
        return
    if case.path_parameters.get("name") != wanted:
        case.path_parameters = {**case.path_parameters, "name": wanted}


# ---- what is left out --------------------------------------------------------------------


def _code(response: Any) -> str:
    """Return the code of an error under ``/v1``, or the text of one under ``/v2``."""
    error = response.json().get("error", "")
    return error["code"] if isinstance(error, dict) else str(error)


def _has_a_short_deadline(case: Any, response: Any) -> bool:
    try:
        return 0 < float((case.headers or {}).get(TIMEOUT_HEADER, "0")) < LONG_MS
    except (TypeError, ValueError):
        return False


def _has_nothing_to_speak(case: Any, response: Any) -> bool:
    return response.status_code == 400 and "nothing that can be spoken" in response.text


def _is_unloaded(case: Any, response: Any) -> bool:
    return response.status_code == 503 and "is unloaded" in response.text


def _is_not_there_yet(case: Any, response: Any) -> bool:
    return response.status_code == 400 and " yet;" in response.text


def _has_an_unknown_header(case: Any, response: Any) -> bool:
    return any(name.startswith("x-schemathesis") for name in case.headers or {})


def _has_a_number_as_text(case: Any, response: Any) -> bool:
    body = case.body if isinstance(case.body, dict) else {}
    return any(isinstance(body.get(name), str | bool) for name in NUMBERS)


def _has_a_number_in_a_form(case: Any, response: Any) -> bool:
    body = case.body if isinstance(case.body, dict) else {}
    values = [
        each for value in body.values() for each in (value if isinstance(value, list) else [value])
    ]
    is_form = (case.media_type or "").startswith("multipart/")
    return is_form and any(isinstance(value, int | float) for value in values)


def _has_an_idle_voice(case: Any, response: Any) -> bool:
    is_spoken = "audio" in response.headers.get("content-type", [""])[0]
    body = case.body if isinstance(case.body, dict) else {}
    return case.path == "/v1/speech/translations" and "voice" in body and not is_spoken


def _is_for_websockets(case: Any, response: Any) -> bool:
    return bool(response.status_code == 426)


def _is_a_transcription_s_session(case: Any, response: Any) -> bool:
    is_of_translations = case.path.endswith("/translations/client_secrets")
    return bool(is_of_translations and response.status_code == 400)


def _names_no_page(case: Any, response: Any) -> bool:
    return response.status_code == 400 and "must be the id of a consent" in response.text


def _says_no_consent(case: Any, response: Any) -> bool:
    is_kept = case.path in ("/v1/audio/voices", "/v1/audio/voice_consents")
    return is_kept and case.method == "POST" and response.status_code in (404, 422)


def _has_a_blank_body(case: Any, response: Any) -> bool:
    return not (response.request.body or b"").strip() and case.path.startswith("/v2/repository")


# Failures of checks that are none, each with its reason.
EXCLUSIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "a deadline below the narrowed one is valid, and may pass": _has_a_short_deadline,
    "a number in JSON is taken as text or as true, too, as forms send it": _has_a_number_as_text,
    "a form holds texts alone, so a number in it is one": _has_a_number_in_a_form,
    "a voice that nothing is spoken with is not looked at": _has_an_idle_voice,
    "no schema can say which texts have something to speak": _has_nothing_to_speak,
    "a model that another request has unloaded is a 503": _is_unloaded,
    "OpenAI's operations that are not there yet answer 400 and say so": _is_not_there_yet,
    "a WebSocket asked for without an upgrade is a 426, whatever else is asked": _is_for_websockets,
    "both kinds of client secrets share a description": _is_a_transcription_s_session,
    "a page begins behind a consent that there is": _names_no_page,
    "no recording here says the text of a consent, and no fake speaks in its voice": (
        _says_no_consent
    ),
    "HTTP has a server ignore headers that it does not know": _has_an_unknown_header,
    "under /v2/repository a body of white space is none, as in Triton": _has_a_blank_body,
    **shared_memory.EXCLUSIONS,
}


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep a failure, unless there is a reason why it is none."""
    return not any(applies(case, response) for applies in EXCLUSIONS.values())
