"""Traces of the whole application on fakes: which spans a request leaves, and what joins them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from deployments.batching.queue import Outcome
from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.timings import Timings
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.telemetry import tracing
from deployments.telemetry.log import JsonFormatter, logger
from models.errors import ConfigError, Unavailable
from tests.support.bad_input import EMBED, TEXT, TEXT_OK, TRANSLATE, form, wav
from tests.support.local import fake_config, fake_fleet, fake_remotes

SPEECH = wav(np.full(16_000, 700, np.int16))
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = (f"00-{TRACE_ID}-{PARENT_ID}-{flags}" for flags in ("01", "00"))
MODELS = ("vad", "asr", "nmt", "tts")


class Spans:
    """The spans of the requests so far; asked once, because it ends the tracing."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        tracing.shut_down()
        return self._exporter.get_finished_spans()

    def split(self) -> tuple[ReadableSpan, list[ReadableSpan]]:
        """The one request's span, and those under it."""
        spans = self.all()
        (root,) = (span for span in spans if span.kind is SpanKind.SERVER)
        return root, [span for span in spans if span is not root]


def trace_all(ratio: float = 1.0) -> Spans:
    exporter = InMemorySpanExporter()
    tracing.set_up(None, ratio, exporter=exporter)
    return Spans(exporter)


@pytest.fixture(autouse=True)
def off_afterwards() -> Iterator[None]:
    yield
    tracing.shut_down()


@pytest.fixture
def spans() -> Spans:
    return trace_all()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config()
    async with connect(await fake_fleet(config), config) as client:
        yield client


def connect(fleet: Fleet, config: AppConfig, max_requests: int = 64) -> httpx.AsyncClient:
    app = asgi_app(fleet, config, Admission(max_requests))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def fleet_whose_speaker(infer: Any) -> tuple[Fleet, AppConfig]:
    """A fleet with one model that answers by ``infer``."""
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["speaker"].infer = infer  # type: ignore[method-assign]
    fleet = await fake_fleet(config, remotes)
    return fleet, config


async def refuses(items: Sequence[Any]) -> Any:
    raise Unavailable("no replica answers")


async def breaks(items: Sequence[Any]) -> Any:
    raise ValueError("the secret of a library")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> SpanContext:
    context: SpanContext | None = span.get_span_context()
    assert context is not None
    return context


# ---- a request's spans -----------------------------------------------------------------


async def test_a_request_has_a_span(http: httpx.AsyncClient, spans: Spans) -> None:
    answer = await http.post(TRANSLATE, **form(SPEECH))
    root, _ = spans.split()
    assert (root.name, root.parent) == (f"POST {TRANSLATE}", None)
    assert attributes(root) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": TRANSLATE,
        "url.path": TRANSLATE,
        "dragoman.request_id": answer.headers["x-request-id"],
    }


async def test_each_item_of_a_stage_has_a_span(http: httpx.AsyncClient, spans: Spans) -> None:
    answer = (await http.post(TRANSLATE, **form(SPEECH))).json()
    _, below = spans.split()
    items = {stage["stage"]: stage["items"] or 1 for stage in answer["timings"]["stages"]}
    names = [span.name for span in below]
    assert items["nmt"] == 2  # sentences, side by side
    assert {name: names.count(name) for name in names} == items


async def test_the_spans_of_stages_are_the_request_s_children(
    http: httpx.AsyncClient, spans: Spans
) -> None:
    await http.post(TRANSLATE, **form(SPEECH))
    root, below = spans.split()
    assert [span.parent for span in below] == [ids(root)] * len(below)


async def test_an_item_s_span_tells_its_model_and_batch(
    http: httpx.AsyncClient, spans: Spans
) -> None:
    await http.post(TRANSLATE, **form(SPEECH))
    _, below = spans.split()
    sizes = {
        (attributes(span)["dragoman.model"], attributes(span)["dragoman.batch_size"])
        for span in below
        if span.name in MODELS
    }
    assert sizes == {("vad", 1), ("asr", 1), ("nmt", 2), ("tts", 2)}


async def test_requests_side_by_side_share_batches_but_no_spans(
    http: httpx.AsyncClient, spans: Spans
) -> None:
    await asyncio.gather(*(http.post(TEXT, json=TEXT_OK) for _ in range(2)))
    roots = {ids(s).span_id: s for s in spans.all() if s.kind is SpanKind.SERVER}
    items = [span for span in spans.all() if span.name == "nmt"]
    assert {attributes(span)["dragoman.batch_size"] for span in items} == {2}
    assert {span.parent and span.parent.span_id for span in items} == set(roots)
    assert len({ids(root).trace_id for root in roots.values()}) == 2


