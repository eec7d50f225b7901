"""Make the OpenAPI 3.1 document, of the operations, the types, the error table and the scopes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter

from deployments import __version__
from deployments.config.security import SCOPES
from deployments.http.errors import TABLE, TRITON
from deployments.http.openapi import glossaries, jobs, realtime, shared_memory, triton, v1
from deployments.http.openapi.answers import Error, TritonError
from deployments.http.openapi.operations import (
    HEADERS,
    JSON,
    PARAMETERS,
    REQUIRED_HEADERS,
    TEXT,
    Answer,
    Form,
    Operation,
    Route,
    Schema,
)
from deployments.http.parsing import Fields, ForgivingFields
from deployments.security.scopes import ANY, NOBODY_ASKED, RIGHTS, Scopes

OPERATIONS: Mapping[Route, Operation] = {
    **v1.OPERATIONS,
    **glossaries.OPERATIONS,
    **jobs.OPERATIONS,
    **realtime.OPERATIONS,
    **triton.OPERATIONS,
    **shared_memory.OPERATIONS,
}
REFS = "#/components/schemas/{model}"
# What any request may be answered: a wrong Host or Origin, no key, a fault, and so on.
OF_ALL = (400, 403, 500, 504)
OF_KEYS = (401, 429)  # where a key is asked for
OF_WORK = (408, 413, 503)  # where a body is waited for and a place is taken
ONE_TEXT_OR_SEVERAL: Schema = {
    "title": "Text",
    "anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}],
}


def _with_format(name: str, asked: Schema, *formats: str) -> Schema:
    """Return the rule that a field goes with some formats of the answer alone; json is usual."""
    return {
        "if": {"properties": {name: asked}, "required": [name]},
        "then": {"properties": {"response_format": {"enum": [*formats]}}},
    }


# What handlers ask for beyond the types of single fields, by the type of the request.
RULES: Mapping[str, Schema] = {
    "EmbeddingFields": {
        "dependentRequired": {"threshold": ["compare"], "top_k": ["compare"]},
        "if": {
            "properties": {"include_embedding": {"const": False}},
            "required": ["include_embedding"],
        },
        "then": {"required": ["compare"]},
    },
    "TranscriptionFields": {
        "allOf": [
            {
                "if": {
                    "properties": {"timestamp_granularities[]": {"contains": {"const": "word"}}},
                    "required": ["timestamp_granularities[]"],
                },
                "then": {
                    "properties": {"response_format": {"const": "verbose_json"}},
                    "required": ["response_format"],
                },
            },
            _with_format("stream", {"const": True}, "json", "text", "diarized_json"),
            _with_format("include[]", {"minItems": 1}, "json"),
        ],
    },
    "SpeechTranslationFields": _with_format("stream", {"const": True}, "json"),
    "AudioTranslationFields": {"properties": {"stream": {"const": False}}},
    "TextTranslationFields": {"properties": {"text": ONE_TEXT_OR_SEVERAL}},
    "TextDetectionFields": {"properties": {"text": ONE_TEXT_OR_SEVERAL}},
    "SpeechFields": {
        "anyOf": [
            {"required": ["voice"], "properties": {"voice": {"type": ["string", "object"]}}},
            {"required": ["language"], "properties": {"language": {"type": "string"}}},
        ]
    },
}
DESCRIPTION = """\
Batched speech translation. Under `/v1` are Dragoman's own endpoints and OpenAI's audio API, under
`/v2` the Open Inference Protocol with Triton's extensions. A key is needed where the server's
configuration names keys; each operation says which scope the key must have."""


@cache
def document() -> dict[str, Any]:
    """Return the whole document; it must not be changed."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        of_path = paths.setdefault(re.sub(r":path\}", "}", path), {})
        of_path[method.lower()] = _operation((method, path), operation, schemas)
    responses = {
        f"{prefix}{status}": _error(status, body, schemas)
        for prefix, body in (("Error", Error), ("TritonError", TritonError))
        for status in sorted({row.status.value for row in TABLE.values()})
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dragoman", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": responses,
            "parameters": dict(PARAMETERS),
            "headers": {
                name: {**header, "required": name in REQUIRED_HEADERS}
                for name, header in HEADERS.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"A key of `security.keys`; its scopes are of {_told(SCOPES)}.",
                }
            },
        },
    }


def _operation(route: Route, operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    _, path = route
    scopes = RIGHTS[route]
    answers = {str(s): _answer(a, schemas) for s, a in operation.answers.items()}
    for status in _errors(operation, scopes):
        prefix = "TritonError" if path.startswith(TRITON) else "Error"
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{prefix}{status}"})
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation, scopes),
        "responses": dict(sorted(answers.items())),
        "security": _security(scopes),
    }
    if operation.parameters:
        described["parameters"] = [
            {"$ref": f"#/components/parameters/{name}"} for name in operation.parameters
        ]
    if operation.body:
        content = {kind: {"schema": _body(of, schemas)} for kind, of in operation.body.items()}
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    return described


