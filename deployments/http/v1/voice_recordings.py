"""Hear what somebody recorded to get a voice of their own: is it speech, of one, and whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.diarisation import Diariser
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Embedding, TranscribeOptions
from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.parsing import blaming
from deployments.http.v1.comparison import threshold_of
from deployments.library.consent_texts import CONSENT_TEXTS, ConsentText, is_consent
from models.audio.samples import to_int16
from models.errors import InvalidRequest, TooLarge, Unprocessable
from models.speaker.voice_clips import reference
from models.text.languages import language_code
from models.types import Audio, VadResult

MAX_RECORDING_BYTES = 10 << 20  # what OpenAI allows
MAX_RECORDING_S = 120.0
LEAST_SPEECH_S = 3.0  # from which a voice is told well, and copied
# By engine, above the threshold of equal errors: a voice that is copied without its owner's leave
# is worse than one that must be recorded once more.
STRICTER = {"ge2e": 0.035}


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Speech of one person. ``field``: of the request that it came in."""

    field: str
    audio: Audio
    heard: VadResult
    voice: HeardVoice

    def clip(self) -> NDArray[np.int16]:
        """Return the clip to speak in: the clearest spans, [n] at 16 kHz."""
        return to_int16(reference(self.audio, self.heard).samples)


class VoiceRecordings:
    """Hears recordings over one pipeline, and refuses them in words that name their field."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._diariser = Diariser(
            pipeline.stages, pipeline.codecs, pipeline.transcriber, pipeline.voices
        )

    def check_can_copy(self) -> None:
        """Refuse to take recordings where no model could speak in their voice.

        Raises:
            Unprocessable: no model clones, or none tells speakers apart.
        """
        self._pipeline.fleet.voices().cloning()
        if not self._pipeline.fleet.has("speaker"):
            message = "a voice of one's own needs a speaker model, and this server runs none"
            raise Unprocessable(message)

    def texts(self) -> dict[str, ConsentText]:
        """Return the texts of consent in the languages that the recogniser hears."""
        hears = self._pipeline.planner.model("asr").spec.languages
        return {code: text for code, text in CONSENT_TEXTS.items() if code in hears}

    def consent_text(self, tag: str) -> tuple[str, ConsentText]:
        """Return the language of a tag such as en-US, and its text.

        Raises:
            InvalidRequest: there is no text in it.
        """
        texts = self.texts()
        try:
            code = language_code(tag)
        except ValueError:
            code = None
        if code is None or code not in texts:
            message = f"language must be one that a text of consent is in: {', '.join(texts)}"
            raise InvalidRequest(f"{message}; see GET /v1/audio/consent_texts", param="language")
        return code, texts[code]

    async def listen(self, data: bytes, field: str, context: Context) -> Recording:
        """Decode a recording, and hear whose voice it is.

        Raises:
            InvalidRequest, NotAudio, TooLarge: it cannot be decoded, or is too long.
            Unprocessable: there is too little speech in it, or of several people.
        """
        if len(data) > MAX_RECORDING_BYTES:
            raise TooLarge(f"{field} must have at most {MAX_RECORDING_BYTES} bytes", param=field)
        planner = self._pipeline.planner
        vad, speaker = planner.model("vad"), planner.model("speaker")
        admit([vad, speaker], context)
        with blaming("file", field):
            audio = await self._pipeline.files.decode(data, context, max_duration_s=MAX_RECORDING_S)
        audio, heard = await self._pipeline.transcriber.listen(audio, vad, context)
        plan = Embedding(speaker, vad)
        voice = await self._pipeline.voices.embed(audio, plan, context, heard)
        _check_speech(voice.speech_s or 0.0, field)
        recording = Recording(field, audio, heard, voice)
        await self._check_one_speaker(recording, plan, context)
        return recording

    async def check_text(self, recording: Recording, code: str, context: Context) -> None:
        """Refuse a recording in which the text of consent is not read. Raises Unprocessable."""
        planner = self._pipeline.planner
        plan = planner.transcription(TranscribeOptions(code), planner.model("asr"))
        said = await self._pipeline.transcriber.transcribe(
            recording.audio, plan, context, (recording.audio, recording.heard)
        )
        if not is_consent(said.text, CONSENT_TEXTS[code]):
            text = CONSENT_TEXTS[code].text
            message = f"{recording.field} must be the text of consent, read aloud: {text!r}"
            raise Unprocessable(f"{message}; something else was heard", param=recording.field)

    def check_same_voice(self, consent: Recording, sample: Recording) -> None:
        """Refuse a sample of another voice than that of its consent. Raises Unprocessable."""
        engine = self._pipeline.planner.model("speaker").spec.engine
        limit = consent_threshold(engine, consent.voice.speech_s, sample.voice.speech_s)
        if limit is None:
            message = f"no threshold is known by which the engine {engine} tells voices apart"
            raise Unprocessable(message, param=sample.field)
        one, other = consent.voice.voiceprint.embedding, sample.voice.voiceprint.embedding
        if float(one @ other) < limit:
            message = f"{sample.field} must be the voice that reads the consent, and it is another"
            raise Unprocessable(message, param=sample.field)

    async def _check_one_speaker(
        self, recording: Recording, plan: Embedding, context: Context
    ) -> None:
        spans = await self._diariser.spans(recording.audio, recording.heard, plan, (), context)
        speakers = len({span.speaker for span in spans})
        if speakers > 1:
            message = f"{recording.field} must be of one speaker, and {speakers} were heard"
            raise Unprocessable(message, param=recording.field)


def consent_threshold(engine: str, one_s: float | None, other_s: float | None) -> float | None:
    """Return the cosine from which a sample is of the voice that consents; None: not known."""
    limit = threshold_of(engine, one_s, other_s)
    return None if limit is None else limit + STRICTER.get(engine, 0.0)


def _check_speech(speech_s: float, field: str) -> None:
    if speech_s == 0:
        raise Unprocessable(f"{field} must be speech, and none was heard", param=field)
    if speech_s < LEAST_SPEECH_S:
        message = f"{field} must hold at least {LEAST_SPEECH_S:g} s of speech"
        raise Unprocessable(f"{message}, and {speech_s:.1f} s were heard", param=field)
