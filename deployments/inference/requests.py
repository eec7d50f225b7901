"""What a checked request asks of the scheduler and of its model, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.graph.context import Context
from deployments.inference.kinds.base import Wanted
from deployments.inference.tensors import InferRequest
from models.errors import InvalidRequest

US = 1e-6
MAX_TIMEOUT_US = 1 << 62


def context_of(parameters: Mapping[str, Any], deadline: float) -> Context:
    """Return what goes with a request through every stage.

    Raises:
        InvalidRequest: its priority or its timeout is no whole number.
    """
    return Context(
        deadline,
        priority=_whole(parameters, "priority"),
        queue_timeout_s=_whole(parameters, "timeout") * US or None,
    )


def wanted_of(request: InferRequest) -> Wanted:
    """Return which outputs a request asks for."""
    if request.outputs is None:
        return lambda name: True
    return {output.name for output in request.outputs}.__contains__


def _whole(parameters: Mapping[str, Any], name: str) -> int:
    """Read a parameter that is a whole number from 0, which is its default."""
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TIMEOUT_US:
        message = f"parameter '{name}' must be a whole number from 0"
        raise InvalidRequest(message, param=name)
    return value