def test_an_item_s_span_tells_its_times(spans: Spans) -> None:
    with within_a_request(), Timings().stage("asr", "whisper") as outcomes:
        outcomes.append(Outcome("text", queue_s=0.25, execution_s=0.5, batch_size=3))
    _, (item,) = spans.split()
    assert attributes(item) == {
        "dragoman.model": "whisper",
        "dragoman.batch_size": 3,
        "dragoman.queue_ms": 250.0,
        "dragoman.execution_ms": 500.0,
    }


def test_an_item_can_be_recorded_after_the_fact(spans: Spans) -> None:
    started_s = time.perf_counter() - 2.0
    with within_a_request():
        outcome = Outcome(None, queue_s=0.5, execution_s=1.5, batch_size=4)
        tracing.record_item("speaker", "ge2e", outcome, started_s)
    root, (item,) = spans.split()
    assert (item.name, item.parent) == ("speaker", ids(root))
    assert attributes(item)["dragoman.batch_size"] == 4
    assert item.start_time is not None
    assert item.end_time is not None
    assert item.end_time - item.start_time >= 2e9


def within_a_request() -> Any:
    scope = {"method": "POST", "path": EMBED, "headers": []}
    return tracing.request(scope, "id", lambda message: asyncio.sleep(0))


async def test_a_path_s_parameters_are_not_in_the_name(
    http: httpx.AsyncClient, spans: Spans
) -> None:
    await http.get("/v1/models/asr")
    root, _ = spans.split()
    assert root.name == "GET /v1/models/{name:path}"
    assert attributes(root)["url.path"] == "/v1/models/asr"


async def test_a_caller_s_inventions_are_no_names(http: httpx.AsyncClient, spans: Spans) -> None:
    await http.request("BREW", "/" + "x" * 5000, headers={"x-request-id": "y" * 5000})
    root, _ = spans.split()
    assert (root.name, attributes(root)["http.request.method"]) == ("HTTP", "_OTHER")
    assert max(len(str(value)) for value in attributes(root).values()) <= 1024


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_what_watches_the_server_is_not_traced(
    http: httpx.AsyncClient, spans: Spans, path: str
) -> None:
    await http.get(path)
    assert spans.all() == ()


# ---- errors ----------------------------------------------------------------------------


async def test_a_caller_s_mistake_is_no_error_of_the_server(
    http: httpx.AsyncClient, spans: Spans
) -> None:
    await http.get("/v1/nothing")
    root, _ = spans.split()
    assert attributes(root)["http.response.status_code"] == 404
    assert attributes(root)["error.type"] == "not_found"
    assert root.status.status_code is StatusCode.UNSET


async def test_a_refusal_is_an_error(spans: Spans) -> None:
    config = fake_config()
    async with connect(await fake_fleet(config), config, max_requests=0) as http:
        await http.post(TEXT, json=TEXT_OK)
    root, _ = spans.split()
    assert attributes(root)["http.response.status_code"] == 503
    assert root.status.status_code is StatusCode.ERROR


async def test_what_nobody_foresaw_is_recorded_with_its_traceback(spans: Spans) -> None:
    async with connect(*await fleet_whose_speaker(breaks)) as http:
        answer = await http.post(EMBED, files={"file": SPEECH})
    root, below = spans.split()
    assert answer.status_code == 500
    (failed,) = (span for span in below if span.name == "speaker")
    for span in (root, failed):
        assert span.status.status_code is StatusCode.ERROR
        (event,) = span.events
        assert "the secret of a library" in str((event.attributes or {})["exception.stacktrace"])


async def test_an_item_whose_caller_left_is_cancelled_and_no_error(spans: Spans) -> None:
    running = asyncio.Event()

    async def hangs(items: Sequence[Any]) -> Any:
        running.set()
        await asyncio.get_running_loop().create_future()

    async with connect(*await fleet_whose_speaker(hangs)) as http:
        request = asyncio.create_task(http.post(EMBED, files={"file": SPEECH}))
        await running.wait()
        request.cancel()
        await asyncio.wait([request])
    root, below = spans.split()
    for span in (root, *(span for span in below if span.name == "speaker")):
        assert attributes(span)["error.type"] == "cancelled"
        assert span.status.status_code is StatusCode.UNSET


# ---- one trace from caller to log ------------------------------------------------------


async def test_a_caller_s_trace_is_continued(http: httpx.AsyncClient, spans: Spans) -> None:
    await http.post(TEXT, json=TEXT_OK, headers={"traceparent": SAMPLED, "tracestate": "a=b"})
    root, below = spans.split()
    assert root.parent is not None
    assert trace.format_span_id(root.parent.span_id) == PARENT_ID
    assert {trace.format_trace_id(ids(span).trace_id) for span in (root, *below)} == {TRACE_ID}
    assert ids(root).trace_state.get("a") == "b"


@pytest.mark.parametrize(
    "traceparent",
    ["", "00-xyz-1-01", f"00-{'0' * 32}-{PARENT_ID}-01", f"ff-{TRACE_ID}-{PARENT_ID}-01"],
    ids=["empty", "malformed", "no trace", "forbidden version"],
)
async def test_a_trace_that_is_none_is_begun_anew(
    http: httpx.AsyncClient, spans: Spans, traceparent: str
) -> None:
    await http.post(TEXT, json=TEXT_OK, headers={"traceparent": traceparent})
    root, _ = spans.split()
    assert root.parent is None


