"""Consents: whether their text is heard, by language, and whether a voice is taken for its own.

    python -m bench.consents [--threads 2] [--voices 3]

The default models in this process, as the server puts them together. Kokoro's voices, which are
Japanese, read the texts; the prompts are of five people, one a language, on a telephone.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from bench.command import run, value
from bench.conversations import ONE_VOICE
from bench.engine_inputs import KOKORO, WHISPER
from bench.results import Cell, Results, Table
from deployments.graph.diarisation import TURN_VAD
from deployments.http.v1.voice_recordings import consent_threshold
from deployments.library.consent_texts import (
    CONSENT_TEXTS,
    MAX_WORD_ERRORS,
    is_consent,
    word_errors,
    words_of,
)
from models.audio.decode import resample
from models.audio.samples import levelled, to_int16
from models.speaker.turns import is_narrow, pieces, rules_of, samples_of, tell_apart
from models.speaker.voice_clips import voice_in
from models.types import SAMPLE_RATE_HZ, AsrItem, Audio, SpeakerItem, TtsItem, VadItem
from models.vad.silero import spans
from tests.support.speech import SHORT_SPEECH, SPEECH, clips

KOKORO_VOICES = ("jm_kumo", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro")
ESPEAK = {"en": "en-us", "pt": "pt-br", "es": "es", "fr": "fr", "de": "de", "it": "it"}
SPEEDS = (1.0, 1.2)
EVERY = 6  # of the recordings, one in so many is held against the texts
RECORDING_S = 8.0  # of what one person says: about as long as a consent
PAUSE = np.zeros(SAMPLE_RATE_HZ // 2, np.int16)
Samples = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Recording:
    """What one person says."""

    speaker: str
    samples: Samples


def recordings() -> list[Recording]:
    """Join each person's prompts to recordings of the length of a consent."""
    found: list[Recording] = []
    prompts = [clip for folder in (SPEECH, SHORT_SPEECH) for clip in clips(folder=folder)]
    for speaker in sorted({clip.speaker for clip in prompts}):
        parts: list[Samples] = []
        for clip in (clip for clip in prompts if clip.speaker == speaker):
            parts += [clip.samples(), PAUSE]
            if sum(map(len, parts)) >= RECORDING_S * SAMPLE_RATE_HZ:
                found.append(Recording(speaker, np.concatenate(parts)))
                parts = []
    return found


