"""``diarized_json`` of transcriptions: who says what, with the voices of speakers who are known."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from deployments.batching.concurrency import all_of
from deployments.catalogue.model import Model
from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.diarisation import (
    DiarisedTranscript,
    Diariser,
    Diarising,
    HeardVoices,
    KnownSpeaker,
)
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TranscribeOptions
from deployments.http.parsing import blaming, warnings_json
from deployments.http.v1.transcript_parts import done_json, usage_json
from models.errors import InvalidRequest, TooLarge
from models.types import Audio, Transcript

FORMAT = "diarized_json"
NAMES, REFERENCES = "known_speaker_names[]", "known_speaker_references[]"
MAX_KNOWN, MAX_NAME_CHARS = 10, 64
# What OpenAI allows; a container may say a little more than what was cut.
LEAST_REFERENCE_S, MOST_REFERENCE_S, SLACK_S = 2.0, 10.0, 0.1
# Ten seconds of 48 kHz, 16 bit and two channels, in base64.
MAX_REFERENCE_CHARS = 3_000_000
DATA_URL = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w.+=\"-]{1,100}){0,5};base64,", re.ASCII)


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > MAX_KNOWN:
        raise ValueError(f"must hold at most {MAX_KNOWN} names")
    if not all(0 < len(name) <= MAX_NAME_CHARS and name.isprintable() for name in names):
        raise ValueError(f"must be names of 1 to {MAX_NAME_CHARS} printable characters")
    if len(set(names)) < len(names):
        raise ValueError("must not hold a name twice")
    return names


def _references(references: tuple[str, ...]) -> tuple[str, ...]:
    if len(references) > MAX_KNOWN:
        raise ValueError(f"must hold at most {MAX_KNOWN} clips")
    if any(len(reference) > MAX_REFERENCE_CHARS for reference in references):
        raise ValueError(f"must be clips of at most {MAX_REFERENCE_CHARS} characters each")
    if not all(DATA_URL.match(reference) for reference in references):
        raise ValueError("must be data URLs in base64, such as data:audio/wav;base64,UklG...")
    return references


KnownNames = Annotated[tuple[str, ...], AfterValidator(_names), Field(alias=NAMES)]
KnownReferences = Annotated[tuple[str, ...], AfterValidator(_references), Field(alias=REFERENCES)]


def check_known(names: Sequence[str], references: Sequence[str], response_format: str) -> None:
    """Refuse known speakers without their clips, or where nobody is told apart.

    Raises:
        InvalidRequest: it names the field.
    """
    for field, values in ((NAMES, names), (REFERENCES, references)):
        if values and response_format != FORMAT:
            message = f"{field} needs response_format {FORMAT}, not {response_format}"
            raise InvalidRequest(message, param=field)
    if len(names) != len(references):
        message = f"{REFERENCES} must hold one clip for each of {NAMES}: {len(names)} names and "
        raise InvalidRequest(f"{message}{len(references)} clips came", param=REFERENCES)


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of a recording, by speaker."""

    found: DiarisedTranscript
    duration_s: float

    def body(self, context: Context) -> dict[str, Any]:
        """Show it as OpenAI's ``TranscriptionDiarized``."""
        body: dict[str, Any] = {
            "task": "transcribe",
            "duration": round(self.duration_s, 3),
            "text": self.found.transcript.text,
            "segments": self._segments,
            "usage": usage_json(self.duration_s),
        }
        if context.warnings:
            body["warnings"] = warnings_json(context.warnings)
        return body

    async def bodies(self, context: Context) -> AsyncGenerator[Mapping[str, Any]]:
        """Make a ``transcript.text.segment`` of each segment, then ``transcript.text.done``.

        Who speaks is known once all is heard, so all come together.
        """
        for segment in self._segments:
            yield segment
        yield done_json(self.found.transcript, self.duration_s, context)

    @property
    def _segments(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{number}",
                "start": round(said.start_s, 3),
                "end": round(said.end_s, 3),
                "speaker": said.speaker,
                "text": said.text,
            }
            for number, said in enumerate(self.found.said)
        ]


