"""Fit translated speech to its recording: each sentence is heard where it was said."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.pipeline import SpeechTranslation
from deployments.graph.sentences import Sentence
from models.audio import dubbing, film
from models.audio.dubbing import Placed
from models.audio.film import Dub
from models.audio.film_source import VideoFormat, check
from models.audio.placing import FASTEST, Place, place
from models.audio.steps import Steps
from models.types import AnswerWarning, Audio, SpeechSpan

SHIFTED, HURRIED = "dub_shifted", "dub_hurried"


class Dubber:
    """Fits answers of the graph to their recordings, on the threads of ``codecs``."""

    def __init__(self, codecs: Codecs) -> None:
        self._codecs = codecs

    async def fitted(
        self, answer: SpeechTranslation, background: Audio | None, context: Context
    ) -> SpeechTranslation:
        """Return an answer whose audio is as long as the recording, each sentence at its place.

        What does not fit at its place is heard elsewhere, and a warning says so. An answer without
        audio is returned as it is.

        Raises:
            Unprocessable: see ``models.audio.placing.place``.
        """
        if answer.audio is None:
            return answer
        rate_hz = answer.audio.sample_rate_hz
        with context.timings.stage("fit"):
            steps = fit_steps(answer.sentences, answer.duration_s, rate_hz, background)
            sentences, track = await self._codecs.run(steps, context.deadline, context.caller)
        told = (w for s in sentences for w in s.warnings if w.code in (SHIFTED, HURRIED))
        context.warnings.extend(dict.fromkeys(told))
        return replace(answer, sentences=tuple(sentences), audio=track)

    async def check_film(
        self, source: BinaryIO, video_format: VideoFormat, context: Context
    ) -> None:
        """Refuse a film that cannot be written. See ``models.audio.film_source.check``."""
        await self._codecs.run(lambda: check(source, video_format), context.deadline)

    async def film(
        self, source: BinaryIO, video_format: VideoFormat, dub: Dub, context: Context
    ) -> BinaryIO:
        """Write a dubbed film to a file without a name, which is gone once it is closed.

        See ``models.audio.film.mux_steps`` for the errors.
        """
        target = tempfile.TemporaryFile()  # noqa: SIM115 - the answer is sent from it
        try:
            with context.timings.stage("mux"):
                steps = film.mux_steps(source, video_format, dub, target)
                await self._codecs.run(steps, context.deadline, context.caller)
        except BaseException:
            target.close()
            raise
        return target


def fit_steps(
    sentences: Sequence[Sentence], duration_s: float, rate_hz: int, background: Audio | None
) -> Steps[tuple[list[Sentence], Audio]]:
    """Return sentences with their places, and the track that they make.

    Args:
        sentences: in order, with what is spoken of them; one without a sound has no place.
        duration_s: of the recording, and of the track.
        rate_hz: of a track without a background.
        background: see ``models.audio.dubbing.dub_steps``.
    """
    audible = [
        (number, dubbing.trimmed(sentence.audio))
        for number, sentence in enumerate(sentences)
        if sentence.audio is not None and len(sentence.audio.samples)
    ]
    spans = [SpeechSpan(sentences[n].start_s, sentences[n].end_s) for n, _ in audible]
    places = place(spans, [speech.duration_s for _, speech in audible], duration_s)
    placed = [
        Placed(speech, there, span)
        for (_, speech), there, span in zip(audible, places, spans, strict=True)
    ]
    track = yield from dubbing.dub_steps(placed, duration_s, rate_hz, background)
    found = list(sentences)
    for (number, _), there in zip(audible, places, strict=True):
        sentence = found[number]
        warnings = (*sentence.warnings, *_doubts(there))
        found[number] = replace(sentence, place=there, warnings=warnings)
    return found, track


def _doubts(place: Place) -> list[AnswerWarning]:
    """Tell what is not as in the recording."""
    found = []
    if place.is_shifted:
        way = "later" if place.shift_s > 0 else "earlier"
        message = f"it is heard {abs(place.shift_s):.1f} s {way} than it was said: it is too long"
        found.append(AnswerWarning(SHIFTED, message))
    if place.is_hurried:
        message = f"it is spoken {place.speed:.2f} times as fast, over {FASTEST:g}: all is too long"
        found.append(AnswerWarning(HURRIED, message))
    return found
