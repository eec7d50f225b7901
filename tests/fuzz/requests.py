"""What is sent: forms, JSON and tensors, to the whole application on fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import httpx
from hypothesis import strategies as st

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.inference.tensors import HEADER_LENGTH
from tests.fuzz.mutations import LEAVES, rearranged, spoilt
from tests.support.bad_input import EMBED, SPEAK, TEXT, TRANSCRIBE, TRANSLATE, speech_file
from tests.support.local import fake_config, fake_fleet
from tests.support.malformed_oip.valid import valid_draft

BOUNDARY = b"dragoman-boundary"
FIELDS = {  # of a good form
    TRANSLATE: {"target_language": "pt", "response_format": "json"},
    TRANSCRIBE: {"model": "asr", "response_format": "verbose_json", "temperature": "0"},
    EMBED: {},
}
DOCUMENTS: dict[str, Any] = {
    TEXT: {"text": ["Hello.", "One two."], "source_language": "en", "target_language": "pt"},
    SPEAK: {"input": "Olá.", "voice": "fake-pt", "model": "tts", "response_format": "wav"},
    "/v2/repository/models/vad/load": {
        "parameters": {"config": json.dumps({"max_batch_size": 3, "parameters": {}})}
    },
    "/v2/repository/index": {"ready": True},
    "/v2/trace/setting": {"trace_level": ["OFF"]},
}
RAW = {
    EMBED: "audio/pcm; rate=16000; channels=1",
    TEXT: "application/json; charset=latin-1",
    TRANSLATE: "multipart/form-data",
}


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


# ---- what is sent ------------------------------------------------------------------------


def form(
    fields: Mapping[str, str], file: bytes, name: str = "file", filename: str = "a.wav"
) -> bytes:
    """A form of some fields, and a file under a name of its own."""
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (BOUNDARY, field.encode(), value.encode())
        for field, value in fields.items()
    ]
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n' % (
        *(BOUNDARY, name.encode(), filename.encode()),
    )
    return b"".join([*parts, head, b"\r\n", file, b"\r\n--", BOUNDARY, b"--\r\n"])


@cache
def _forms(path: str) -> tuple[bytes, ...]:
    good = form(FIELDS[path], speech_file())
    return good, good, good, form(FIELDS[path], b"RIFF")


@st.composite
def forms(draw: st.DrawFn) -> Sent:
    boundary = draw(st.sampled_from([BOUNDARY.decode()] * 7 + ["", '"', "other", "x" * 300]))
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    path = draw(st.sampled_from(sorted(FIELDS)))
    return Sent(path, draw(spoilt(_forms(path))), headers)


@st.composite
def documents(draw: st.DrawFn) -> Sent:
    """JSON, of an endpoint that takes it; whatever it is called in one of eight."""
    path = draw(st.sampled_from(sorted(DOCUMENTS)))
    if draw(st.integers(0, 7)):
        body = json.dumps(draw(rearranged([DOCUMENTS[path]]))).encode()
    else:
        body = draw(spoilt([json.dumps(DOCUMENTS[path]).encode()]))
    kind = "application/json"
    if not draw(st.integers(0, 7)):
        path, kind = draw(st.sampled_from(sorted(RAW.items())))
    return Sent(path, body, {"content-type": kind})


@st.composite
def json_tensors(draw: st.DrawFn) -> Sent:
    draft = valid_draft(Random(draw(st.integers(0, 999))), binary=False)
    document = draw(rearranged([draft.document]))
    return Sent(draft.path, json.dumps(document).encode(), {"content-type": "application/json"})


@st.composite
def binary_tensors(draw: st.DrawFn) -> Sent:
    draft = valid_draft(Random(draw(st.integers(0, 999))), binary=True)
    head, blobs = draft.head(), b"".join(draft.blobs)
    if draw(st.booleans()):
        head = json.dumps(draw(rearranged([draft.document]))).encode()
        body = head + draw(spoilt([blobs]))
    else:
        body = draw(spoilt([head + blobs]))
    length = draw(st.one_of(st.just(len(head)), st.just(len(head)), st.integers(-1, 2 * len(body))))
    odd = draw(st.one_of(st.none(), st.none(), st.sampled_from(("", "1e3", "0x10", "٣", "+7"))))
    return Sent(draft.path, body, {HEADER_LENGTH: str(length) if odd is None else odd})


@st.composite
def headers(draw: st.DrawFn) -> Sent:
    """A good request with odd headers and an odd query."""
    values = st.one_of(
        LEAVES.map(str), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
    )
    names = ("x-timeout-ms", "x-priority", "accept", "content-encoding", "accept-encoding")
    named = draw(st.dictionaries(st.sampled_from((*names, "x-request-id", "traceparent")), values))
    sent = {
        name: value.encode("utf-8", "replace").decode("latin-1").replace("\0", "")
        for name, value in named.items()
        if value.isprintable()
    }
    path = draw(st.sampled_from((TEXT, f"{TEXT}?a=%00", "/v2/models/nmt/infer", "/v1/models/%ff")))
    body = json.dumps(DOCUMENTS[TEXT]).encode()
    return Sent(path, body, {"content-type": "application/json", **sent})


# ---- sending -----------------------------------------------------------------------------


class Application:
    """The application on fakes, on an event loop of its own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._connected())

    async def _connected(self) -> httpx.AsyncClient:
        config = fake_config(max_audio_s=60)
        app = asgi_app(await fake_fleet(config), config, Admission(64))
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def send(self, sent: Sent) -> int:
        """The status of the answer, which was read to its end."""

        async def post() -> int:
            request = self._client.build_request(
                sent.method, sent.path, content=sent.body, headers=_encoded(sent.headers)
            )
            return (await self._client.send(request)).status_code

        return self._runner.run(post())


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers.items()]


@cache
def application() -> Application:
    """One for all that is sent by this process."""
    return Application()


def post(sent: Sent) -> bool:
    """Whether it was answered with a result; else with a 4xx, or for a deadline that it set."""
    status = application().send(sent)
    is_late = status in (503, 504) and "x-timeout-ms" in sent.headers
    assert status < 500 or is_late, f"{status} of {sent.path}"
    return status < 400
