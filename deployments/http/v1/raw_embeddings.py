"""``POST /v1/audio/embeddings`` with raw samples: the shortest way there is.

A live client sends them many times a second, so their way has no request object, no form, no
codec thread and no JSON of samples; a short clip goes to the model's batcher at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from deployments.batching.queue import Outcome
from deployments.catalogue.model import Model
from deployments.config.schema import Limits
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Embedding
from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.media_types import PcmFormat, pcm_format
from deployments.http.parsing import (
    PRIORITY_HEADER,
    TIMEOUT_HEADER,
    body,
    deadline_of,
    priority_of,
    timed,
    warnings_json,
)
from deployments.http.v1.embedding_answers import VECTOR, as_json, float32, header, wants_vector
from deployments.telemetry import tracing, usage
from models.audio import decode
from models.types import SAMPLE_RATE_HZ, Audio, SpeakerItem, Voiceprint

BYTES_A_SAMPLE = 2  # int16
LISTEN_FROM_S = 2.0  # a shorter clip is a live client's, who knows that somebody speaks
MAX_INLINE_BYTES = 1 << 20  # 33 s: few enough to check and copy on the event loop
TIMEOUT, PRIORITY = TIMEOUT_HEADER.encode(), PRIORITY_HEADER.encode()


class RawEmbedding:
    """Embeds one clip of raw samples over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    async def __call__(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer one clip of int16 samples with its vector: as float32, or in JSON."""
        deadline = deadline_of(scope, header(headers, TIMEOUT), self._limits)
        priority = priority_of(header(headers, PRIORITY))
        samples_format = pcm_format(header(headers, b"content-type") or "")
        data = await body(receive)
        rate_hz, channels = samples_format.rate_hz, samples_format.channels
        decode.check_pcm16(len(data), rate_hz, channels, self._limits.max_audio_s)
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
            more = [pair for pair in more if pair[0] != b"content-length"]
        if wants_vector(headers):
            content_type, answer = VECTOR, float32(voice.voiceprint.embedding)
        else:
            rows = as_json(plan.speaker.name, [clip], [voice])
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


def _server_timing(outcome: Outcome[Voiceprint]) -> bytes:
    """Write the header of a request that is one item."""
    total_ms = (outcome.waited_s + outcome.execution_s) * 1000
    return b'speaker;dur=%.1f;desc="queue %.1f ms, batch %d"' % (
        total_ms,
        outcome.waited_s * 1000,
        outcome.batch_size,
    )