class Diarized:
    """Answers transcriptions that say who speaks, over one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._diariser = Diariser(
            pipeline.stages, pipeline.codecs, pipeline.transcriber, pipeline.voices
        )

    def plan(self, options: TranscribeOptions, asr: Model) -> Diarising:
        """Plan a transcript that says who speaks, and whose words have times for that.

        Raises:
            InvalidRequest: this server has no model that tells speakers apart.
        """
        if not self._pipeline.fleet.has("speaker"):
            message = f"response_format {FORMAT} needs a speaker model, and this server runs none"
            raise InvalidRequest(message, param="response_format")
        hearing = self._pipeline.planner.transcription(options, asr)
        return Diarising(hearing, self._pipeline.planner.model("speaker"))

    async def answer(
        self,
        data: bytes,
        plan: Diarising,
        names: Sequence[str],
        references: Sequence[str],
        context: Context,
    ) -> Spoken:
        """Return what every speaker says.

        Raises:
            InvalidRequest, NotAudio, TooLarge: the recording or a clip is not taken.
        """
        admit(plan.models, context)
        known = await self._known(names, references, context)
        audio = await self._pipeline.files.decode(data, context)
        with blaming("known", REFERENCES):
            found = await self._diariser.transcribe(audio, plan, known, context)
        return Spoken(found, audio.duration_s)

    async def hear(
        self, audio: Audio, plan: Diarising, context: Context
    ) -> tuple[Transcript, HeardVoices]:
        """Return what is said in a part of a recording, and the voices that say it."""
        return await self._diariser.hear(audio, plan, context)

    async def told(
        self,
        transcript: Transcript,
        voices: HeardVoices,
        plan: Diarising,
        names: Sequence[str],
        references: Sequence[str],
        context: Context,
    ) -> DiarisedTranscript:
        """Return what every speaker says of a recording whose parts were heard before."""
        known = await self._known(names, references, context)
        with blaming("known", REFERENCES):
            voiceprints = await self._diariser.references(known, plan.voices, context)
        return await self._diariser.told(transcript, voices, plan, known, voiceprints, context)

    async def _known(
        self, names: Sequence[str], references: Sequence[str], context: Context
    ) -> list[KnownSpeaker]:
        """Decode the clips of all known speakers; see ``_clip`` for the errors."""
        with blaming("file", REFERENCES):
            return await all_of(
                self._clip(name, reference, context)
                for name, reference in zip(names, references, strict=True)
            )

    async def _clip(self, name: str, reference: str, context: Context) -> KnownSpeaker:
        """Decode the clip of a known speaker.

        Raises:
            InvalidRequest: it is no base64, or too short; what the decoder refuses.
            TooLarge: it is too long.
        """

        def file_of() -> bytes:
            return base64.b64decode(reference.partition(",")[2], validate=True)

        try:
            file = await self._pipeline.codecs.run(file_of, context.deadline, context.caller)
        except binascii.Error as error:
            message = f"the clip of {name!r} is no base64: {error}"
            raise InvalidRequest(message, param=REFERENCES) from error
        bounds = f"{LEAST_REFERENCE_S:g} to {MOST_REFERENCE_S:g} s"
        try:
            clip = await self._pipeline.files.decode(
                file, context, max_duration_s=MOST_REFERENCE_S + SLACK_S
            )
        except TooLarge as error:
            message = f"the clip of {name!r} is too long: clips of known speakers have {bounds}"
            raise TooLarge(message, param=REFERENCES) from error
        if clip.duration_s < LEAST_REFERENCE_S - SLACK_S:
            message = f"the clip of {name!r} has {clip.duration_s:.3g} s: clips of known speakers "
            raise InvalidRequest(f"{message}have {bounds}", param=REFERENCES)
        return KnownSpeaker(name, clip)
