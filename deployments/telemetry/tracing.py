"""Trace requests (OpenTelemetry): a span for each, and under it one for each item of a stage.

Until ``set_up`` has run, every call here only looks at ``_tracer``. The provider is Dragoman's
own, because the process-wide one belongs to Serve, which traces its own calls.
"""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope, Send

from deployments.batching.queue import Outcome
from deployments.telemetry.log import printable, request_ids
from models.errors import CallerError, ConfigError, DragomanError, is_fault

METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}
OTHER_METHOD = "_OTHER"  # the convention for methods that a caller invents
LEFT = (CancelledError, ClientDisconnect, GeneratorExit)  # the caller has left
MAX_ATTRIBUTE_CHARS = 1024  # of a path, which is the caller's
EXPORT_S = 5.0  # for sending one batch of spans, with its repetitions
FLUSH_S = 5.0  # at the end, for spans that were not sent yet

Note = Callable[[int], None]

_W3C = TraceContextTextMapPropagator()
_NOBODY = Context()  # not the ambient one, which is Serve's

_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_span: ContextVar[Span | None] = ContextVar("span", default=None)  # of the current request


def set_up(
    endpoint: str | None,
    ratio: float = 1.0,
    service_name: str = "dragoman",
    *,
    exporter: SpanExporter | None = None,
) -> None:
    """Start to trace in this process; a second call changes the endpoint.

    Args:
        endpoint: OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``; None: no traces.
        ratio: the share of requests that are traced; a caller's own decision, in
            ``traceparent``, comes first.
        service_name: the name that the spans are found by.
        exporter: used instead of the one to ``endpoint``.

    Raises:
        ConfigError: the extra ``tracing`` is not installed.
    """
    global _provider, _tracer
    shut_down()
    if endpoint is not None and exporter is None:
        exporter = _otlp(endpoint)
    if exporter is None:
        return
    _provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        resource=Resource.create({"service.name": service_name}),
        shutdown_on_exit=False,  # it would wait for a collector that has gone
        span_limits=SpanLimits(max_span_attribute_length=MAX_ATTRIBUTE_CHARS),
    )
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer(__name__)


