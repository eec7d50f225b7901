"""Jobs that write down what is said, in every format of ``/v1/audio/transcriptions``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.responses import JSONResponse, Response

from deployments.graph.bounds import check_text_length
from deployments.graph.context import Context
from deployments.graph.diarisation import Diarising, HeardVoices
from deployments.graph.plan import Hearing, TranscribeOptions
from deployments.graph.transcripts import in_recording, joined
from deployments.http.parsing import blaming, naming_ignored, timed, validated
from deployments.http.v1.diarized import FORMAT, Diarized, Spoken
from deployments.http.v1.job_parts import Parts, answer_of
from deployments.http.v1.transcriptions import TranscriptionEndpoint, TranscriptionFields
from deployments.jobs.kept import Figures, HeardPart, heard_part, summed_context, written
from deployments.jobs.work import Answer, Done
from models.errors import InvalidRequest
from models.types import Audio, SpeechSpan, Transcript


class TranscriptionWork:
    """One job's transcript."""

    stage = "transcribing"

    def __init__(self, values: Mapping[str, Any], owner: str, parts: Parts) -> None:
        self._fields = validated(TranscriptionFields, dict(values))
        self._pipeline, self._limits = parts.pipeline, parts.limits
        self._glossaries = parts.glossaries
        self._endpoint = TranscriptionEndpoint(parts.pipeline, parts.limits, parts.glossaries)
        self._diarized = Diarized(parts.pipeline)

    async def check(self) -> None:
        """Refuse what the endpoint would refuse. Raises DragomanError."""
        fields = self._fields
        fields.check()
        if fields.stream:
            raise InvalidRequest("stream: the result of a job comes whole", param="stream")
        if fields.prompt is not None:
            check_text_length(len(fields.prompt), self._limits, param="prompt")
        if fields.response_format == FORMAT:
            await self._diarising()
        else:
            await self._hearing()

    async def look(self, source: io.RawIOBase, context: Context) -> None:
        """Take any recording."""

    async def _options(self) -> TranscribeOptions:
        glossary = await self._glossaries.find({}, self._fields.glossary)
        return replace(self._fields.options, glossary=glossary)

    async def _hearing(self) -> Hearing:
        asr = self._pipeline.planner.model("asr", self._fields.model)
        options = await self._options()
        with blaming("language", self._fields.language_field):
            return self._pipeline.planner.transcription(options, asr)

    async def _diarising(self) -> Diarising:
        asr = self._pipeline.planner.model("asr", self._fields.model)
        options = await self._options()
        with blaming("language", self._fields.language_field):
            return self._diarized.plan(options, asr)

    async def part(self, audio: Audio, context: Context) -> Mapping[str, bytes]:
        """Write down one part, and embed its voices where the speakers are told apart."""
        if self._fields.response_format != FORMAT:
            plan = await self._hearing()
            heard = await self._pipeline.transcriber.transcribe(audio, plan, context)
            return {"heard": written(HeardPart(heard, Figures.of(context)))}
        heard, voices = await self._diarized.hear(audio, await self._diarising(), context)
        figures = Figures.of(context)
        part = HeardPart(heard, figures, voices.speech, voices.pieces, voices.narrow)
        return {"heard": written(part), "voices": voices.embeddings.astype("<f4").tobytes()}

    async def whole(self, done: Done, context: Context) -> Answer:
        """Join the transcripts of all parts."""
        windows = done.windows
        parts = [heard_part(await done.read("heard", n)) for n in range(len(windows))]
        figures = [part.figures for part in parts]
        context = summed_context(figures, done.warnings, context)
        options = self._fields.options
        heard = [in_recording(p.transcript, at) for p, at in zip(parts, windows, strict=True)]
        transcript = joined(heard, options.language, options.written_in)
        if self._fields.response_format == FORMAT:
            answer = await self._by_speaker(transcript, parts, done, context)
        else:
            duration_s = done.duration_s
            answer = await self._endpoint.answer(self._fields, transcript, duration_s, context)
        return answer_of(answer)

    async def _by_speaker(
        self, transcript: Transcript, parts: Sequence[HeardPart], done: Done, context: Context
    ) -> Response:
        rows = [await done.read("voices", number) for number in range(len(parts))]
        voices = _voices(parts, rows, done.starts_s)
        known = self._fields.known_speaker_names, self._fields.known_speaker_references
        plan = await self._diarising()
        found = await self._diarized.told(transcript, voices, plan, *known, context)
        answer = JSONResponse(Spoken(found, done.duration_s).body(context))
        return timed(naming_ignored(answer, self._fields), context)


def _voices(
    parts: Sequence[HeardPart], rows: Sequence[bytes], starts_s: Sequence[float]
) -> HeardVoices:
    """Join the voices of all parts. The band is that of most of the speech."""

    def later(spans: Sequence[SpeechSpan], by_s: float) -> list[SpeechSpan]:
        return [replace(s, start_s=s.start_s + by_s, end_s=s.end_s + by_s) for s in spans]

    placed = list(zip(parts, starts_s, strict=True))
    pieces = tuple(span for part, at in placed for span in later(part.pieces, at))
    speech = tuple(span for part, at in placed for span in later(part.speech, at))
    values = np.concatenate([np.frombuffer(row, "<f4") for row in rows])
    embeddings = values.reshape(len(pieces), -1) if pieces else np.empty((0, 1), np.float32)
    narrow = sum(len(part.pieces) for part in parts if part.narrow)
    return HeardVoices(speech, pieces, embeddings.astype(np.float32), 2 * narrow > len(pieces) > 0)
