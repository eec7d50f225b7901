"""What is sent to be kept or handed on: voices, consents, glossaries, jobs, tokens."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from hypothesis import strategies as st

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from tests.fuzz.mutations import rearranged, spoilt
from tests.fuzz.requests import BOUNDARY, Application, Sent, form
from tests.support.jobs import JOBS, job_config
from tests.support.local import fake_fleet
from tests.support.voices import ANNA, CONSENTS, VOICES, keeping_config, speech_of

MAX_KEPT_BYTES = 1 << 26
MANY = 1_000_000  # jobs that may wait: none of them is run
GLOSSARY = {
    "name": "Médicos",
    "terms": [
        {
            "term": "SNS",
            "language": "pt",
            "translations": {"en": "NHS", "fr": "SNS"},
            "sounds": {"pt": "esse ene esse"},
            "case_sensitive": True,
        },
        {"term": "a+(b*)", "language": "en", "translations": {"pt": "<b>{\\an8}"}},
    ],
}
SECRET = {"session": {"model": "asr", "audio": {"output": {"language": "pt"}}}}
DOCUMENTS: Mapping[str, dict[str, Any]] = {
    "/v1/glossaries": GLOSSARY,
    "/v1/realtime/client_secrets": {
        "session": {"type": "transcription", "dragoman": {"name": "a"}},
        "expires_after": {"anchor": "created_at", "seconds": 600},
    },
    "/v1/realtime/translations/client_secrets": SECRET,
    "/v1/realtime/listen_tokens": {"name": "a", "page": "https://speech.example.com/"},
    "/v1/text/translations": {
        "text": ["O SNS.", "a+(b*)"],
        "source_language": "pt",
        "target_language": "en",
        "glossary": GLOSSARY,
    },
}
FORMS: Mapping[str, tuple[str, dict[str, str]]] = {  # the file's field, and the others
    CONSENTS: ("recording", {"name": "Anna", "language": "pt-BR"}),
    VOICES: ("audio_sample", {"name": "Anna", "consent": "cons_" + 24 * "0"}),
    JOBS: (
        "file",
        {"kind": "translation", "target_language": "pt", "glossary": json.dumps(GLOSSARY)},
    ),
    f"{JOBS}?": ("file", {"kind": "transcription", "response_format": "vtt", "keywords[]": "a"}),
}


@cache
def _forms(path: str) -> tuple[bytes, ...]:
    name, fields = FORMS[path]
    recording = speech_of(ANNA)
    return form(fields, recording, name), form(fields, recording, name, '../ü".wav'), form({}, b"")


@st.composite
def documents(draw: st.DrawFn) -> Sent:
    path = draw(st.sampled_from(sorted(DOCUMENTS)))
    body = json.dumps(draw(rearranged([DOCUMENTS[path]]))).encode()
    return Sent(path, body, {"content-type": "application/json"})


@st.composite
def forms(draw: st.DrawFn) -> Sent:
    path = draw(st.sampled_from(sorted(FORMS)))
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    return Sent(path, draw(spoilt(_forms(path))), {"content-type": kind})


class Keeping(Application):
    """The application on fakes, with a folder to keep things in. No job is run."""

    async def _connected(self) -> httpx.AsyncClient:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-kept-"))
        config = job_config(folder, keeping_config(), max_waiting=MANY)
        store = Store(folder, Sealing(None), MAX_KEPT_BYTES)
        app = asgi_app(await fake_fleet(config), config, Admission(64), store=store)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@cache
def application() -> Keeping:
    """One for all that is sent by this process."""
    return Keeping()


def post(sent: Sent) -> bool:
    """Whether it was taken; else it is refused with a 4xx, and what is kept is shown as before."""
    status = application().send(sent)
    assert status < 500, f"{status} of {sent.path}"
    if status < 400 and sent.path.partition("?")[0] in LISTED:
        listed = application().send(Sent(sent.path, b"", {}, "GET"))
        assert listed == 200, f"{listed} of the list at {sent.path}"
    return status < 400


LISTED = (CONSENTS, VOICES, JOBS, "/v1/glossaries")
