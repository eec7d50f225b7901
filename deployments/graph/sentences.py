"""Cut a transcript into sentences with their times, and join those that windows cut through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from models.audio.placing import Place
from models.audio.segments import MAX_PAUSE_S, Window
from models.text.sentences import split
from models.types import (
    UNDETERMINED,
    AnswerWarning,
    Audio,
    Segment,
    SpeechSpan,
    Transcript,
)

SENTENCE_ENDS = tuple(".!?…。！？؟।\"»”')")
OPEN_ENDS = ("...", "…", ",", "-")  # what Whisper writes where a speaker stopped in mid-sentence
# One clear prompt in a hundred is less likely than UNSURE_LOGPROB, and most reversed speech is
# (`bench.said`, junk). The other two are the thresholds at which Whisper decodes again.
UNSURE_LOGPROB, REPETITIVE_RATIO, UNSURE_NO_SPEECH = -0.75, 2.4, 0.6
UNSURE_PROBABILITY = 0.5  # of a language that nobody named
UNSURE_TEXT = AnswerWarning("unsure_text", "what was said may be something else")
UNSURE_SPEECH = AnswerWarning("unsure_speech", "this may be no speech")
UNSURE_LANGUAGE = AnswerWarning("unsure_language", "this may be in another language")


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """One sentence: when it was said, what it says, and how it sounds in the other language.

    Attributes:
        language: the one that it was said in.
        speaker: who said it; None: nobody told speakers apart.
        avg_logprob: nats a token, of the segments that it was heard in.
        no_speech_prob: the largest of theirs.
        warnings: what is not sure of it, or of its translation.
        place: where it is heard in a dubbed recording; None: in no such one.
    """

    start_s: float
    end_s: float
    text: str
    translation: str = ""
    audio: Audio | None = None
    language: str = UNDETERMINED
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    warnings: tuple[AnswerWarning, ...] = ()
    place: Place | None = None
    speaker: str | None = None


def timed_sentences(transcript: Transcript) -> list[Sentence]:
    """Cut a transcript into sentences with their times, not yet translated.

    Whisper's segments end where it paused, not where a sentence does. A boundary inside a
    segment is where a word begins or ends, where the times of words are known; else it is placed
    by the share of the segment's characters that stand before it. A sentence is of one language.
    """
    runs = groupby(transcript.segments, key=lambda segment: segment.language)
    unsure = language_doubts(transcript)
    return [
        replace(sentence, warnings=(*unsure, *sentence.warnings))
        for language, segments in runs
        for sentence in _sentences(
            list(segments), transcript.language if language == UNDETERMINED else language
        )
    ]


def _sentences(segments: Sequence[Segment], language: str) -> list[Sentence]:
    spoken, edges = "", list[int]()
    chars, times_s = list[int](), list[float]()
    for segment in segments:
        piece = segment.text.strip()
        edges += [len(spoken), len(spoken) + len(piece)]
        for start, end, start_s, end_s in _known_times(segment, piece):
            chars += [len(spoken) + start, len(spoken) + end]
            times_s += [start_s, end_s]
        spoken += piece + " "
    found, position = [], 0
    for sentence in split(spoken, language).sentences:
        start = spoken.index(sentence, position)
        position = start + len(sentence)
        start_s, end_s = np.interp([start, position], chars, times_s)
        heard_in = [
            segment
            for number, segment in enumerate(segments)
            if edges[2 * number] < position and start < edges[2 * number + 1]
        ]
        weights = [max(1, len(segment.text)) for segment in heard_in]
        found.append(
            Sentence(
                round(float(start_s), 3),
                round(float(end_s), 3),
                sentence,
                language=language,
                avg_logprob=float(np.average([s.avg_logprob for s in heard_in], weights=weights)),
                no_speech_prob=max(segment.no_speech_prob for segment in heard_in),
                warnings=tuple(dict.fromkeys(w for s in heard_in for w in doubts(s))),
            )
        )
    return found


def _known_times(segment: Segment, text: str) -> list[tuple[int, int, float, float]]:
    """Return which characters of a segment's text are said when: its words, or all of them."""
    found, end = [], 0
    for word in segment.words or ():
        said = word.text.strip()
        start = text.find(said, end)
        if start < 0 or not said:  # the words are not those of the text
            return [(0, len(text), segment.start_s, segment.end_s)]
        end = start + len(said)
        found.append((start, end, word.start_s, word.end_s))
    return found or [(0, len(text), segment.start_s, segment.end_s)]


def without_silence(sentence: Sentence, speech: Sequence[SpeechSpan]) -> Sentence:
    """Return a sentence that begins and ends with speech. ``speech`` is in order."""
    heard = [s for s in speech if s.end_s > sentence.start_s and s.start_s < sentence.end_s]
    if not heard:
        return sentence
    start_s = max(sentence.start_s, heard[0].start_s)
    end_s = min(sentence.end_s, heard[-1].end_s)
    return replace(sentence, start_s=round(start_s, 3), end_s=round(end_s, 3))


def language_doubts(transcript: Transcript) -> tuple[AnswerWarning, ...]:
    """Tell whether a window's language is not sure."""
    is_unsure = transcript.segments and transcript.language_probability < UNSURE_PROBABILITY
    return (UNSURE_LANGUAGE,) if is_unsure else ()


def doubts(segment: Segment) -> list[AnswerWarning]:
    """Tell what of a segment is not sure, by Whisper's own measures."""
    found = []
    if segment.avg_logprob < UNSURE_LOGPROB or segment.compression_ratio > REPETITIVE_RATIO:
        found.append(UNSURE_TEXT)
    if segment.no_speech_prob > UNSURE_NO_SPEECH:
        found.append(UNSURE_SPEECH)
    return found


def placed(sentence: Sentence, window: Window) -> Sentence:
    """Count the times of a window's sentence from the start of its recording.

    It begins and ends with speech: the time of a first word begins earlier, and one that comes
    of the share of a text may lie in a pause.
    """
    sentence = without_silence(sentence, window.speech)
    start_s = window.start_in_recording_s(sentence.start_s)
    end_s = max(start_s, window.end_in_recording_s(sentence.end_s))
    return replace(sentence, start_s=round(start_s, 3), end_s=round(end_s, 3))


def is_open(sentence: Sentence) -> bool:
    """Tell whether a sentence that ends with its window may go on in the next one."""
    return sentence.text.endswith(OPEN_ENDS) or not sentence.text.endswith(SENTENCE_ENDS)


def with_open(before: Sentence, said: Sequence[Sentence]) -> list[Sentence]:
    """Put a sentence that the window before left open in front of what was said after it.

    The two are one where they are of one language and not far apart.
    """
    if (
        said
        and said[0].language == before.language
        and said[0].start_s - before.end_s <= MAX_PAUSE_S
    ):
        return [one_sentence(before, said[0]), *said[1:]]
    return [before, *said]


def one_sentence(first: Sentence, second: Sentence) -> Sentence:
    """Join the two halves of a sentence that was cut between two windows."""
    text = f"{first.text.removesuffix('...').removesuffix('…')} {second.text}"
    lengths = [len(first.text), len(second.text)]
    return replace(
        first,
        end_s=second.end_s,
        text=text,
        avg_logprob=float(np.average([first.avg_logprob, second.avg_logprob], weights=lengths)),
        no_speech_prob=max(first.no_speech_prob, second.no_speech_prob),
        warnings=tuple(dict.fromkeys([*first.warnings, *second.warnings])),
    )
