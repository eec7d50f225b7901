"""The inputs and outputs of a model over the Open Inference Protocol, and the check of requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from deployments.inference.tensors import InferRequest, Tensor
from models.errors import InvalidRequest


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; ``dims`` are without the rows, -1 is any length."""

    name: str
    datatype: str
    dims: tuple[int, ...]
    optional: bool = False
    also: tuple[str, ...] = ()  # further datatypes that are accepted


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a model; each has the rows as its first dimension."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    is_finite: bool = True  # whether inputs may hold neither NaN nor infinity

    @cached_property
    def input_of(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def output_names(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self.outputs)

    @cached_property
    def required(self) -> tuple[TensorSpec, ...]:
        return tuple(spec for spec in self.inputs if not spec.optional)

    @cached_property
    def required_names(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self.required)

    @property
    def raw_input(self) -> TensorSpec | None:
        """Return the input that a body without JSON is; None if more than one is required."""
        return self.required[0] if len(self.required) == 1 else None


def check(request: InferRequest, model: str, signature: Signature, max_batch_size: int) -> int:
    """Return the number of rows of a request.

    Raises:
        InvalidRequest: it does not fit the signature, in Triton's words where it has some.
    """
    for output in request.outputs or ():
        if output.name not in signature.output_names:
            message = f"unexpected inference output '{output.name}' for model '{model}'"
            message += f"; it has {', '.join([each.name for each in signature.outputs])}"
            raise InvalidRequest(message, param=output.name)
    for name in request.inputs:
        if name not in signature.input_of:
            message = f"unexpected inference input '{name}' for model '{model}'"
            message += f"; it has {', '.join(signature.input_of)}"
            raise InvalidRequest(message, param=name)
    if not signature.required_names <= request.inputs.keys():
        raise InvalidRequest(_missing(request, model, signature), param="inputs")
    for name, tensor in request.inputs.items():
        _check_tensor(tensor, model, signature.input_of[name], is_finite=signature.is_finite)
    rows = _rows(request.inputs.values(), model)
    if rows > max_batch_size:
        message = f"inference request batch-size must be <= {max_batch_size} for '{model}'"
        raise InvalidRequest(message, param="inputs")
    return rows


def _missing(request: InferRequest, model: str, signature: Signature) -> str:
    required, total, got = len(signature.required), len(signature.inputs), len(request.inputs)
    wanted = (
        f"expected {total} inputs"
        if required == total
        else f"expected number of inputs between {required} and {total}"
    )
    missing = [spec.name for spec in signature.required if spec.name not in request.inputs]
    return (
        f"{wanted} but got {got} inputs for model '{model}'. Got input(s) "
        f"{_quoted(sorted(request.inputs))}, but missing required input(s) {_quoted(missing)}. "
        "Please provide all required input(s)."
    )


def _check_tensor(tensor: Tensor, model: str, spec: TensorSpec, *, is_finite: bool) -> None:
    name, array = spec.name, tensor.array
    if tensor.datatype != spec.datatype and tensor.datatype not in spec.also:
        message = (
            f"inference input '{name}' data-type is '{tensor.datatype}', "
            f"but model '{model}' expects '{spec.datatype}'"
        )
        raise InvalidRequest(message, param=name)
    dims = array.shape[1:]
    fits = array.ndim == len(spec.dims) + 1 and all(
        wanted in (-1, got) for wanted, got in zip(spec.dims, dims, strict=True)
    )
    if not fits:
        message = (
            f"unexpected shape for input '{name}' for model '{model}'. "
            f"Expected {_listed((-1, *spec.dims))}, got {_listed(array.shape)}"
        )
        raise InvalidRequest(message, param=name)
    if is_finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        message = f"input '{name}' for model '{model}' must be finite, got NaN or infinity"
        raise InvalidRequest(message, param=name)


def _rows(tensors: Iterable[Tensor], model: str) -> int:
    """Return the first dimension of all tensors, which they must share."""
    rows: int | None = None
    for tensor in tensors:
        got = tensor.array.shape[0]
        if rows is not None and got != rows:
            message = (
                f"input '{tensor.name}' batch size does not match other inputs for '{model}': "
                f"expected {rows}, got {got}"
            )
            raise InvalidRequest(message, param=tensor.name)
        rows = got
    if not rows:
        message = f"inference request batch-size must be >= 1 for '{model}'"
        raise InvalidRequest(message, param="inputs")
    return rows


def metadata(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    """List tensors as a model's metadata has them: with the rows, -1, before the dims."""
    return [
        {"name": spec.name, "datatype": spec.datatype, "shape": [-1, *spec.dims]} for spec in specs
    ]


def config(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    """List tensors as a model's configuration has them: without the rows."""
    return [
        {
            "name": spec.name,
            "data_type": f"TYPE_{'STRING' if spec.datatype == 'BYTES' else spec.datatype}",
            "dims": list(spec.dims),
            **({"optional": True} if spec.optional else {}),
        }
        for spec in specs
    ]


def _quoted(names: Sequence[str]) -> str:
    return "[" + ",".join(f"'{name}'" for name in names) + "]"


def _listed(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
