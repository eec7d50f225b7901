"""The operations under ``/v2``: the Open Inference Protocol with Triton's extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from deployments.http.openapi import triton_answers as answers
from deployments.http.openapi.operations import BYTES, FILE, JSON, Answer, Operation, Route

TAG = "Open Inference Protocol"
OF_MODEL, OF_VERSION = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
RETRY = ("retry-after",)

OF_EACH_MODEL: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): Operation(
        "model_metadata",
        TAG,
        "Say what a model takes and gives",
        {200: Answer("Its inputs and outputs.", {JSON: answers.ModelMetadata})},
    ),
    ("GET", "/ready"): Operation(
        "model_ready",
        TAG,
        "Say whether a model takes requests",
        {
            200: Answer("It does.", {JSON: answers.ModelReady}),
            503: Answer("It does not, and why.", {JSON: answers.ModelReady}, RETRY),
        },
        is_probe=True,
    ),
    ("GET", "/config"): Operation(
        "model_config",
        TAG,
        "Show the configuration of a model",
        {200: Answer("The configuration.", {JSON: answers.ModelConfiguration})},
    ),
    ("GET", "/stats"): Operation(
        "model_statistics",
        TAG,
        "Say what a model has done",
        {200: Answer("Its statistics.", {JSON: answers.TritonStatistics})},
        is_probe=True,
    ),
    ("POST", "/infer"): Operation(
        "infer",
        TAG,
        "Run a model",
        {
            200: Answer(
                "The outputs: JSON, or JSON with binary tensors behind it.",
                {JSON: answers.InferResponse, BYTES: FILE},
                ("inference-header-content-length", "vary"),
            )
        },
        {JSON: answers.InferRequest, BYTES: FILE},
        parameters=("Timeout", "HeaderLength"),
        errors=(415, 422),
    ),
}

_OTHERS: Mapping[Route, Operation] = {
    ("GET", "/v2"): Operation(
        "server_metadata",
        TAG,
        "Name the server and its extensions",
        {200: Answer("The server.", {JSON: answers.ServerMetadata})},
    ),
    ("GET", "/v2/health/live"): Operation(
        "server_live",
        TAG,
        "Say that the process answers",
        {200: Answer("It does.", {JSON: {"type": "object"}})},
        is_probe=True,
    ),
    ("GET", "/v2/health/ready"): Operation(
        "server_ready",
        TAG,
        "Say whether requests may be sent",
        {
            200: Answer("They may.", {JSON: answers.ModelReady}),
            503: Answer("They may not, and why.", {JSON: answers.ModelReady}, RETRY),
        },
        is_probe=True,
    ),
    ("GET", "/v2/models/stats"): Operation(
        "statistics",
        TAG,
        "Say what every model has done",
        {200: Answer("The statistics.", {JSON: answers.TritonStatistics})},
        is_probe=True,
    ),
    ("POST", "/v2/repository/index"): Operation(
        "repository_index",
        TAG,
        "List the models and their states",
        {200: Answer("The models.", {JSON: list[answers.IndexRow]})},
        {JSON: answers.IndexRequest},
        needs_body=False,
    ),
    ("POST", "/v2/repository/models/{name}/load"): Operation(
        "load_model",
        TAG,
        "Load a model, or load it with another configuration",
        {200: Answer("It is loaded.")},
        {JSON: answers.LoadRequest},
        needs_body=False,
        parameters=("ModelName",),
        errors=(404,),
    ),
    ("POST", "/v2/repository/models/{name}/unload"): Operation(
        "unload_model",
        TAG,
        "Unload a model",
        {200: Answer("It is unloaded.")},
        {JSON: answers.UnloadRequest},
        needs_body=False,
        parameters=("ModelName",),
        errors=(404,),
    ),
}


def _of_models() -> Iterator[tuple[Route, Operation]]:
    """Give each operation of a model, with and without the model's version in the path."""
    for (method, path), each in OF_EACH_MODEL.items():
        errors = (404, *each.errors)
        of_model = replace(each, parameters=("ModelName", *each.parameters), errors=errors)
        of_version = replace(
            of_model,
            id=f"{each.id}_of_version",
            parameters=("ModelName", "Version", *each.parameters),
        )
        yield (method, OF_MODEL + path), of_model
        yield (method, OF_VERSION + path), of_version


OPERATIONS: Mapping[Route, Operation] = {**_OTHERS, **dict(_of_models())}
