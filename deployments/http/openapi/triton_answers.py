"""The JSON under ``/v2``, as types: the Open Inference Protocol with Triton's extensions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BF16",
    "BYTES",
]


class Parameters(BaseModel):
    """Parameters of a request, an input or an output."""

    model_config = ConfigDict(extra="allow")

    priority: int | None = Field(None, ge=0)
    timeout: int | None = Field(None, ge=0, description="in microseconds, while it waits")
    binary_data_output: bool | None = None
    binary_data_size: int | None = Field(None, ge=0)
    binary_data: bool | None = None
    shared_memory_region: str | None = Field(None, description="the name of a registered region")
    shared_memory_byte_size: int | None = Field(None, ge=0)
    shared_memory_offset: int | None = Field(None, ge=0, description="from the region's begin")


class InputTensor(BaseModel):
    """One input: its values in ``data``, in bytes behind the JSON, or in shared memory."""

    name: str = Field(min_length=1, max_length=128)
    datatype: Datatype
    shape: list[int] = Field(max_length=16)
    data: list[Any] | None = None
    parameters: Parameters | None = None


class AskedOutput(BaseModel):
    """One output that is asked for."""

    name: str = Field(min_length=1, max_length=128)
    parameters: Parameters | None = None


class InferRequest(BaseModel):
    """The inputs of a model. ``GET /v2/models/{name}`` says what it takes."""

    id: str | None = None
    inputs: list[InputTensor]
    outputs: list[AskedOutput] | None = None
    parameters: Parameters | None = None


class OutputTensor(BaseModel):
    """One output: its values in ``data``, in bytes behind the JSON, or in shared memory."""

    name: str
    datatype: Datatype
    shape: list[int]
    data: list[Any] | None = None
    parameters: Parameters | None = None


class InferResponse(BaseModel):
    """The outputs of a model."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class ServerMetadata(BaseModel):
    """The server and its extensions of the protocol."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output; -1 is any length, and the first one counts the rows."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """The inputs and outputs that a model has."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """The readiness of a model, or of the server."""

    name: str | None = None
    ready: bool
    refusing: str | None = None


class ModelConfiguration(BaseModel):
    """Triton's model configuration, as far as it has a meaning here."""

    model_config = ConfigDict(extra="allow")

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


class Duration(BaseModel):
    """A count, and the time of all together."""

    count: int
    ns: int


class InferStatistics(BaseModel):
    """The counts and times of a model's requests."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStatistics(BaseModel):
    """The counts and times of batches of one size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatisticsRow(BaseModel):
    """The work of one model."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferStatistics
    response_stats: dict[str, Any]
    batch_stats: list[BatchStatistics]
    memory_usage: list[Any]


class TritonStatistics(BaseModel):
    """The work of each model."""

    model_stats: list[ModelStatisticsRow]


class IndexRequest(BaseModel):
    """A choice of models to list."""

    ready: bool | None = Field(None, description="true: only those that are ready")


class IndexRow(BaseModel):
    """One model."""

    name: str
    version: str
    state: str
    reason: str


class LoadParameters(BaseModel):
    """The configuration that a model is loaded with."""

    model_config = ConfigDict(extra="forbid")

    config: str | None = Field(None, description="Triton's model configuration, as JSON text")


class LoadRequest(BaseModel):
    """A request to load a model."""

    parameters: LoadParameters | None = None


class UnloadParameters(BaseModel):
    """A choice of what else is unloaded."""

    model_config = ConfigDict(extra="forbid")

    unload_dependents: bool | None = None


class UnloadRequest(BaseModel):
    """A request to unload a model."""

    parameters: UnloadParameters | None = None
