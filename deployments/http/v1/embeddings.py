"""Speaker embeddings: of files in a form, or of raw samples on the shortest way there is.

A form may name clips to compare with: one verifies a speaker, among many one is searched.

Raw samples are what a live client sends many times a second, so their way has no request
object, no form, no codec thread and no JSON of samples.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deployments.batching.concurrency import all_of
from deployments.batching.queue import Outcome
from deployments.catalogue.selection import Model
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Embedding
from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.failed_requests import Meant
from deployments.http.media_types import PcmFormat, is_pcm, pcm_format, preferred
from deployments.http.parsing import (
    PRIORITY_HEADER,
    TIMEOUT_HEADER,
    Fields,
    blaming,
    body,
    context_of,
    deadline_of,
    form_parts,
    priority_of,
    timed,
    warnings_json,
)
from deployments.http.v1 import comparison
from deployments.telemetry import tracing, usage
from models.audio import decode
from models.errors import InvalidRequest
from models.types import SAMPLE_RATE_HZ, Audio, SpeakerItem, Voiceprint

BYTES_A_SAMPLE = 2  # int16
LISTEN_FROM_S = 2.0  # of raw samples; a shorter clip is a live client's, who knows that one speaks
MAX_INLINE_BYTES = 1 << 20  # 33 s: few enough to check and copy on the event loop
CLIP_FIELDS = ("file", "compare")
VECTOR = b"application/octet-stream"  # what a client accepts that wants bare float32
ANSWERS = ("application/json", VECTOR.decode())


class EmbeddingFields(Fields):
    model: str | None = None
    include_embedding: bool = True
    # With clips to compare with:
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None  # cosine of one speaker
    top_k: Annotated[int, Field(ge=1)] | None = None  # nearest clips; None: all


class EmbeddingEndpoint:
    """An ASGI application for one path."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._limits = limits

    def route(self) -> Route:
        return Route("/v1/audio/embeddings", self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        headers: dict[bytes, bytes] = dict(scope["headers"])
        with Meant(self._fleet, "speaker") as meant:
            if is_pcm(_text(headers, "content-type") or ""):
                await self._raw(scope, headers, receive, send)
                return
            response = await self._form(Request(scope, receive), headers, meant)
        await response(scope, receive, send)

    async def _raw(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer one clip of int16 samples with its vector: as float32, or in JSON."""
        deadline = deadline_of(scope, _text(headers, TIMEOUT_HEADER), self._limits)
        priority = priority_of(_text(headers, PRIORITY_HEADER))
        samples_format = pcm_format(_text(headers, "content-type") or "")
        data = await body(receive)
        plan = self._plan(len(data), samples_format)
        clip = await self._clip(data, samples_format, deadline)
        del data  # the body is not kept
        usage.heard(clip.duration_s)
        more: list[tuple[bytes, bytes]]
        if plan.vad is None:
            outcome = await self._at_once(clip, plan.speaker, deadline, priority)
            voice = HeardVoice(outcome.result)
            more = [(b"server-timing", _server_timing(outcome))]
        else:
            context = Context(deadline, priority)
            voice = await self._pipeline.voices.embed(clip, plan, context)
            more = timed(Response(), context).raw_headers
            more = [header for header in more if header[0] != b"content-length"]
        if _wants_vector(headers):
            content_type, answer = VECTOR, _float32(voice.voiceprint.embedding)
        else:
            rows = _body_of(plan.speaker.name, [clip], [voice])
            rows["warnings"] = warnings_json(voice.warnings)
            content_type, answer = b"application/json", bytes(JSONResponse(rows).body)
        start = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(answer)),
            *more,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": answer})

    def _plan(self, size_bytes: int, samples_format: PcmFormat) -> Embedding:
        """Plan the embedding of raw samples, of their speech alone where the clip is long."""
        planner = self._pipeline.planner
        bytes_a_second = BYTES_A_SAMPLE * samples_format.channels * samples_format.rate_hz
        listens = size_bytes >= LISTEN_FROM_S * bytes_a_second
        return planner.embedding(planner.model("speaker"), listens=listens)

    async def _at_once(
        self, clip: Audio, model: Model, deadline: float, priority: int
    ) -> Outcome[Voiceprint]:
        """Embed a clip as it is."""
        item, started_s = SpeakerItem(clip.samples), time.perf_counter()
        outcome: Outcome[Voiceprint] = await model.batcher.submit(
            item, deadline=deadline, priority=priority
        )
        tracing.record_item("speaker", model.name, outcome, started_s)
        return outcome

    async def _clip(self, data: bytes, samples_format: PcmFormat, deadline: float) -> Audio:
        limit_s = self._limits.max_audio_s
        rate_hz, channels = samples_format.rate_hz, samples_format.channels
        is_ready = rate_hz == SAMPLE_RATE_HZ and channels == 1
        if is_ready and len(data) <= MAX_INLINE_BYTES:
            return decode.pcm16(data, rate_hz, max_duration_s=limit_s)
        steps = decode.pcm16_steps(data, rate_hz, channels, max_duration_s=limit_s)
        return await self._pipeline.codecs.run(steps, deadline)

    async def _form(
        self, request: Request, headers: Mapping[bytes, bytes], meant: Meant
    ) -> Response:
        """Answer clips of any format, compared or not; each of them is an item of its own."""
        context = context_of(request, self._limits)
        fields, parts = await form_parts(
            request, EmbeddingFields, CLIP_FIELDS, max_files=self._limits.max_clips
        )
        files, others = parts
        bare = _wants_vector(headers)
        _check_comparing(fields, compares=bool(others), bare=bare)
        speaker = self._pipeline.planner.model("speaker", fields.model)
        meant.name = speaker.name
        plan = self._pipeline.planner.embedding(speaker)
        admit(plan.models, context)
        named = _named(files, others)
        clips = await self._decoded(named, context)

        async def one(name: str, clip: Audio) -> HeardVoice:
            with blaming(CLIP_FIELDS[0], name):
                return await self._pipeline.voices.embed(clip, plan, context)

        voices = await all_of(map(one, (name for name, _ in named), clips))
        if bare:
            vectors = np.concatenate([voice.voiceprint.embedding for voice in voices])
            return timed(Response(_float32(vectors), media_type=VECTOR.decode()), context)
        count = len(files)
        answer = _body_of(
            speaker.name, clips[:count], voices[:count], vectors=fields.include_embedding
        )
        if others:
            found = comparison.compare(
                voices[:count],
                voices[count:],
                engine=speaker.spec.engine,
                threshold=fields.threshold,
                top_k=fields.top_k,
            )
            answer |= comparison.as_json(found, fields.threshold)
        answer["warnings"] = warnings_json(list(dict.fromkeys(context.warnings)))
        return timed(JSONResponse({**answer, "timings": context.timings.as_json()}), context)

    async def _decoded(self, named: list[tuple[str, bytes]], context: Context) -> list[Audio]:
        """Decode all clips, which together have a limit."""
        clips, left_s = [], self._limits.max_audio_s
        for name, data in named:
            with blaming(CLIP_FIELDS[0], name):
                clip = await self._pipeline.files.decode(data, context, max_duration_s=left_s)
            clips.append(clip)
            left_s -= clip.duration_s
        return clips


def _named(files: list[bytes], others: list[bytes]) -> list[tuple[str, bytes]]:
    """List all clips of a form, each with the field that it stood in."""
    return [
        (name, data)
        for name, parts in zip(CLIP_FIELDS, (files, others), strict=True)
        for data in parts
    ]


def _check_comparing(fields: EmbeddingFields, *, compares: bool, bare: bool) -> None:
    """Refuse what says something only with clips to compare with, or only without."""
    if compares and bare:
        message = f"{VECTOR.decode()} holds vectors alone: compare answers with JSON"
        raise InvalidRequest(message, param="accept")
    if compares:
        return
    for name in ("threshold", "top_k"):
        if getattr(fields, name) is not None:
            message = f"{name} needs clips to compare with, in the field compare"
            raise InvalidRequest(message, param=name)
    if not fields.include_embedding:
        message = "include_embedding: false leaves no answer without clips to compare with"
        raise InvalidRequest(message, param="include_embedding")


def _body_of(
    model: str, clips: list[Audio], voices: list[HeardVoice], *, vectors: bool = True
) -> dict[str, Any]:
    rows: list[dict[str, object]] = [
        {
            "object": "embedding",
            "index": index,
            **({"embedding": voice.voiceprint.embedding.tolist()} if vectors else {}),
            "duration_s": round(clip.duration_s, 3),
            "speech_s": voice.rounded_speech_s,
        }
        for index, (clip, voice) in enumerate(zip(clips, voices, strict=True))
    ]
    return {"object": "list", "model": model, "data": rows}


def _float32(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f4", copy=False).tobytes()


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.encode())
    return None if value is None else value.decode("latin-1")


def _wants_vector(headers: Mapping[bytes, bytes]) -> bool:
    return preferred(_text(headers, "accept"), ANSWERS) != ANSWERS[0]


def _server_timing(outcome: Outcome[Voiceprint]) -> bytes:
    total_ms = (outcome.waited_s + outcome.execution_s) * 1000
    return b'speaker;dur=%.1f;desc="queue %.1f ms, batch %d"' % (
        total_ms,
        outcome.waited_s * 1000,
        outcome.batch_size,
    )
