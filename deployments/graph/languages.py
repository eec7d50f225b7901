"""Tell the language of each stretch of a recording, and cut it into windows of one language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import groupby

from deployments.batching.concurrency import all_of
from deployments.graph.plan import TranscribeOptions
from models.asr.spoken_languages import (
    LEAST_S,
    among,
    clear_languages,
    filled,
    is_clear,
    to_try,
)
from models.audio.segments import Window, stretches, windows
from models.types import AsrItem, Audio, SpeechSpan, Transcript

STRETCH_S = 8.0  # of speech whose language is told at once: it has the smallest window

Asr = Callable[[AsrItem], Awaitable[Transcript]]


async def cut_windows(
    audio: Audio, speech: Sequence[SpeechSpan], options: TranscribeOptions, asr: Asr
) -> tuple[Window, ...]:
    """Cut the speech of a recording into windows, each of one language.

    Where no language is named and there are several stretches of speech, each tells its own;
    a single one tells it where it is recognised, unless it must be one of some candidates.
    """
    if options.language is not None:
        found = windows(speech, audio.duration_s)
        return tuple(replace(window, language=options.language) for window in found)
    parts = stretches(speech, STRETCH_S)
    if not parts or (len(parts) < 2 and not options.candidates):
        return windows(speech, audio.duration_s)
    languages = await _languages_of(audio, parts, options, asr)
    return tuple(
        window
        for language, run in _runs(parts, languages)
        for window in _in_language(windows(_whole(run, speech), audio.duration_s), language)
    )


async def _languages_of(
    audio: Audio, parts: Sequence[SpeechSpan], options: TranscribeOptions, asr: Asr
) -> list[tuple[str, float] | None]:
    """Tell the language of each stretch of speech, with its probability; None: nobody knows.

    What is not clear is heard once more, in the languages that are clear elsewhere and in those
    that are likeliest there. What is too short has the language of its neighbour.
    """

    async def detect(part: SpeechSpan, candidates: tuple[str, ...] = ()) -> Transcript:
        (window,) = windows([part], audio.duration_s)
        return await asr(AsrItem(window.cut(audio), task="detect", languages=candidates))

    least_s = 0.0 if options.candidates else LEAST_S
    enough = [number for number, part in enumerate(parts) if part.end_s - part.start_s >= least_s]
    detected = await all_of(detect(parts[number]) for number in enough)
    found = [replace(t, languages=among(t.languages, options.candidates)) for t in detected]
    known = clear_languages([transcript.languages for transcript in found])

    async def settle(number: int, transcript: Transcript) -> tuple[str, float] | None:
        if not transcript.languages:
            return None  # nothing is heard there
        allowed = options.candidates or options.languages
        heard = transcript
        if not is_clear(transcript.languages) and (known or allowed):
            candidates = to_try(transcript.languages, known, allowed)
            heard = await detect(parts[number], candidates)
        if options.candidates and heard.language not in options.candidates:
            return transcript.languages[0]
        return heard.language, heard.language_probability

    settled = await all_of(map(settle, enough, found))
    chosen: list[tuple[str, float] | None] = [None] * len(parts)
    for number, language in zip(enough, settled, strict=True):
        chosen[number] = language
    return filled(chosen)


def _runs(
    parts: Sequence[SpeechSpan], languages: Sequence[tuple[str, float] | None]
) -> list[tuple[tuple[str, float] | None, list[SpeechSpan]]]:
    """Gather neighbours of one language, with the likeliest of their probabilities."""
    runs: list[tuple[tuple[str, float] | None, list[SpeechSpan]]] = []
    pairs = zip(parts, languages, strict=True)
    for _, run in groupby(pairs, key=lambda pair: pair[1] and pair[1][0]):
        members = list(run)
        known = [language for _, language in members if language is not None]
        best = max(known, key=lambda language: language[1], default=None)
        runs.append((best, [part for part, _ in members]))
    return runs


def _whole(parts: Sequence[SpeechSpan], speech: Sequence[SpeechSpan]) -> list[SpeechSpan]:
    """Put together what was one span of speech, and was cut only to tell its language."""
    ends_s = {span.end_s for span in speech}
    found: list[SpeechSpan] = []
    for part in parts:
        if found and found[-1].end_s not in ends_s:
            found[-1] = replace(found[-1], end_s=part.end_s)
        else:
            found.append(part)
    return found


def _in_language(found: Sequence[Window], language: tuple[str, float] | None) -> Sequence[Window]:
    if language is None:
        return found
    name, probability = language
    return [replace(window, language=name, language_probability=probability) for window in found]
