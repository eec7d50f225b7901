"""Dubbing in ``POST /v1/speech/translations``: its fields, and films as answers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

from starlette.responses import Response

from deployments.graph.context import Context
from deployments.graph.dubbing import Dubber
from deployments.graph.pipeline import Pipeline, SpeechTranslation
from deployments.http.open_files import OpenFileResponse
from deployments.http.parsing import Fields, Language
from deployments.http.synthetic import synthetic
from deployments.http.v1.subtitles import SUBTITLES, cues_of
from models.audio.film import MEDIA_TYPES as FILMS
from models.audio.film import Dub
from models.audio.film_source import VideoFormat
from models.audio.marks import synthetic_tags
from models.audio.subtitles import doubts
from models.errors import InvalidRequest


class DubbingFields(Fields):
    """The fields that ask for dubbing. A film always fits the duration."""

    target_language: Language
    response_format: str = "json"
    fit: Literal["none", "duration"] = "none"
    background: Literal["none", "duck"] = "none"
    subtitles: bool = False
    bilingual: bool = False

    @property
    def film(self) -> VideoFormat | None:
        """Return the container that is asked for; None: the answer is no film."""
        return next((name for name in FILMS if name == self.response_format), None)

    @property
    def fits(self) -> bool:
        """Tell whether each sentence is heard where it was said."""
        return self.fit == "duration" or self.film is not None

    def check_dubbing(self, *, speaks: bool, stream: bool, speed: float) -> None:
        """Refuse fields that do not go together. Raises InvalidRequest."""
        films = " or ".join(FILMS)
        fits, is_film = self.fits, self.film is not None
        written = is_film if self.subtitles else self.response_format in SUBTITLES
        rules = (
            ("background", self.background == "duck" and not fits, "duck needs fit=duration"),
            ("subtitles", self.subtitles and not is_film, f"needs response_format {films}"),
            (
                "bilingual",
                self.bilingual and not written,
                f"needs response_format {', '.join(SUBTITLES)}, or {films} with subtitles=true",
            ),
            ("fit", fits and not speaks, "duration needs an answer with audio"),
            ("stream", fits and stream, "goes without fit=duration: all sentences are needed"),
            ("speed", fits and speed != 1, "goes without fit=duration, which chooses it"),
        )
        for field, is_wrong, why in rules:
            if is_wrong:
                raise InvalidRequest(f"{field}: {why}", param=field)


async def fitted(
    pipeline: Pipeline,
    fields: DubbingFields,
    data: bytes | None,
    answer: SpeechTranslation,
    context: Context,
) -> SpeechTranslation:
    """Fit an answer to its recording. ``data``: its file, where the background is asked for."""
    if answer.audio is None or not len(answer.audio.samples):
        return answer
    background = None
    if fields.background == "duck":
        assert data is not None
        background = await pipeline.files.background(data, context)
    return await Dubber(pipeline.codecs).fitted(answer, background, context)


async def check_film(
    pipeline: Pipeline, data: bytes, video_format: VideoFormat, context: Context
) -> None:
    """Refuse a film that cannot be written, before any work is done."""
    await Dubber(pipeline.codecs).check_film(io.BytesIO(data), video_format, context)


async def film_response(
    pipeline: Pipeline,
    fields: DubbingFields,
    data: bytes,
    answer: SpeechTranslation,
    headers: Mapping[str, str],
    context: Context,
) -> Response:
    """Answer with a dubbed film; 204 where nothing is said."""
    video_format, language = fields.film, fields.target_language
    assert video_format is not None
    if answer.audio is None or not len(answer.audio.samples):
        return Response(status_code=204, headers=headers)
    cues = None
    if fields.subtitles:
        cues = await pipeline.codecs.run(
            lambda: cues_of(answer.sentences, language, bilingual=fields.bilingual),
            context.deadline,
        )
        context.warnings.extend(doubts(cues))
    track = answer.audio
    tags = synthetic_tags(answer.voice.id) if answer.voice else {}
    dub = Dub(
        [track], track.sample_rate_hz, track.duration_s, language, answer.language, cues, tags
    )
    source = io.BytesIO(data)
    film = await Dubber(pipeline.codecs).film(source, video_format, dub, context)
    return synthetic(OpenFileResponse(film, FILMS[video_format], headers))
