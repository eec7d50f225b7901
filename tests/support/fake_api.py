"""A Dragoman server behind httpx's transport: the API's answers, and what was asked."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
import pytest

from dragoman_client import AsyncClient, Client, Retry, Timeout

Json: TypeAlias = dict[str, Any]
Answer: TypeAlias = httpx.Response | Exception

WAV = b"RIFF\x00\xff\r\n\r\n\x80 not quite a wave file"

STAGE: Json = {
    "stage": "asr",
    "model": "whisper",
    "ms": 182.04,
    "queue_ms": 3,
    "execution_ms": 178.5,
    "items": 1,
    "batch_size": 4,
}
VAD: Json = {
    "stage": "vad",
    "model": None,
    "ms": 9.8,
    "queue_ms": 0,
    "execution_ms": 0,
    "items": 1,
    "batch_size": 0,
}
TIMINGS: Json = {"total_ms": 195.5, "stages": [VAD, STAGE]}

SPEECH: Json = {
    "id": "tr-1",
    "duration_s": 2.5,
    "transcript": {"text": "Good day.", "language": "en", "language_probability": 0.981},
    "translation": {"text": "Olá, São João.", "language": "pt"},
    "segments": [
        {
            "id": 0,
            "start_s": 0.1,
            "end_s": 2,
            "text": "Good day.",
            "translation": "Olá, São João.",
        }
    ],
    "voice": "pt-kumo",
    "audio": {
        "data": base64.b64encode(WAV).decode(),
        "format": "wav",
        "sample_rate_hz": 24000,
        "duration_s": 1.25,
    },
    "timings": TIMINGS,
}
SILENCE: Json = {
    **SPEECH,
    "transcript": {"text": "", "language": None, "language_probability": 0},
    "translation": {"text": "", "language": "pt"},
    "segments": [],
    "audio": None,
}
SPOKEN_HEADERS = {
    "content-type": "audio/wav",
    "x-transcript": "UTF-8''Good%20day.",
    "x-translation": "UTF-8''Ol%C3%A1%2C%20S%C3%A3o%20Jo%C3%A3o.",
    "x-source-language": "en",
    "x-target-language": "pt",
    "x-voice": "pt-kumo",
    "server-timing": "asr;dur=182.04, tts;dur=240",
}
TRANSCRIPTION: Json = {
    "task": "transcribe",
    "language": "en",
    "duration": 2.5,
    "text": "Good day.",
    "segments": [
        {
            "id": 0,
            "seek": 0,
            "start": 0.1,
            "end": 2,
            "text": "Good day.",
            "tokens": [1, 2],
            "temperature": 0,
            "avg_logprob": -0.2,
            "compression_ratio": 0.9,
            "no_speech_prob": 0.01,
        }
    ],
    "words": [
        {"word": " Good", "start": 0.1, "end": 0.5},
        {"word": " day.", "start": 0.5, "end": 2},
    ],
}
MODEL: Json = {
    "id": "asr",
    "object": "model",
    "created": 0,
    "owned_by": "dragoman",
    "kind": "asr",
    "engine": "faster_whisper",
    "weights": "package:whisper-base",
    "licence": "MIT",
    "commercial_use": True,
    "sends_to": None,
    "languages": ["en", "pt"],
    "pairs": [["en", "pt"]],
    "voices": [],
    "embedding_size": None,
    "replicas": 2,
    "device": {
        "requested": "auto",
        "actual": "cpu",
        "reason": "no driver\nwas found",
        "library": "ctranslate2",
        "precision": "int8",
        "threads": 2,
        "gpu_name": None,
        "memory_bytes": None,
        "load_s": 1.5,
    },
    "statistics": {
        "items": 10,
        "batches": 4,
        "mean_batch_size": 2.5,
        "failures": 0,
        "busy_s": 3.5,
    },
}
DIAGNOSIS: Json = {
    "hostname": "host",
    "status": "failed",
    "verdict": "1 failed, the first at driver: none",
    "findings": [
        {"check": "driver", "status": "failed", "found": "none", "fix": "install it"},
        {"check": "torch", "status": "ok", "found": "2.13.0", "fix": None},
    ],
}
VOICE: Json = {
    "id": "pt-kumo",
    "language": "pt",
    "engine": "kokoro",
    "model": "tts-pt",
    "sample_rate_hz": 24000,
}


JOB: Json = {
    "id": "job_0123456789abcdef01234567",
    "object": "job",
    "kind": "translation",
    "status": "queued",
    "progress": {"stage": "waiting", "done_s": 0, "total_s": None},
    "created_at": 1_764_500_000,
    "expires_at": 1_765_100_000,
    "error": None,
    "filename": "hello.wav",
}


def comparisons(*cosines: float, threshold: float | None = 0.75) -> Json:
    """One clip beside others, whose cosines these are, in their order; nearest first."""
    order = sorted(range(len(cosines)), key=lambda index: -cosines[index])
    rows = [
        {
            "index": 0,
            "compare_index": index,
            "rank": rank,
            "cosine": cosines[index],
            "same_speaker": None if threshold is None else cosines[index] >= threshold,
            "threshold": threshold,
            "speech_s": 1.5,
        }
        for rank, index in enumerate(order, start=1)
    ]
    data = [{"object": "embedding", "index": 0, "duration_s": 2, "speech_s": 1.5}]
    answer = {"object": "list", "model": "speaker", "data": data, "timings": TIMINGS}
    return {**answer, "threshold": None, "comparisons": rows}


def embeddings(*vectors: list[float]) -> Json:
    rows = [
        {
            "object": "embedding",
            "index": index,
            "embedding": vector,
            "duration_s": 2,
            "speech_s": 1.5,
        }
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "model": "ge2e", "data": rows, "timings": TIMINGS}


def texts(*translated: str) -> Json:
    rows = [{"text": text, "source_language": "en", "target_language": "pt"} for text in translated]
    return {"translations": rows, "timings": TIMINGS}


def ok(body: Json) -> httpx.Response:
    return httpx.Response(200, json=body, headers={"x-request-id": "from-server"})


def refusal(
    status: int,
    code: str,
    message: str = "no",
    *,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    error = {"message": message, "type": "server_error", "param": param, "code": code}
    return httpx.Response(status, json={"error": error}, headers=headers)


@dataclass
class FakeServer:
    """Gives its answers in turn, the last one again and again; an exception is raised."""

    answers: list[Answer]
    requests: list[httpx.Request] = field(default_factory=list)
    timeouts: list[dict[str, float | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        self.timeouts.append(dict(request.extensions.get("timeout", {})))
        self.headers.append(dict(request.headers))
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def json(self) -> Json:
        """The body of the last request."""
        body: Json = json.loads(self.requests[-1].content)
        return body

    def form(self) -> list[tuple[str, str | None, bytes]]:
        """The parts of the last request's form: name, file name, content."""
        request = self.requests[-1]
        head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + request.content, policy=email.policy.HTTP)
        parts = []
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            assert isinstance(name, str)
            assert isinstance(content, bytes)
            parts.append((name, part.get_filename(), content))
        return parts

    def fields(self) -> dict[str, str]:
        """The fields of the last request's form that are no files."""
        return {name: content.decode() for name, file, content in self.form() if file is None}


def serving(*answers: Answer) -> FakeServer:
    return FakeServer(list(answers))


# ---- both colours of the client --------------------------------------------------------

# Asks a server by a method's name, with whatever arguments.
Ask: TypeAlias = Callable[..., Awaitable[Any]]
ONCE = Retry(attempts=1)


async def ask_sync(
    server: FakeServer,
    method: str,
    *args: Any,
    within: Timeout | float | None = 60,
    retry: Retry = ONCE,
    **kwargs: Any,
) -> Any:
    with Client(timeout=within, retry=retry, transport=server.transport) as client:
        return getattr(client, method)(*args, **kwargs)


async def ask_async(
    server: FakeServer,
    method: str,
    *args: Any,
    within: Timeout | float | None = 60,
    retry: Retry = ONCE,
    **kwargs: Any,
) -> Any:
    async with AsyncClient(timeout=within, retry=retry, transport=server.transport) as client:
        return await getattr(client, method)(*args, **kwargs)


COLOURS = [pytest.param(ask_sync, id="sync"), pytest.param(ask_async, id="async")]
