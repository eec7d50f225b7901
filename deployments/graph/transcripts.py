"""Recognise what is said in a window, and join the transcripts of a recording's windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deployments.batching.concurrency import all_of
from deployments.graph.heard_terms import with_terms
from deployments.graph.languages import Asr
from deployments.graph.plan import TranscribeOptions
from models.asr.decoding import UNSPACED_LANGUAGES
from models.audio.samples import to_float32
from models.audio.segments import Window
from models.types import (
    SAMPLE_RATE_HZ,
    UNDETERMINED,
    AsrItem,
    Audio,
    Samples,
    SpeechSpan,
    Transcript,
    Word,
)

# A second of speech, with its pauses, says more letters than that, nearly always. What is heard
# apart must have so many times the letters, and may be less likely by so many nats a token.
LEAST_LETTERS_A_S, LEAST_SIGNS_A_S = 8.0, 2.5
MUCH_MORE, LESS_LIKELY = 1.5, 0.3


async def transcript_of(
    audio: Audio, window: Window, options: TranscribeOptions, asr: Asr
) -> Transcript:
    """Recognise one window; times are the window's own.

    Where the text is too short for the speech, as Whisper writes once what is said twice, each
    stretch of it is heard alone; what says more counts. Where none of the keywords is said, the
    window is heard once more without them: they make other words less sure. Terms of a glossary are
    tried where something sounds like them.
    """
    samples = window.cut(audio)
    heard = await asr(_item(samples, window.language, window.speech, options))
    if options.keywords and not _says_any(heard.text, options.keywords):
        options = replace(options, keywords=())
        heard = await asr(_item(samples, window.language, window.speech, options))
    if options.glossary is not None and options.written_in is None:
        first, named = heard, options

        async def again(terms: Sequence[str]) -> Transcript:
            item = _item(samples, first.language, window.speech, _naming(named, terms))
            second, sure = await asr(item), first.language_probability
            return replace(second, language_probability=sure, languages=first.languages)

        heard = await with_terms(first, options.glossary, again)
    if is_sparse(heard, window.speech, options.written_in or heard.language):
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
        prompt_of(options),
        options.temperature,
        speech=speech,
        languages=options.languages,
    )


def _naming(options: TranscribeOptions, terms: Sequence[str]) -> TranscribeOptions:
    """Return the options with some keywords more."""
    return replace(options, keywords=(*options.keywords, *terms))


def _says_any(text: str, keywords: Sequence[str]) -> bool:
    said = text.casefold()
    return any(keyword.casefold() in said for keyword in keywords)


def prompt_of(options: TranscribeOptions) -> str | None:
    """Return what the recogniser takes for the text before: the keywords, then the prompt."""
    if not options.keywords:
        return options.prompt
    keywords = ", ".join(options.keywords)
    return f"{keywords}. {options.prompt}" if options.prompt else keywords


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


def is_sparse(heard: Transcript, speech: Sequence[SpeechSpan], written_in: str) -> bool:
    """Tell whether speech of that length says more letters than were heard."""
    speech_s = sum(span.end_s - span.start_s for span in speech)
    least = LEAST_SIGNS_A_S if written_in in UNSPACED_LANGUAGES else LEAST_LETTERS_A_S
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

    apart = joined(await all_of(map(one, speech)), heard.language, options.written_in)
    return replace(apart, language_probability=heard.language_probability)


def _fuller(together: Transcript, apart: Transcript) -> Transcript:
    """Choose what was heard apart where it says much more and is about as likely."""
    says_more = _letters(apart.text) >= MUCH_MORE * _letters(together.text)
    is_likely = _logprob(apart) >= _logprob(together) - LESS_LIKELY
    return apart if says_more and is_likely else together


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _logprob(transcript: Transcript) -> float:
    """Average the segments' probabilities by their letters, in nats a token."""
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


def joined(
    parts: Sequence[Transcript], language: str | None = None, written_in: str | None = None
) -> Transcript:
    """Join the transcripts of a recording's windows, in order.

    Its language is the one that most of it is spoken in; its languages are all of them, by how
    much is spoken in each.

    Args:
        parts: of the windows.
        language: of a recording in which nothing is heard.
        written_in: the language of all texts; None: the one that is spoken in each window.
    """
    spoken_s: defaultdict[str, float] = defaultdict(float)
    probabilities: dict[str, float] = {}
    for part in parts:
        spoken_s[part.language] += sum(s.end_s - s.start_s for s in part.segments)
        probabilities[part.language] = max(
            part.language_probability, probabilities.get(part.language, 0.0)
        )
    heard = [name for name in spoken_s if name != UNDETERMINED]
    heard.sort(key=lambda name: spoken_s[name], reverse=True)
    most = heard[0] if heard else language or UNDETERMINED
    running = RunningText(written_in)
    return Transcript(
        text="".join(map(running.go_on, parts)),
        language=most,
        language_probability=probabilities.get(most, 0.0),
        segments=tuple(segment for part in parts for segment in part.segments),
        languages=tuple((name, probabilities[name]) for name in heard if spoken_s[name]),
    )


class RunningText:
    """Writes texts one behind the other, with a space where one of two languages writes spaces."""

    def __init__(self, written_in: str | None = None) -> None:
        self._written_in = written_in
        self._before: str | None = None  # the language of the text so far

    def go_on(self, part: Transcript) -> str:
        """Return what the text goes on with."""
        if not part.text:
            return ""
        before, self._before = self._before, self._written_in or part.language
        spaced = before is not None and not {before, self._before} <= UNSPACED_LANGUAGES
        return " " * spaced + part.text
