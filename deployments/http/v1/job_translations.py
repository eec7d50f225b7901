"""Jobs that translate speech, in every format of ``/v1/speech/translations``, films among them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, cast

from deployments.graph.context import Context
from deployments.graph.dubbing import Dubber
from deployments.graph.pipeline import SpeechTranslation
from deployments.graph.plan import Plan
from deployments.graph.sentences import Sentence
from deployments.http.parsing import blaming, validated
from deployments.http.synthetic import SYNTHETIC_HEADER
from deployments.http.v1.job_joining import joined, kept
from deployments.http.v1.job_parts import Parts, answer_of
from deployments.http.v1.job_sound import Sound
from deployments.http.v1.subtitles import cues_of
from deployments.http.v1.text_headers import text_headers
from deployments.http.v1.translations import SpeechTranslationEndpoint, SpeechTranslationFields
from deployments.jobs.kept import summed_context, translated_part, written
from deployments.jobs.work import Answer, Done
from models.audio.decode import resample_steps
from models.audio.dubbing import BACKGROUND_RATE_HZ
from models.audio.encode import MEDIA_TYPES
from models.audio.film import MEDIA_TYPES as FILMS
from models.audio.film import Dub
from models.audio.marks import synthetic_tags
from models.audio.samples import to_int16
from models.audio.subtitles import doubts
from models.errors import InvalidRequest
from models.types import Audio

COPY_BYTES = 1 << 20


class TranslationWork:
    """One job's translation."""

    stage = "translating"

    def __init__(self, values: Mapping[str, Any], owner: str, parts: Parts) -> None:
        self._fields = validated(SpeechTranslationFields, dict(values))
        self._owner, self._pipeline = owner, parts.pipeline
        self._own, self._glossaries = parts.own, parts.glossaries
        self._endpoint = SpeechTranslationEndpoint(
            parts.pipeline, parts.limits, parts.own, parts.glossaries
        )

    async def check(self) -> None:
        """Refuse what the endpoint would refuse. Raises DragomanError."""
        self._fields.check()
        if self._fields.stream:
            raise InvalidRequest("stream: the result of a job comes whole", param="stream")
        await self._plan()

    async def look(self, source: io.RawIOBase, context: Context) -> None:
        """Refuse a film that cannot be written."""
        if self._fields.film is not None:
            film = cast(BinaryIO, source)
            await Dubber(self._pipeline.codecs).check_film(film, self._fields.film, context)

    async def _plan(self) -> Plan:
        voice = await self._own.of(self._owner, self._fields.voice)
        glossary = await self._glossaries.find({}, self._fields.glossary)
        options = replace(self._fields.options(voice), glossary=glossary)
        return replace(self._pipeline.planner.speech_translation(options), is_part=True)

    async def part(self, audio: Audio, context: Context) -> Mapping[str, bytes]:
        """Translate one part, and speak it."""
        plan = await self._plan()
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            (answer,) = await self._pipeline.run([audio], [plan], context)
        if self._fields.fits and answer.audio is not None and len(answer.audio.samples):
            background = await self._background(audio, context)
            answer = await Dubber(self._pipeline.codecs).fitted(answer, background, context)
        files = {"translated": written(kept(answer, context))}
        if answer.audio is not None:
            files["sound"] = to_int16(answer.audio.samples).astype("<i2", copy=False).tobytes()
        return files

    async def _background(self, audio: Audio, context: Context) -> Audio | None:
        """Return what is under the voice, as the recogniser hears it; None: silence.

        The rate of a background is that of the speech above it, which is better than the
        recogniser's.
        """
        if self._fields.background != "duck":
            return None
        steps = resample_steps(audio, BACKGROUND_RATE_HZ)
        return await self._pipeline.codecs.run(steps, context.deadline, context.caller)

    async def whole(self, done: Done, context: Context) -> Answer:
        """Join the translations of all parts, with their speech behind one another."""
        windows = done.windows
        parts = [
            translated_part(await done.read("translated", number)) for number in range(len(windows))
        ]
        context = summed_context([part.figures for part in parts], done.warnings, context)
        answer = joined(parts, windows, done.duration_s)
        await self._check_translated(answer.sentences)
        if answer.heard_voice is not None:
            context.warnings.extend(answer.heard_voice.warnings)
        gap_s = None if self._fields.fits else self._pipeline.synthesiser.gap_s(self._fields.speed)
        sound = Sound.of(parts, done, gap_s) if self._fields.speaks else None
        if self._fields.film is not None:
            return await self._film(answer, sound, done, context)
        response = await self._endpoint.answer(done.job_id, self._fields, answer, context)
        found = answer_of(response)
        if sound is None:
            return found
        headers = {**found.headers, SYNTHETIC_HEADER: "true"}
        if self._fields.response_format == "json":
            audio_format: Any = self._fields.audio_format
            pieces = sound.within(bytes(response.body), audio_format)
            return Answer(pieces, headers, found.status)
        spoken_format: Any = self._fields.response_format
        headers["content-type"] = MEDIA_TYPES[spoken_format]
        return Answer(sound.encoded(spoken_format), headers)

    async def _film(
        self, answer: SpeechTranslation, sound: Sound | None, done: Done, context: Context
    ) -> Answer:
        """Put the speech of all parts into the film, and their subtitles."""
        fields, language = self._fields, self._fields.target_language
        headers = dict(text_headers(language, answer))
        if sound is None:
            return Answer([], headers, 204)
        cues = None
        if fields.subtitles:
            cues = cues_of(answer.sentences, language, bilingual=fields.bilingual)
            context.warnings.extend(doubts(cues))
        tags = synthetic_tags(sound.voice_id)
        track = sound.pieces(), sound.rate_hz, sound.duration_s
        dub = Dub(*track, language, answer.language, cues, tags)
        assert fields.film is not None
        headers |= {"content-type": FILMS[fields.film], SYNTHETIC_HEADER: "true"}
        with await asyncio.to_thread(done.open_source) as source:
            film = cast(BinaryIO, source)
            made = await Dubber(self._pipeline.codecs).film(film, fields.film, dub, context)
        return Answer(_copied(made), headers)

    async def _check_translated(self, sentences: Sequence[Sentence]) -> None:
        """Refuse a recording of which no model translates anything. Raises UnsupportedPair."""
        translating = (await self._plan()).translating
        if sentences and not any(translating.route_from(s.language) for s in sentences):
            raise translating.routes.unsupported(sentences[0].language, translating.target)


def _copied(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces, and close it."""
    with file:
        file.seek(0)
        while piece := file.read(COPY_BYTES):
            yield piece