class Listener:
    """Put VAD and speaker model together, as the server does."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self._vad = loaded(stack, "silero", "package:silero_vad", threads)
        self._speaker = loaded(stack, "ge2e", "package:resemblyzer", threads)

    def voice(self, samples: Samples) -> tuple[NDArray[np.float32], float]:
        """Return the embedding of a recording, and the seconds of speech in it."""
        audio, heard = self._heard(samples)
        speech, speech_s = voice_in(audio, heard)
        return self._embedded([speech.samples])[0], speech_s

    def speakers(self, samples: Samples) -> int:
        """Count those who speak."""
        audio, heard = self._heard(samples)
        speech = spans(heard.probabilities, TURN_VAD, audio.duration_s)
        cut = pieces(speech)
        embeddings = np.stack(self._embedded([samples_of(audio.samples, each) for each in cut]))
        narrow = is_narrow(audio.samples, cut)
        found = tell_apart(speech, cut, embeddings, rules_of("ge2e"), narrow=narrow)
        return len({turn.speaker for turn in found.turns})

    def _heard(self, samples: Samples) -> tuple[Audio, Any]:
        audio = Audio(levelled(samples))
        return audio, answers(self._vad, [VadItem(audio.samples)])[0]

    def _embedded(self, some: Sequence[Any]) -> list[NDArray[np.float32]]:
        return [each.embedding for each in answers(self._speaker, [SpeakerItem(s) for s in some])]


def readings(stack: ExitStack, language: str, voices: int, threads: int) -> Iterator[Samples]:
    """Yield the text of consent as voices read it aloud."""
    names = KOKORO_VOICES[:voices]
    options = {"voices": names, "language": language, "espeak_language": ESPEAK[language]}
    kokoro = loaded(stack, "kokoro", KOKORO, threads, **options)
    for name, speed in product(names, SPEEDS):
        item = TtsItem(CONSENT_TEXTS[language].text, name, speed)
        (spoken,) = answers(kokoro, [item])
        yield to_int16(resample(spoken.audio, SAMPLE_RATE_HZ).samples)


def texts_table(args: argparse.Namespace, others: Sequence[Recording]) -> Table:
    """Hear the texts, and what else is said in their languages."""
    rows: list[list[Cell]] = []
    with ExitStack() as stack:
        whisper = loaded(stack, "whisper", WHISPER, args.threads)

        def errors(samples: Samples, language: str) -> tuple[float, bool]:
            (heard,) = answers(whisper, [AsrItem(levelled(samples), language)])
            words = words_of(CONSENT_TEXTS[language].text)
            share = word_errors(words, words_of(heard.text)) / len(words)
            return share, is_consent(heard.text, CONSENT_TEXTS[language])

        for language in CONSENT_TEXTS:
            with ExitStack() as own:
                read = [
                    errors(s, language) for s in readings(own, language, args.voices, args.threads)
                ]
            said = [errors(each.samples, language) for each in others]
            shares = [share for share, _ in read]
            least = min(share for share, _ in said)
            taken = sum(is_one for _, is_one in said)
            refused = sum(not is_one for _, is_one in read)
            middle, most = statistics.median(shares), max(shares)
            figures = (f"{100 * middle:.0f}", f"{100 * most:.0f}", refused)
            rows.append([language, len(read), *figures, len(said), f"{100 * least:.0f}", taken])
            print(*rows[-1], flush=True)
    return Table(
        f"The text of consent, refused from {MAX_WORD_ERRORS:.0%} wrong words on",
        ["language", "readings", "wrong words, median %", "most %", "refused",
         "recordings of other speech", "wrong words, least %", "taken"],
        rows,
    )  # fmt: skip


def voices_table(listener: Listener, found: Sequence[Recording]) -> Table:
    """Judge pairs of recordings: of one person, and of two."""
    voices = [listener.voice(each.samples) for each in found]
    same: list[bool] = []
    different: list[bool] = []
    in_two_languages: list[bool] = []
    for (one, a), (other, b) in combinations(zip(found, voices, strict=True), 2):
        limit = consent_threshold("ge2e", a[1], b[1])
        assert limit is not None
        judged = float(a[0] @ b[0]) >= limit
        if one.speaker == other.speaker:
            same.append(judged)
        elif not {one.speaker, other.speaker} <= ONE_VOICE:
            different.append(judged)
        else:
            in_two_languages.append(judged)
    firsts = {each.speaker: each.samples for each in reversed(found)}
    pairs = [pair for pair in combinations(firsts, 2) if not {*pair} <= ONE_VOICE]
    both = [np.concatenate([firsts[one], firsts[other]]) for one, other in pairs]
    counts = [listener.speakers(each.samples) == 1 for each in found]
    alone = [listener.speakers(samples) == 1 for samples in both]
    rows: list[list[Cell]] = [
        ["two recordings of one person", len(same), "two voices", same.count(False)],
        ["of one person in two languages", len(in_two_languages), "two voices",
         in_two_languages.count(False)],
        ["of two people", len(different), "one voice", different.count(True)],
        ["one person alone", len(found), "several", counts.count(False)],
        ["two people, one after the other", len(both), "one", alone.count(True)],
    ]  # fmt: skip
    for row in rows:
        print(*row, flush=True)
    return Table("Whose voice it is", ["recordings", "of them", "taken for", "how many"], rows)


def bench(args: argparse.Namespace) -> Results:
    found = recordings()
    with ExitStack() as stack:
        voices = voices_table(Listener(stack, args.threads), found)
    return Results(
        name="consents",
        title="Consents to a copy of a voice",
        findings=[],
        tables=[texts_table(args, found[::EVERY]), voices],
        notes=["Whisper base, Silero and GE2E; recordings of at least 8 s."],
    )


if __name__ == "__main__":
    run(__doc__, bench, {"threads": value(2), "voices": value(3, "voices of Kokoro")})
