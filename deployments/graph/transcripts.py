"""Hear a recording: where there is speech, in which languages, and what is said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from deployments.batching.concurrency import all_of
from models.asr.decoding import UNSPACED_LANGUAGES
from models.asr.spoken_languages import LEAST_S, clear_languages, filled, is_clear, to_try
from models.audio.samples import levelled, to_float32
from models.audio.segments import MAX_WINDOW_S, Window, stretches, windows
from models.types import (
    SAMPLE_RATE_HZ,
    UNDETERMINED,
    AsrItem,
    Audio,
    Samples,
    SpeechSpan,
    Task,
    Transcript,
    VadItem,
    VadParameters,
    VadResult,
    Word,
)
from models.vad.silero import FRAME_SAMPLES, spans

# Spans that become windows keep more silence around them than a caller who asks for speech
# would want: Whisper drops words that begin at the very edge of its audio. Speech without a
# pause is cut at its longest breath, so that a window holds it.
WINDOW_VAD = VadParameters(padding_s=0.2, min_silence_s=0.3, max_speech_s=MAX_WINDOW_S - 1)
VAD_PIECE_SAMPLES = 512 * FRAME_SAMPLES  # 16.4 s, about 0.1 s of the model's time
STRETCH_S = 8.0  # of speech whose language is told at once: it has the smallest window
# Of speech with its pauses: nearly all that is said has more. What is heard apart must have so many
# times the letters, and may be less likely by so many nats a token.
LEAST_LETTERS_A_S, LEAST_SIGNS_A_S = 8.0, 2.5
MUCH_MORE, LESS_LIKELY = 1.5, 0.3
LONG_SAMPLES = 60 * SAMPLE_RATE_HZ  # what takes too long for the event loop


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """How to transcribe.

    Attributes:
        language: None: as each stretch of the recording is heard.
        languages: those that doubtful speech may be in; empty: all.
    """

    language: str | None = None
    task: Task = "transcribe"
    word_timestamps: bool = False
    prompt: str | None = None
    temperature: float | None = None
    languages: tuple[str, ...] = ()


Vad = Callable[[VadItem], Awaitable[VadResult]]
Asr = Callable[[AsrItem], Awaitable[Transcript]]
OffLoop = Callable[[Callable[[], Any]], Awaitable[Any]]


async def listen(audio: Audio, vad: Vad, off_loop: OffLoop) -> tuple[Audio, VadResult]:
    """Find the speech in a recording, and make a quiet one as loud as others.

    A long recording is heard in pieces, so that others come between.
    """
    if len(audio.samples) > LONG_SAMPLES:
        loud = replace(audio, samples=await off_loop(lambda: levelled(audio.samples)))
    else:
        loud = replace(audio, samples=levelled(audio.samples))
    state, heard = None, []
    for start in range(0, len(loud.samples), VAD_PIECE_SAMPLES):
        piece = loud.samples[start : start + VAD_PIECE_SAMPLES]
        heard.append(await vad(VadItem(piece, WINDOW_VAD, state)))
        state = heard[-1].state
    if len(heard) == 1:
        return loud, heard[0]
    probabilities = np.concatenate([result.probabilities for result in heard])
    found = await off_loop(lambda: spans(probabilities, WINDOW_VAD, audio.duration_s))
    return loud, VadResult(found, probabilities, heard[-1].state)


async def cut_windows(
    audio: Audio, speech: Sequence[SpeechSpan], options: TranscribeOptions, asr: Asr
) -> tuple[Window, ...]:
    """Cut the speech of a recording into windows, each of one language.

    Where no language is named and there are several stretches of speech, each tells its own;
    a single one tells it where it is recognised.
    """
    if options.language is not None:
        found = windows(speech, audio.duration_s)
        return tuple(replace(window, language=options.language) for window in found)
    parts = stretches(speech, STRETCH_S)
    if len(parts) < 2:
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

    enough = [number for number, part in enumerate(parts) if part.end_s - part.start_s >= LEAST_S]
    found = await all_of(detect(parts[number]) for number in enough)
    known = clear_languages([transcript.languages for transcript in found])

    async def settle(number: int, transcript: Transcript) -> tuple[str, float] | None:
        if not transcript.languages:
            return None  # nothing is heard there
        if not is_clear(transcript.languages) and (known or options.languages):
            candidates = to_try(transcript.languages, known, options.languages)
            transcript = await detect(parts[number], candidates)
        return transcript.language, transcript.language_probability

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


async def transcript_of(
    audio: Audio, window: Window, options: TranscribeOptions, asr: Asr
) -> Transcript:
    """Recognise one window; times are the window's own.

    Where the text is too short for the speech, as Whisper writes once what is said twice, each
    stretch of it is heard alone; what says more counts.
    """
    samples = window.cut(audio)
    heard = await asr(_item(samples, window.language, window.speech, options))
    if _is_sparse(heard, window.speech):
        apart = window.speech if len(window.speech) > 1 else _halves(samples)
        heard = _fuller(heard, await _heard_apart(samples, heard, apart, options, asr))
    if window.language is None or options.language is not None:
        return heard
    return replace(heard, language_probability=window.language_probability)


def _item(
    samples: Samples,
    language: str | None,
    speech: tuple[SpeechSpan, ...],
    options: TranscribeOptions,
) -> AsrItem:
    return AsrItem(
        samples,
        language,
        options.task,
        options.word_timestamps,
        options.prompt,
        options.temperature,
        speech=speech,
        languages=options.languages,
    )


def _halves(samples: Samples) -> tuple[SpeechSpan, ...]:
    """Cut a stretch of speech at the quietest tenth of a second of its middle third."""
    third, frame = len(samples) // 3, SAMPLE_RATE_HZ // 10
    if third < frame:
        return (SpeechSpan(0.0, len(samples) / SAMPLE_RATE_HZ),)
    power = np.square(to_float32(samples[third : 2 * third]), dtype=np.float64)
    energy = np.concatenate([[0.0], np.cumsum(power)])  # before each sample: linear in time
    quietest = int(np.argmin(energy[frame:] - energy[:-frame]))
    middle_s = (third + quietest + frame // 2) / SAMPLE_RATE_HZ
    return (SpeechSpan(0.0, middle_s), SpeechSpan(middle_s, len(samples) / SAMPLE_RATE_HZ))


def _is_sparse(heard: Transcript, speech: Sequence[SpeechSpan]) -> bool:
    """Tell whether speech of that length says more letters than were heard."""
    speech_s = sum(span.end_s - span.start_s for span in speech)
    least = LEAST_SIGNS_A_S if heard.language in UNSPACED_LANGUAGES else LEAST_LETTERS_A_S
    return bool(heard.segments) and _letters(heard.text) < least * speech_s


async def _heard_apart(
    samples: Samples,
    heard: Transcript,
    speech: Sequence[SpeechSpan],
    options: TranscribeOptions,
    asr: Asr,
) -> Transcript:
    """Recognise each stretch of a window's speech by itself, in the window's language.

    Nothing is sampled: what comes of chance has as many letters as chance gives it.
    """
    certain = replace(options, temperature=0.0)

    async def one(span: SpeechSpan) -> Transcript:
        start, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (span.start_s, span.end_s))
        piece = samples[start:end]
        own = (SpeechSpan(0.0, len(piece) / SAMPLE_RATE_HZ),)
        window = Window((span,), own)
        return in_recording(await asr(_item(piece, heard.language, own, certain)), window)

    apart = joined(await all_of(map(one, speech)), heard.language)
    return replace(apart, language_probability=heard.language_probability)


def _fuller(together: Transcript, apart: Transcript) -> Transcript:
    """Choose what was heard apart where it says much more and is about as likely."""
    says_more = _letters(apart.text) >= MUCH_MORE * _letters(together.text)
    is_likely = _logprob(apart) >= _logprob(together) - LESS_LIKELY
    return apart if says_more and is_likely else together


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _logprob(transcript: Transcript) -> float:
    """Average over the segments, by their letters, in nats a token."""
    weights = [max(1, _letters(segment.text)) for segment in transcript.segments]
    values = [segment.avg_logprob for segment in transcript.segments]
    return float(np.average(values, weights=weights)) if weights else -np.inf


def in_recording(transcript: Transcript, window: Window) -> Transcript:
    """Count the times of a window's transcript from the start of its recording."""

    def word(w: Word) -> Word:
        start_s, end_s = window.start_in_recording_s(w.start_s), window.end_in_recording_s(w.end_s)
        return replace(w, start_s=start_s, end_s=max(start_s, end_s))

    return replace(
        transcript,
        segments=tuple(
            replace(
                segment,
                start_s=window.start_in_recording_s(segment.start_s),
                end_s=window.end_in_recording_s(segment.end_s),
                words=None if segment.words is None else tuple(map(word, segment.words)),
            )
            for segment in transcript.segments
        ),
    )


def joined(parts: Sequence[Transcript], language: str | None = None) -> Transcript:
    """Join the transcripts of a recording's windows, in order.

    Its language is the one that most of it is spoken in.
    """
    spoken_s: defaultdict[str, float] = defaultdict(float)
    probabilities: dict[str, float] = {}
    for part in parts:
        spoken_s[part.language] += sum(s.end_s - s.start_s for s in part.segments)
        probabilities[part.language] = max(
            part.language_probability, probabilities.get(part.language, 0.0)
        )
    heard = [name for name in spoken_s if name != UNDETERMINED]
    most = max(heard, key=lambda name: spoken_s[name], default=language or UNDETERMINED)
    return Transcript(
        text=_run_on([part for part in parts if part.text]),
        language=most,
        language_probability=probabilities.get(most, 0.0),
        segments=tuple(segment for part in parts for segment in part.segments),
    )


def _run_on(parts: Sequence[Transcript]) -> str:
    """Write texts one behind the other, with a space where one of two languages writes spaces."""
    text, before = "", ""
    for part in parts:
        spaced = not {before, part.language} <= UNSPACED_LANGUAGES
        text += " " * bool(text and spaced) + part.text
        before = part.language
    return text
