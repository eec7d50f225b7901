"""Jobs that translate speech, in every format of ``/v1/speech/translations``."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deployments.config.schema import Limits
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline, SpeechTranslation
from deployments.graph.plan import Plan
from deployments.graph.sentences import Sentence, placed
from deployments.graph.voice_embeddings import LITTLE_SPEECH, NO_SPEECH, HeardVoice
from deployments.http.parsing import blaming, validated
from deployments.http.v1.job_answers import answer_of
from deployments.http.v1.translations import SpeechTranslationEndpoint, SpeechTranslationFields
from deployments.jobs.kept import Figures, TranslatedPart, read, summed_context, written
from deployments.jobs.work import Answer, Done
from models.audio import decode, encode
from models.audio.encode import MEDIA_TYPES, PCM_RATE_HZ, AudioFormat
from models.audio.samples import to_int16
from models.audio.segments import Window
from models.errors import InvalidRequest
from models.types import Audio, Voiceprint

BASE64_BYTES = 3 << 18  # written at once: a multiple of 3, so that the texts joined are one
OF_A_CLIP = {LITTLE_SPEECH, NO_SPEECH}  # warnings that say nothing of the whole recording


class TranslationWork:
    """One job's translation."""

    stage = "translating"

    def __init__(
        self, values: Mapping[str, Any], owner: str, pipeline: Pipeline, limits: Limits
    ) -> None:
        self._fields = validated(SpeechTranslationFields, dict(values))
        self._pipeline = pipeline
        self._endpoint = SpeechTranslationEndpoint(pipeline, limits)

    async def check(self) -> None:
        """Refuse what the endpoint would refuse. Raises DragomanError."""
        self._fields.check()
        if self._fields.stream:
            raise InvalidRequest("stream: the result of a job comes whole", param="stream")
        self._plan()

    def _plan(self) -> Plan:
        plan = self._pipeline.planner.speech_translation(self._fields.options)
        return replace(plan, is_part=True)

    async def part(self, audio: Audio, context: Context) -> Mapping[str, bytes]:
        """Translate one part, and speak it."""
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            (answer,) = await self._pipeline.run([audio], [self._plan()], context)
        files = {"translated": written(_kept(answer, context))}
        if answer.audio is not None:
            files["sound"] = to_int16(answer.audio.samples).astype("<i2", copy=False).tobytes()
        return files

    async def whole(self, done: Done, context: Context) -> Answer:
        """Join the translations of all parts, with their speech behind one another."""
        windows = done.windows
        parts = [
            read(TranslatedPart, await done.read("translated", number))
            for number in range(len(windows))
        ]
        context = summed_context([part.figures for part in parts], done.warnings, context)
        answer = _joined(parts, windows, done.duration_s)
        self._check_translated(answer.sentences)
        if answer.heard_voice is not None:
            context.warnings.extend(answer.heard_voice.warnings)
        response = await self._endpoint.answer(done.job_id, self._fields, answer, context)
        found = answer_of(response)
        gap_s = self._pipeline.synthesiser.gap_s(self._fields.speed)
        sound = Sound.of(parts, done, gap_s)
        if not self._fields.speaks or sound is None:
            return found
        if self._fields.response_format == "json":
            audio_format: Any = self._fields.audio_format
            body = bytes(response.body)
            return replace(found, pieces=_with_sound(body, sound, audio_format))
        spoken_format: Any = self._fields.response_format
        headers = {**found.headers, "content-type": MEDIA_TYPES[spoken_format]}
        return Answer(sound.encoded(spoken_format), headers)

    def _check_translated(self, sentences: Sequence[Sentence]) -> None:
        """Refuse a recording of which no model translates anything. Raises UnsupportedPair."""
        translating = self._plan().translating
        if sentences and not any(translating.route_from(s.language) for s in sentences):
            raise translating.routes.unsupported(sentences[0].language, translating.target)


def _kept(answer: SpeechTranslation, context: Context) -> TranslatedPart:
    figures = Figures.of(context)
    figures = replace(figures, warnings=tuple(w for w in figures.warnings if w not in OF_A_CLIP))
    voice, sound = answer.heard_voice, answer.audio
    return TranslatedPart(
        language=answer.language,
        language_probability=answer.language_probability,
        sentences=tuple(replace(sentence, audio=None) for sentence in answer.sentences),
        figures=figures,
        pivot=answer.pivot,
        voice=answer.voice,
        voice_similarity=answer.voice_similarity,
        sound_samples=0 if sound is None else len(sound.samples),
        sound_rate_hz=0 if sound is None else sound.sample_rate_hz,
        embedding=None if voice is None else tuple(voice.voiceprint.embedding.tolist()),
        speech_s=0.0 if voice is None else voice.speech_s or 0.0,
    )


