"""``POST /v1/audio/embeddings``: the voices of clips in a form, compared with others or not.

A form may name clips to compare with: one verifies a speaker, among many one is searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deployments.batching.concurrency import all_of
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.failed_requests import Meant
from deployments.http.media_types import is_pcm
from deployments.http.parsing import (
    Fields,
    blaming,
    context_of,
    form_parts,
    timed,
    warnings_json,
)
from deployments.http.v1 import comparison
from deployments.http.v1.embedding_answers import VECTOR, as_json, float32, header, wants_vector
from deployments.http.v1.raw_embeddings import RawEmbedding
from models.errors import InvalidRequest
from models.types import Audio

CLIP_FIELDS = ("file", "compare")


class EmbeddingFields(Fields):
    model: str | None = None
    include_embedding: bool = True
    # With clips to compare with:
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None  # cosine of one speaker
    top_k: Annotated[int, Field(ge=1)] | None = None  # nearest clips; None: all


class EmbeddingEndpoint:
    """Embeds clips over one pipeline; a bare ASGI application, as raw samples need no more."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._limits = limits
        self._raw = RawEmbedding(pipeline, limits)

    def route(self) -> Route:
        """Return the endpoint's path."""
        return Route("/v1/audio/embeddings", self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer raw samples or a form, as the body's media type says."""
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        headers: dict[bytes, bytes] = dict(scope["headers"])
        with Meant(self._fleet, "speaker") as meant:
            if is_pcm(header(headers, b"content-type") or ""):
                await self._raw(scope, headers, receive, send)
                return
            response = await self._form(Request(scope, receive), headers, meant)
        await response(scope, receive, send)

    async def _form(
        self, request: Request, headers: Mapping[bytes, bytes], meant: Meant
    ) -> Response:
        """Answer clips of any format, compared or not; each of them is an item of its own."""
        context = context_of(request, self._limits)
        fields, parts = await form_parts(
            request, EmbeddingFields, CLIP_FIELDS, max_files=self._limits.max_clips
        )
        files, others = parts
        bare = wants_vector(headers)
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
            return timed(Response(float32(vectors), media_type=VECTOR.decode()), context)
        count = len(files)
        answer = as_json(
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
