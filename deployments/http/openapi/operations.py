"""What one operation of the HTTP API takes and answers, as the tables of operations say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeAlias

from deployments.http.parsing import (
    IGNORED_HEADER,
    PRIORITY_HEADER,
    TIMEOUT_HEADER,
    WARNINGS_HEADER,
    Fields,
)
from deployments.http.synthetic import SYNTHETIC_HEADER
from deployments.live.options import DELAYS

Schema: TypeAlias = dict[str, Any]
Route: TypeAlias = tuple[str, str]  # the method and the path, as it is declared
JSON, FORM, BYTES = "application/json", "multipart/form-data", "application/octet-stream"

FILE: Schema = {"type": "string", "format": "binary"}
TEXT: Schema = {"type": "string"}

# Parameters, by the name under which the document keeps them.
PARAMETERS: Mapping[str, Schema] = {
    "Timeout": {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": "Milliseconds that the answer may take, within the server's own limit.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "Priority": {
        "name": PRIORITY_HEADER,
        "in": "header",
        "description": "1 is the most urgent; only models with priority levels look at it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "HeaderLength": {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "Where the JSON ends and the binary tensors begin, in bytes.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "SessionId": {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "The id of an open session.",
    },
    "GlossaryId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of a glossary.",
        "schema": {"type": "string"},
    },
    "JobId": {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "The id of one of the caller's jobs.",
    },
    "RegionName": {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The caller's name for a region.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "ModelName": {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The name of a model, of a kind of models, or an alias.",
        "schema": {"type": "string", "minLength": 1},
    },
    "Version": {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "There is one version of each model.",
        "schema": {"const": "1"},
    },
    "Intent": {
        "name": "intent",
        "in": "query",
        "required": True,
        "description": "There are no other sessions.",
        "schema": {"const": "transcription"},
    },
    "LiveModel": {
        "name": "model",
        "in": "query",
        "description": "A recogniser, or `translation`; needed, unless `follow` is there.",
        "schema": TEXT,
    },
    "Delay": {
        "name": "delay",
        "in": "query",
        "description": "How long words are held back until they are sure.",
        "schema": {"enum": list(DELAYS)},
    },
    "SessionName": {
        "name": "name",
        "in": "query",
        "description": "A name by which the session is followed.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    },
    "Follow": {
        "name": "follow",
        "in": "query",
        "description": "The name of an open session to follow, read only.",
        "schema": TEXT,
    },
    "FollowName": {
        "name": "name",
        "in": "query",
        "required": True,
        "description": "The name of an open session.",
        "schema": {"type": "string", "minLength": 1},
    },
    "Target": {
        "name": "language",
        "in": "query",
        "description": "With `follow`: languages that it is translated to, with commas between.",
        "schema": TEXT,
    },
    "OwnEvents": {
        "name": "dragoman_events",
        "in": "query",
        "description": "Send Dragoman's own events, too.",
        "schema": {"type": "boolean"},
    },
    "VoiceId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of a voice that the caller keeps.",
        "schema": TEXT,
    },
    "ConsentId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of a consent that the caller keeps.",
        "schema": TEXT,
    },
    "After": {
        "name": "after",
        "in": "query",
        "description": "The last id of the page before.",
        "schema": TEXT,
    },
    "PageLimit": {
        "name": "limit",
        "in": "query",
        "description": "Most rows of a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    "PageFile": {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "Asset": {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"enum": ["page.js", "swagger-ui-bundle.js", "swagger-ui.css"]},
    },
}

# Headers of answers, by their names on the wire.
HEADERS: Mapping[str, Schema] = {
    "x-request-id": {
        "description": "The request's id: the caller's own, or a new one.",
        "schema": TEXT,
    },
    "retry-after": {
        "description": "Seconds until the request may be sent again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "www-authenticate": {"description": "Which key is asked for.", "schema": TEXT},
    "allow": {"description": "The methods that the path takes.", "schema": TEXT},
    "server-timing": {"description": "What each stage took (W3C Server-Timing).", "schema": TEXT},
    WARNINGS_HEADER: {"description": "The codes of the answer's warnings.", "schema": TEXT},
    IGNORED_HEADER: {
        "description": "The fields of the request that changed nothing.",
        "schema": TEXT,
    },
    "x-transcript": {
        "description": "What was said, as an RFC 8187 ext-value.",
        "schema": {"type": "string", "pattern": "^UTF-8''"},
    },
    "x-translation": {
        "description": "Its translation, as an RFC 8187 ext-value.",
        "schema": {"type": "string", "pattern": "^UTF-8''"},
    },
    "x-source-language": {"description": "The language that was spoken.", "schema": TEXT},
    "x-target-language": {"description": "The language of the translation.", "schema": TEXT},
    "x-pivot-language": {"description": "The language between the two, if any.", "schema": TEXT},
    "x-translated-by": {"description": "The models that translated.", "schema": TEXT},
    "x-voice": {"description": "The voice that speaks.", "schema": TEXT},
    "x-voice-similarity": {
        "description": "The cosine of the speaker's own voice and the one that speaks.",
        "schema": {"type": "number"},
    },
    SYNTHETIC_HEADER: {
        "description": "The voice is no human's.",
        "schema": {"const": "true"},
    },
    "x-text-truncated": {
        "description": "A text was cut to fit its header.",
        "schema": {"const": "true"},
    },
    "inference-header-content-length": {
        "description": "Where the JSON of the body ends and its binary tensors begin.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "etag": {"description": "What changes with the content.", "schema": TEXT},
    "cache-control": {"description": "It is not to be kept.", "schema": TEXT},
    "upgrade": {"description": "What the path speaks.", "schema": {"const": "websocket"}},
    "vary": {"description": "The request's headers that the answer depends on.", "schema": TEXT},
}
REQUIRED_HEADERS = {"x-request-id", "retry-after"}  # of each answer that names them

WORK = (WARNINGS_HEADER, "server-timing")
TEXTS = (
    *("x-transcript", "x-translation", "x-source-language", "x-target-language"),
    *("x-pivot-language", "x-voice", "x-voice-similarity", "x-text-truncated"),
    SYNTHETIC_HEADER,
)


@dataclass(frozen=True)
class Form:
    """A multipart form: typed fields, and files."""

    fields: type[Fields]
    files: Mapping[str, Schema]
    required: tuple[str, ...] = ("file",)


@dataclass(frozen=True)
class Answer:
    """One answer that is no error; ``content`` has a type or a schema for each media type."""

    description: str
    content: Mapping[str, type | UnionType | Schema] = field(default_factory=dict)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    body: Mapping[str, type | Form | Schema] = field(default_factory=dict)
    needs_body: bool = True  # where it takes one
    parameters: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()  # beside those that every operation of its kind has
    description: str = ""
    is_probe: bool = False  # it needs no place and waits for no body


def one_file(description: str) -> Mapping[str, Schema]:
    """Return the files of a form that holds one recording."""
    return {"file": {**FILE, "description": description}}
