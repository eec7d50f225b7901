"""Actions and refusals are logged; keys, texts and audio are not."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from deployments.config.security import Key, LoadAllow, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.security import audit
from deployments.security.keys import new_key
from deployments.telemetry import log, tracing
from deployments.telemetry.log import JsonFormatter
from tests.support.bad_input import EMBED, SPEAK, TEXT, TRANSCRIBE, TRANSLATE, form, wav
from tests.support.local import fake_config, fake_fleet

SECRET, HASH = new_key()
OPERATOR = Key(name="ops", hash=HASH, scopes=("infer", "admin", "metrics"))
MARKED_TEXT = "Zanzibar Quetzalcoatl"
MARK = np.array([31_337, -31_337, 12_345, -12_345] * 4, np.int16)  # in no other audio
MARKED_AUDIO = np.concatenate([np.full(16_000, 700, np.int16), MARK, np.zeros(8000, np.int16)])
LOAD, UNLOAD = (f"/v2/repository/models/nmt/{what}" for what in ("load", "unload"))


class Lines(logging.Handler):
    """Every record, as both formats write it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.audits: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += [
            JsonFormatter().format(record),
            logging.Formatter("%(message)s").format(record),
        ]
        if hasattr(record, "audit"):
            self.audits.append(record.audit)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The lines of every logger of this process, without those of the client."""
    handler, root = Lines(), logging.getLogger()
    monkeypatch.setattr(log.logger, "propagate", True)
    handler.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


class Spans(SpanExporter):
    """All that would be sent of the spans."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.texts += [span.to_json() for span in spans]
        return SpanExportResult.SUCCESS


async def connected(**security: Any) -> httpx.AsyncClient:
    config = fake_config().model_copy(update={"security": Security(keys=(OPERATOR,), **security)})
    transport = httpx.ASGITransport(asgi_app(await fake_fleet(config), config, Admission(8)))
    headers = {"authorization": f"Bearer {SECRET}"}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


async def test_what_callers_send_is_in_no_log_span_or_file(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spans = Spans()
    tracing.set_up(None, exporter=spans)
    speech, wrong = wav(MARKED_AUDIO), {"authorization": f"Bearer {SECRET}x"}
    async with await connected() as http:
        answers = [
            await http.post(TRANSLATE, **form(speech, target_language="pt")),
            await http.post(TRANSCRIBE, **form(speech, prompt=MARKED_TEXT)),
            await http.post(EMBED, files={"file": speech}),
            await http.post(SPEAK, json={"input": MARKED_TEXT, "voice": "fake-pt"}),
            await http.post(TEXT, json=_text(MARKED_TEXT)),
            await http.post(TEXT, json=_text(MARKED_TEXT, target_language=MARKED_TEXT)),
            await http.post(TEXT, content=MARKED_TEXT),
            await http.post(TEXT, json=_text(MARKED_TEXT), headers={"authorization": SECRET}),
            await http.get("/v1/models", headers=wrong),
            await http.get(f"/v1/models?text={MARKED_TEXT}&key={SECRET}"),
        ]
    tracing.shut_down()
    told = "\n".join([*lines.texts, *spans.texts])
    assert [answer.status_code for answer in answers] == [200] * 5 + [400, 400, 401, 401, 200]
    assert len(spans.texts) > len(answers)
    assert [word for word in (SECRET, *MARKED_TEXT.split()) if word in told] == []
    assert not any(MARK.tobytes() in path.read_bytes() for path in files_in(tmp_path))
    assert list(files_in(tmp_path)) == []


def files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _text(text: str, **fields: str) -> dict[str, str]:
    return {"text": text, "source_language": "en", "target_language": "pt", **fields}


# ---- who did what ----------------------------------------------------------------------


async def test_loads_and_unloads_are_told_with_the_key_s_name(lines: Lines) -> None:
    changes = {"max_batch_size": 3}
    async with await connected() as http:
        await http.post(UNLOAD)
        await http.post(LOAD, json={"parameters": {"config": json.dumps(changes)}})
    told = [
        {name: each[name] for name in ("event", "key", "model", "outcome")} for each in lines.audits
    ]
    assert told == [
        {"event": "unload", "key": "ops", "model": "nmt", "outcome": "done"},
        {"event": "load", "key": "ops", "model": "nmt", "outcome": "done"},
    ]
    assert json.loads(lines.audits[1]["changes"]) == changes


async def test_a_load_that_may_not_be_is_told(lines: Lines) -> None:
    config = {"parameters": {"weights": {"string_value": "path:/tmp/evil"}}}
    async with await connected(load_allow=LoadAllow(weights=("path:/srv/*",))) as http:
        answer = await http.post(LOAD, json={"parameters": {"config": json.dumps(config)}})
    assert answer.status_code == 403
    assert "security.load_allow.weights" in answer.json()["error"]
    assert [each["outcome"] for each in lines.audits] == ["load_not_allowed"]


async def test_who_is_refused_is_told_with_the_reason_and_the_route(lines: Lines) -> None:
    async with await connected() as http:
        await http.get("/v2/models/asr/config", headers={"authorization": "Bearer wrong"})
    (told,) = lines.audits
    assert told["reason"] == "invalid_api_key"
    assert (told["method"], told["path"]) == ("GET", "/v2/models/{name}/config")
    assert told["request"]


def test_a_flood_of_refusals_is_a_line_a_second(lines: Lines) -> None:
    now_s = 0.0
    refusals = audit.Refusals(lambda: now_s)
    for _ in range(1000):
        refusals.note("no_api_key", peer="10.0.0.1")
    now_s = audit.QUIET_S
    refusals.note("no_api_key", peer="10.0.0.1")
    assert [each.get("and_before") for each in lines.audits] == [None, 999]


def test_no_caller_breaks_a_line_of_the_log(lines: Lines) -> None:
    audit.note("refused", peer="a\nb\x1b[2J" + "x" * 1000)
    (told,) = lines.audits
    assert "\n" not in told["peer"]
    assert len(told["peer"]) == log.MAX_ID_CHARS