def _errors(operation: Operation, scopes: Scopes) -> list[int]:
    """Return the statuses of all errors of an operation."""
    of_keys = () if scopes == NOBODY_ASKED else OF_KEYS
    of_work = () if operation.is_probe else OF_WORK
    return sorted({*OF_ALL, *of_keys, *of_work, *operation.errors})


def _description(operation: Operation, scopes: Scopes) -> str:
    if scopes == NOBODY_ASKED:
        needed = "No key is needed."
    elif scopes == ANY:
        needed = "Any key opens it."
    else:
        needed = f"A key needs the scope {_told(sorted(scopes), ' or ')}."
    return f"{operation.description} {needed}".strip()


def _security(scopes: Scopes) -> list[dict[str, list[str]]]:
    """Return what opens an operation: one of the alternatives, or nothing where none is needed."""
    if scopes == NOBODY_ASKED:
        return []
    return [{"key": []}] if scopes == ANY else [{"key": [scope]} for scope in sorted(scopes)]


def _answer(answer: Answer, schemas: dict[str, Schema]) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": answer.description, "headers": _headers(answer.headers)}
    if answer.content:
        shown["content"] = {
            kind: {"schema": of if isinstance(of, dict) else _schema(of, schemas)}
            for kind, of in answer.content.items()
        }
    return shown


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def _error(status: int, body: type, schemas: dict[str, Schema]) -> dict[str, Any]:
    """Return the answer of one status, with the codes that it may have."""
    codes = sorted({kind.code for kind, row in TABLE.items() if row.status == status})
    rows = [row for row in TABLE.values() if row.status == status]
    names = [
        *(["retry-after"] if any(row.retry_after_s for row in rows) else []),
        *(["www-authenticate"] if any(row.challenge for row in rows) else []),
        *(["upgrade"] if status == HTTPStatus.UPGRADE_REQUIRED else []),
        *(["allow"] if status == HTTPStatus.METHOD_NOT_ALLOWED else []),
    ]
    return {
        "description": f"{HTTPStatus(status).phrase}: {_told(codes)}.",
        "headers": _headers(tuple(names)),
        "content": {JSON: {"schema": _schema(body, schemas)}},
    }


# ---- schemas -----------------------------------------------------------------------------


def _schema(kind: Any, schemas: dict[str, Schema]) -> Schema:
    """Return the schema of a type; those that it refers to are put into ``schemas``."""
    made = TypeAdapter(kind).json_schema(by_alias=True, ref_template=REFS)
    schemas.update(made.pop("$defs", {}))
    name = made.get("title")
    if not isinstance(kind, type) or name is None:
        return made
    schemas[name] = made
    return {"$ref": REFS.format(model=name)}


def _body(of: type | Form | Schema, schemas: dict[str, Schema]) -> Schema:
    if isinstance(of, dict):
        return of
    kind = of.fields if isinstance(of, Form) else of
    own: dict[str, Schema] = {}
    reference = _schema(kind, own)
    schema = own[kind.__name__]
    if isinstance(of, Form):
        schema["properties"] = {**of.files, **schema["properties"]}
        schema["required"] = [*of.required, *schema.get("required", [])]
    if issubclass(kind, ForgivingFields) and not isinstance(of, Form):
        _take_nulls(schema)
    elif isinstance(of, Form) or not issubclass(kind, Fields):
        for each in own.values():  # in a form and under /v2 a field is there or left out
            _refuse_nulls(each)
    rules = dict(RULES.get(kind.__name__, {}))
    schema["properties"] |= rules.pop("properties", {})
    schema |= rules
    schemas.update(own)
    return reference


def _take_nulls(schema: Schema) -> None:
    """Let every field be null, which means that it is left out; a required one must not be."""
    for name, field in schema["properties"].items():
        if name not in schema["required"]:
            alternatives = field.pop("anyOf", None) or [_without_names(field)]
            nulls = [] if {"type": "null"} in alternatives else [{"type": "null"}]
            field["anyOf"] = [*alternatives, *nulls]


def _without_names(field: Schema) -> Schema:
    """Move what a value must be out of a field's schema, and return it."""
    kept = ("title", "description", "default")
    return {key: field.pop(key) for key in list(field) if key not in kept}


def _refuse_nulls(schema: Schema) -> None:
    """Let no field be null."""
    for field in schema.get("properties", {}).values():
        alternatives = [each for each in field.get("anyOf", ()) if each != {"type": "null"}]
        if len(alternatives) == 1:
            del field["anyOf"]
            field.update(alternatives[0])
        if "default" in field and field["default"] is None:
            del field["default"]


def _told(words: Any, glue: str = ", ") -> str:
    return glue.join(f"`{word}`" for word in words)