def _joined(
    parts: Sequence[TranslatedPart], windows: Sequence[Window], duration_s: float
) -> SpeechTranslation:
    """Join the translations of all parts, without their speech."""
    spoken_s: defaultdict[str, float] = defaultdict(float)
    probabilities: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        if part.language is not None:
            spoken_s[part.language] += part.spoken_s
            probabilities[part.language] = max(
                probabilities[part.language], part.language_probability
            )
    language = max(spoken_s, key=spoken_s.__getitem__, default=None)
    return SpeechTranslation(
        duration_s,
        language,
        0.0 if language is None else probabilities[language],
        tuple(
            placed(sentence, window)
            for part, window in zip(parts, windows, strict=True)
            for sentence in part.sentences
        ),
        voice=next((part.voice for part in parts if part.voice is not None), None),
        heard_voice=_heard_voice(parts),
        pivot=next((part.pivot for part in parts if part.pivot is not None), None),
        voice_similarity=_similarity(parts),
    )


def _heard_voice(parts: Sequence[TranslatedPart]) -> HeardVoice | None:
    """Return the mean of the parts' voices, by how much speech there is of each."""
    heard = [part for part in parts if part.embedding is not None]
    if not heard:
        return None
    weights = [max(part.speech_s, 1e-3) for part in heard]
    mean = np.average([part.embedding for part in heard], axis=0, weights=weights)
    voiceprint = Voiceprint((mean / max(np.linalg.norm(mean), 1e-9)).astype(np.float32))
    return HeardVoice(voiceprint, sum(part.speech_s for part in heard))


def _similarity(parts: Sequence[TranslatedPart]) -> float | None:
    """Return the mean of the parts' similarities, by how long somebody speaks in each."""
    told = [(part.voice_similarity, part.spoken_s) for part in parts]
    known = [(cosine, max(weight, 1e-3)) for cosine, weight in told if cosine is not None]
    if not known:
        return None
    cosines, weights = zip(*known, strict=True)
    return float(np.average(cosines, weights=weights))


@dataclass(frozen=True, slots=True)
class Sound:
    """The speech of all parts, which is read from their files while it is encoded.

    Attributes:
        numbers: of the parts that have some.
        rate_hz: of the file that is made.
        gap_s: of silence between two parts.
        samples: in all, with the silences.
    """

    done: Done
    numbers: tuple[int, ...]
    rates_hz: tuple[int, ...]
    gap_s: float
    samples: int

    @classmethod
    def of(cls, parts: Sequence[TranslatedPart], done: Done, gap_s: float) -> Sound | None:
        """Return the speech of parts; None: there is none."""
        numbers = tuple(number for number, part in enumerate(parts) if part.sound_samples)
        if not numbers:
            return None
        rates_hz = tuple(parts[number].sound_rate_hz for number in numbers)
        gaps = (len(numbers) - 1) * round(gap_s * rates_hz[0])
        samples = sum(parts[number].sound_samples for number in numbers) + gaps
        return cls(done, numbers, rates_hz, gap_s, samples)

    @property
    def rate_hz(self) -> int:
        return self.rates_hz[0]

    def encoded(self, audio_format: AudioFormat) -> Iterator[bytes]:
        """Yield a file of it in pieces; this blocks."""
        length = self.samples if audio_format == "wav" else None
        encoder = encode.encoder(audio_format, self.rate_hz, length=length)
        for audio in self._pieces():
            if data := encoder.add(audio):
                yield data
        yield encoder.finish()

    def _pieces(self) -> Iterator[Audio]:
        for place, (number, rate_hz) in enumerate(zip(self.numbers, self.rates_hz, strict=True)):
            samples = np.frombuffer(self.done.read_now("sound", number), "<i2").astype(np.int16)
            audio = Audio(samples, rate_hz)
            audio = decode.after_silence(audio, self.gap_s) if place else audio
            for start in range(0, len(audio.samples), rate_hz):
                yield Audio(audio.samples[start : start + rate_hz], rate_hz)


def _with_sound(body: bytes, sound: Sound, audio_format: AudioFormat) -> Iterator[bytes]:
    """Yield an answer in JSON with its audio, which never is in memory as a whole."""
    answer = json.loads(body)
    del answer["audio"]
    yield json.dumps(answer, ensure_ascii=False).encode()[:-1] + b', "audio": {"data": "'
    left = b""
    for piece in sound.encoded(audio_format):
        left += piece
        whole = len(left) // BASE64_BYTES * BASE64_BYTES
        if whole:
            yield base64.b64encode(left[:whole])
            left = left[whole:]
    facts = {
        "format": audio_format,
        "sample_rate_hz": PCM_RATE_HZ if audio_format == "pcm" else sound.rate_hz,
        "duration_s": round(sound.samples / sound.rate_hz, 3),
    }
    yield base64.b64encode(left) + b'", ' + json.dumps(facts).encode()[1:] + b"}"
