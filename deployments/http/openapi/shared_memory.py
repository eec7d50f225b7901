"""The operations on regions of shared memory, under ``/v2``."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from deployments.http.openapi.operations import JSON, Answer, Operation, Route
from deployments.http.openapi.triton import TAG
from deployments.http.triton.shared_memory import CUDA, SYSTEM, RegionFields

OF_REGION = "/region/{name}"


class RegionRow(BaseModel):
    """A region that the caller has registered."""

    name: str
    key: str
    offset: int
    byte_size: int


class CudaRegionRow(BaseModel):
    """A region of a GPU's memory; there is none."""

    name: str
    device_id: int
    byte_size: int


_LISTED = Answer("The regions.", {JSON: list[RegionRow]})
_GONE = Answer("It is not registered, or not any more.")

OPERATIONS: Mapping[Route, Operation] = {
    ("GET", f"{SYSTEM}/status"): Operation(
        "regions", TAG, "List the caller's regions of shared memory", {200: _LISTED}
    ),
    ("GET", f"{SYSTEM}{OF_REGION}/status"): Operation(
        "region",
        TAG,
        "Show one of the caller's regions of shared memory",
        {200: _LISTED},
        parameters=("RegionName",),
        errors=(404,),
    ),
    ("POST", f"{SYSTEM}{OF_REGION}/register"): Operation(
        "register_region",
        TAG,
        "Register a region of this machine's shared memory, for inputs and outputs to lie in",
        {200: Answer("It is registered.")},
        {JSON: RegionFields},
        parameters=("RegionName",),
        description="Refused unless the server's configuration sets shared_memory.prefix.",
    ),
    ("POST", f"{SYSTEM}{OF_REGION}/unregister"): Operation(
        "unregister_region",
        TAG,
        "Forget one of the caller's regions of shared memory",
        {200: _GONE},
        parameters=("RegionName",),
    ),
    ("POST", f"{SYSTEM}/unregister"): Operation(
        "unregister_regions",
        TAG,
        "Forget all of the caller's regions of shared memory",
        {200: Answer("None is registered.")},
    ),
    ("GET", f"{CUDA}/status"): Operation(
        "cuda_regions",
        TAG,
        "List no region: memory of GPUs is not taken",
        {200: Answer("An empty list.", {JSON: list[CudaRegionRow]})},
    ),
    ("GET", f"{CUDA}{OF_REGION}/status"): Operation(
        "cuda_region",
        TAG,
        "Say that there is no such region: memory of GPUs is not taken",
        {},
        parameters=("RegionName",),
        errors=(404,),
    ),
    ("POST", f"{CUDA}{OF_REGION}/register"): Operation(
        "register_cuda_region",
        TAG,
        "Refuse a region of a GPU's memory",
        {},
        parameters=("RegionName",),
    ),
    ("POST", f"{CUDA}{OF_REGION}/unregister"): Operation(
        "unregister_cuda_region",
        TAG,
        "Answer that the region is not registered",
        {200: _GONE},
        parameters=("RegionName",),
    ),
    ("POST", f"{CUDA}/unregister"): Operation(
        "unregister_cuda_regions",
        TAG,
        "Answer that no region is registered",
        {200: Answer("None is registered.")},
    ),
}