async def test_lines_of_the_log_are_joined_with_their_request_and_span(spans: Spans) -> None:
    async with connect(*await fleet_whose_speaker(refuses)) as http:
        with lines() as written:  # the likeness to the speaker's voice cannot be had
            answer = await http.post(TRANSLATE, **form(SPEECH, voice="source"))
    root, _ = spans.split()
    assert {line["request_id"] for line in written} == {answer.headers["x-request-id"]}
    assert {line["trace_id"] for line in written} == {trace.format_trace_id(ids(root).trace_id)}
    assert {line["span_id"] for line in written} == {trace.format_span_id(ids(root).span_id)}


async def test_lines_of_the_log_have_their_request_without_traces(
    http: httpx.AsyncClient,
) -> None:
    async with connect(*await fleet_whose_speaker(refuses)) as http:
        with lines() as written:
            answer = await http.post(TRANSLATE, **form(SPEECH, voice="source"))
    assert {line["request_id"] for line in written} == {answer.headers["x-request-id"]}
    assert not any("trace_id" in line for line in written)


class lines:  # noqa: N801
    """The lines that are written to the log in JSON; at least one."""

    def __enter__(self) -> list[dict[str, Any]]:
        self._stream, self._read = io.StringIO(), []  # type: ignore[var-annotated]
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(JsonFormatter())
        logger.addHandler(self._handler)
        return self._read

    def __exit__(self, *error: object) -> None:
        logger.removeHandler(self._handler)
        self._read.extend(map(json.loads, self._stream.getvalue().splitlines()))
        assert self._read


# ---- how many, and none ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "traceparent", "traced"),
    [
        pytest.param(0.0, None, False, id="none"),
        pytest.param(1.0, None, True, id="all"),
        pytest.param(0.0, SAMPLED, True, id="the caller wants it"),
        pytest.param(1.0, NOT_SAMPLED, False, id="the caller does not"),
    ],
)
async def test_a_share_of_the_requests_is_traced(
    http: httpx.AsyncClient, ratio: float, traceparent: str | None, traced: bool
) -> None:
    spans = trace_all(ratio)
    headers = {} if traceparent is None else {"traceparent": traceparent}
    await http.post(TEXT, json=TEXT_OK, headers=headers)
    assert bool(spans.all()) is traced


async def test_off_leaves_no_spans(http: httpx.AsyncClient, spans: Spans) -> None:
    tracing.set_up(None)
    await http.post(TEXT, json=TEXT_OK)
    assert not tracing.is_on()
    assert spans.all() == ()


def test_serve_s_own_tracing_is_left_alone(spans: Spans) -> None:
    assert tracing.is_on()
    with within_a_request():
        assert trace.get_current_span() is trace.INVALID_SPAN


# ---- the real exporter -----------------------------------------------------------------


class Collector(BaseHTTPRequestHandler):
    """A collector of traces (OTLP over HTTP), for one request."""

    received: ExportTraceServiceRequest

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert (self.path, self.headers["content-type"]) == (
            "/v1/traces",
            "application/x-protobuf",
        )
        type(self).received = ExportTraceServiceRequest.FromString(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *values: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    """The endpoint of a collector."""
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_collector_gets_the_spans(http: httpx.AsyncClient, collector: str) -> None:
    tracing.set_up(collector)
    answer = await http.post(TEXT, json=TEXT_OK)
    await asyncio.to_thread(tracing.shut_down)
    (resource,) = Collector.received.resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "dragoman"
    found = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert set(found) == {"nmt", f"POST {TEXT}"}
    assert found["nmt"].parent_span_id == found[f"POST {TEXT}"].span_id
    given = {a.key: a.value.string_value for a in found[f"POST {TEXT}"].attributes}
    assert given["dragoman.request_id"] == answer.headers["x-request-id"]


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "FLUSH_S", 0.05)
    released, ended = Event(), Event()

    class Hangs(InMemorySpanExporter):
        def export(self, spans: Any) -> Any:
            released.wait()
            ended.set()
            return super().export(spans)

    tracing.set_up(None, exporter=Hangs())
    with within_a_request():
        pass
    tracing.shut_down()
    assert not ended.is_set()
    released.set()
    assert ended.wait(60)


@pytest.mark.parametrize("call", [tracing.set_up, tracing.check], ids=["set_up", "check"])
def test_without_the_exporter_the_message_names_the_extra(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"observability\.trace_endpoint.*\[tracing\]"):
        call("http://127.0.0.1:4318/v1/traces")


def test_without_an_endpoint_no_exporter_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    tracing.check(None)
    tracing.set_up(None)
    assert not tracing.is_on()