def shut_down() -> None:
    """Stop to trace; block for ``FLUSH_S`` at most to send what was not sent yet."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        flush = threading.Thread(target=provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_S)


def check(endpoint: str | None) -> None:
    """Check before the start that spans can be sent.

    Raises:
        ConfigError: the extra ``tracing`` is not installed.
    """
    if endpoint is not None:
        _otlp(endpoint).shutdown()


def is_on() -> bool:
    """Tell whether requests are traced."""
    return _tracer is not None


@contextmanager
def request(scope: Scope, request_id: str, send: Send) -> Iterator[Send]:
    """Trace one request in a span that continues its ``traceparent``.

    Yields:
        ``send``, wrapped to note the answer's status.
    """
    if _tracer is None:
        yield send
        return
    known = scope["method"] in METHODS
    headers = Headers(scope=scope)
    span = _tracer.start_span(
        scope["method"] if known else "HTTP",
        _W3C.extract({name: headers.getlist(name) for name in _W3C.fields}, _NOBODY),
        SpanKind.SERVER,
        {
            "http.request.method": scope["method"] if known else OTHER_METHOD,
            "url.path": scope["path"],
            "dragoman.request_id": printable(request_id),
        },
    )

    async def noting(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            span.set_attribute("http.response.status_code", message["status"])
            if message["status"] >= 500:
                span.set_status(StatusCode.ERROR)
        await send(message)

    with _within(span):
        try:
            yield noting
        finally:
            route = getattr(scope.get("route"), "path", None)  # once the router has seen it
            if known and route is not None:
                span.set_attribute("http.route", route)
                span.update_name(f"{scope['method']} {route}")


@contextmanager
def call(method: str, headers: Mapping[str, str], request_id: str) -> Iterator[Note]:
    """Trace one call over gRPC in a span that continues its ``traceparent``.

    Args:
        method: with its service, such as ``inference.GRPCInferenceService/ModelInfer``.
        headers: of the call's metadata.
        request_id: of the call.

    Yields:
        A function that notes the number of the status that it ends with.
    """
    if _tracer is None:
        yield _not_noted
        return
    service, _, name = method.partition("/")
    span = _tracer.start_span(
        method,
        _W3C.extract({name: [headers[name]] for name in _W3C.fields if name in headers}, _NOBODY),
        SpanKind.SERVER,
        {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": name,
            "dragoman.request_id": printable(request_id),
        },
    )
    with _within(span):
        yield lambda status: span.set_attribute("rpc.grpc.status_code", status)


def _not_noted(status: int) -> None:
    pass


@contextmanager
def stage(name: str, model: str | None, outcomes: Sequence[Outcome[Any]]) -> Iterator[None]:
    """Trace one item of a stage, or work without a model, in the current request.

    Args:
        name: of the stage.
        model: the one that the item goes to.
        outcomes: holds the item's outcome at the end, if it has one.
    """
    parent = _span.get()
    if _tracer is None or parent is None:
        yield
        return
    span = _tracer.start_span(name, set_span_in_context(parent, _NOBODY))
    with _within(span):
        try:
            yield
        finally:
            _describe(span, model, outcomes[-1] if outcomes else None)


def record_item(name: str, model: str, outcome: Outcome[Any], started_s: float) -> None:
    """Trace one item that has ended, as ``stage`` does, without a context manager.

    Args:
        name: of the stage.
        model: the one that the item went to.
        outcome: the item's.
        started_s: on ``time.perf_counter``; it ends now.
    """
    if _tracer is None or (parent := _span.get()) is None:
        return
    now_ns, took_s = time.time_ns(), time.perf_counter() - started_s
    started_ns = now_ns - round(took_s * 1e9)
    span = _tracer.start_span(name, set_span_in_context(parent, _NOBODY), start_time=started_ns)
    _describe(span, model, outcome)
    span.end(now_ns)


def failed(error: Exception, cause: Exception) -> None:
    """Note the error that ends the current request, and what led to it."""
    span = _span.get()
    if span is not None:
        _blame(span, error, cause)


@contextmanager
def _within(span: Span) -> Iterator[None]:
    """Make a span the current one, for spans and for log lines, and end it."""
    ids = span.get_span_context()
    outer, outer_ids = _span.get(), request_ids.get()
    trace_id, span_id = format_trace_id(ids.trace_id), format_span_id(ids.span_id)
    _span.set(span)
    request_ids.set({**outer_ids, "trace_id": trace_id, "span_id": span_id})
    try:
        yield
    except BaseException as error:
        _blame(span, error, error)
        raise
    finally:
        _span.set(outer)
        request_ids.set(outer_ids)
        span.end()


def _describe(span: Span, model: str | None, outcome: Outcome[Any] | None) -> None:
    if model is not None:
        span.set_attribute("dragoman.model", model)
    if outcome is not None:
        span.set_attribute("dragoman.batch_size", outcome.batch_size)
        span.set_attribute("dragoman.queue_ms", round(outcome.queue_s * 1000, 3))
        span.set_attribute("dragoman.execution_ms", round(outcome.execution_s * 1000, 3))


def _blame(span: Span, error: BaseException, cause: BaseException) -> None:
    """Mark an error that the caller cannot mend; record the traceback of an unforeseen one."""
    if isinstance(error, LEFT):
        kind, can_be_mended, is_foreseen = "cancelled", True, True
    elif isinstance(error, DragomanError):
        kind, can_be_mended = error.code, isinstance(error, CallerError)
        is_foreseen = not is_fault(error)
    else:
        kind, can_be_mended, is_foreseen = type(error).__qualname__, False, False
    span.set_attribute("error.type", kind)
    if not can_be_mended:
        span.set_status(StatusCode.ERROR)
    if not is_foreseen:
        span.record_exception(cause)


def _otlp(endpoint: str) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        message = "it needs the extra tracing: pip install -e '.[tracing]'"
        raise ConfigError(f"observability.trace_endpoint: {message} ({error})") from error
    return OTLPSpanExporter(endpoint, timeout=EXPORT_S)
