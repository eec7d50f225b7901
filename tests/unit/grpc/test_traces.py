"""Traces of calls: a span that goes on from the caller's, with the call's status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from deployments.telemetry import tracing
from tests.support.grpc_server import Served
from tests.support.triton_grpc import bare
from tests.unit.grpc.test_access import INFER, infer_message

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.set_up(None, exporter=exporter)
    yield exporter
    tracing.shut_down()


def spans(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The call's span, and those under it."""
    tracing.shut_down()
    all_ = exporter.get_finished_spans()
    (root,) = (span for span in all_ if span.kind is SpanKind.SERVER)
    return root, [span for span in all_ if span is not root]


async def test_a_call_goes_on_from_its_caller_s_trace(
    exporter: InMemorySpanExporter, served: Served
) -> None:
    await bare(served.address, INFER, infer_message(), traceparent=PARENT, x_request_id="mine")
    root, inner = spans(exporter)
    assert root.name == INFER
    assert format(root.context.trace_id, "032x") == TRACE_ID
    assert root.attributes is not None
    assert root.attributes["rpc.grpc.status_code"] == 0
    assert root.attributes["dragoman.request_id"] == "mine"
    assert [span.name for span in inner] == ["nmt"]


async def test_a_refused_call_has_its_status(
    exporter: InMemorySpanExporter, served: Served
) -> None:
    await bare(served.address, INFER, b"\xff")
    root, _ = spans(exporter)
    assert root.attributes is not None
    assert (root.attributes["rpc.grpc.status_code"], root.attributes["error.type"]) == (
        3,
        "invalid_value",
    )
