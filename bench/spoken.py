"""Speech held against what was asked: speed, pitch, intelligibility, loudness and text, by voice.

    python -m bench.spoken [--quick] [--threads 2]

The default voices in this process, without a server; Whisper base hears what they say.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from bench.command import flag, run, value
from bench.engine_inputs import KOKORO, PIPER, WHISPER
from bench.results import Cell, Results, Table
from models.audio.decode import decode, resample
from models.audio.encode import PCM_RATE_HZ, encode
from models.audio.samples import to_float32
from models.tts.level import loudness_lufs
from models.types import SAMPLE_RATE_HZ, AsrItem, Audio, TtsItem
from tests.support.speech import wer

VOICES = (  # engine, weights, voice, language
    ("piper", PIPER, "en_US-joe-medium", "en"),
    ("kokoro", KOKORO, "jm_kumo", "pt"),
)
SPEEDS = (0.5, 0.75, 1.0, 1.5, 2.0)
PROSE = {
    "en": (
        "Please call me back tomorrow morning before ten.",
        "The meeting begins at nine o'clock on Monday morning, in the large room.",
        "I would like to know whether the train leaves on time, because my friends are waiting.",
        "The doctor said that she should rest for three days.",
        "Could you tell me how to get to the station from here?",
        "He bought fresh bread, cheese and two bottles of water.",
        "After the storm the children played in the garden until it was dark.",
        "The government announced a new plan to repair the old bridges in the north.",
    ),
    "pt": (
        "Bom dia, como você está hoje?",
        "Não temos mais quartos disponíveis para esta noite.",
        "O médico disse que ela precisa descansar por três dias.",
        "Gostaria de saber se o trem sai no horário, porque meus amigos estão esperando.",
        "Você pode me dizer como chegar à estação daqui?",
        "Ele comprou pão fresco, queijo e duas garrafas de água.",
        "Depois da chuva as crianças brincaram no jardim até escurecer.",
        "O governo anunciou um novo plano para reparar as pontes antigas do norte.",
    ),
}
SHORT = {"en": "No.", "pt": "Não."}
# What is written, and words of it that a listener must hear; Whisper writes numbers as it likes.
WRITTEN = {
    "en": (
        ("This is **very** important, _really_.", ("very", "important", "really")),
        ("# Opening hours\n", ("opening", "hours")),
        ("See [the manual](https://example.com/a?b=c) for help.", ("manual", "help")),
        ("Mr. Smith lives on Main St. in Boston.", ("smith", "main", "street", "boston")),
        ("Bring fruit, e.g. apples, etc.", ("fruit", "example", "apples")),
        ("The <b>new</b> office is open 🎉 today.", ("new", "office", "open", "today")),
        ("We drove at 80 km/h for two hours.", ("drove", "hours")),
    ),
    "pt": (
        ("Isto é **muito** importante.", ("muito", "importante")),
        ("Moro na Av. Paulista.", ("avenida", "paulista")),
        ("O Sr. Silva e a Dra. Ana chegaram.", ("senhor", "silva", "doutora", "ana")),
        ("Veja [o manual](https://exemplo.com/a?b=c) agora.", ("manual", "agora")),
        ("Traga frutas, p. ex. maçãs.", ("frutas", "exemplo")),
        ("A reunião é no 2º andar.", ("reunião", "andar")),
        ("O <b>novo</b> escritório abriu 🎉 hoje.", ("novo", "escritório", "hoje")),
    ),
}
# Words that are heard where signs are spelt.
SPELT = ("asterisk", "asterisco", "hashtag", "slash", "barra", "underscore", "http", "colchete")

FRAME_S, HOP_S = 0.04, 0.01
LOWEST_HZ, HIGHEST_HZ = 60, 400
Hear = Callable[[Sequence[Audio], str], list[str]]


@dataclass(frozen=True)
class At:
    """All sentences of a voice at one speed."""

    voice: str
    speed: float
    texts: Sequence[str]
    spoken: Sequence[Audio]
    heard: Sequence[str]

    @property
    def duration_s(self) -> float:
        return sum(audio.duration_s for audio in self.spoken)

    @property
    def pitch_hz(self) -> float:
        """Return the median over voiced frames, by autocorrelation."""
        return statistics.median(hz for audio in self.spoken for hz in _frames_hz(audio))

    def row(self, usual: At) -> list[Cell]:
        got = round(usual.duration_s / self.duration_s, 3)
        pitch = f"{self.pitch_hz / usual.pitch_hz - 1:+.1%}"
        error = 100 * wer([*self.texts], [*self.heard])
        return [self.voice, self.speed, got, self.pitch_hz, pitch, error]


@dataclass(frozen=True)
class Voice:
    """All that one voice said."""

    name: str
    language: str
    at: Sequence[At]
    raw: Sequence[Audio]  # the sentences at the voice's own level
    short: Audio
    read: Sequence[str]  # what was heard of ``WRITTEN``

    @property
    def usual(self) -> At:
        return next(at for at in self.at if at.speed == 1)

    def peak_dbfs(self, kind: str) -> float:
        return peak_dbfs([through(kind, audio) for audio in self.usual.spoken])

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Pair each word that must be heard with the text that was heard."""
        heard = (text.lower() for text in self.read)
        pairs = zip(heard, WRITTEN[self.language], strict=True)
        return [(word, text) for text, (_, words) in pairs for word in words]


def measured(
    engine: str, weights: str, name: str, language: str, threads: int, hear: Hear, count: int
) -> Voice:
    with ExitStack() as stack:
        served = loaded(stack, engine, weights, threads)
        bare = loaded(stack, engine, weights, threads, loudness_lufs=None)

        def say(runtime: Any, texts: Sequence[str], speed: float = 1.0) -> list[Audio]:
            items = [TtsItem(text, name, speed) for text in texts]
            return [answers(runtime, [item])[0].audio for item in items]

        texts = PROSE[language][:count]
        at = []
        for speed in SPEEDS:
            spoken = say(served, texts, speed)
            at.append(At(name, speed, texts, spoken, hear(spoken, language)))
        read = hear(say(served, [text for text, _ in WRITTEN[language]]), language)
        (short,) = say(served, [SHORT[language]])
        print(f"measured: {name}", flush=True)
        return Voice(name, language, at, say(bare, texts), short, read)


def results(voices: Sequence[Voice]) -> Results:
    speeds = [at.row(voice.usual) for voice in voices for at in voice.at]
    worst = max(abs(float(row[2] or 0) / float(row[1] or 1) - 1) for row in speeds)
    levels = [lufs(voice.usual.spoken) for voice in voices]
    return Results(
        name="spoken",
        title="Speech as it was asked for",
        findings=[
            f"The speed got is within {worst:.1%} of the speed asked.",
            f"The voices are {max(levels) - min(levels):.1f} dB apart over their sentences; none "
            "reaches full scale.",
        ],
        tables=[
            Table(
                "Speed asked and got, all sentences of a voice",
                ["voice", "asked", "got", "median pitch Hz", "pitch against speed 1", "WER %"],
                speeds,
            ),
            *(Table.of(title, voices, columns) for title, columns in TABLES.items()),
        ],
        notes=[
            "Got is the duration at speed 1 over the duration at the speed asked; a voice with "
            "noise in its durations never takes the same time twice.",
            "WER is Whisper base's on what was said.",
            "By itself: with `loudness_lufs: null`, and clipped at the ceiling.",
        ],
        raw={
            voice.name: {
                "heard": {str(at.speed): at.heard for at in voice.at},
                "read": voice.read,
                "lufs_of_sentences": [lufs([audio]) for audio in voice.usual.spoken],
            }
            for voice in voices
        },
    )


TABLES: Mapping[str, Mapping[str, Callable[[Voice], Cell]]] = {
    "Loudness, all sentences of a voice at speed 1": {
        "voice": lambda voice: voice.name,
        "LUFS by itself": lambda voice: round(lufs(voice.raw), 1),
        "LUFS": lambda voice: round(lufs(voice.usual.spoken), 1),
        "peak dBFS by itself": lambda voice: peak_dbfs(voice.raw),
        "peak dBFS wav": lambda voice: voice.peak_dbfs("wav"),
        "peak dBFS pcm": lambda voice: voice.peak_dbfs("pcm"),
        "peak dBFS mp3": lambda voice: voice.peak_dbfs("mp3"),
        "LUFS of a short No": lambda voice: round(lufs([voice.short] * 3), 1),
    },
    "Bare samples": {
        "voice": lambda voice: voice.name,
        "its rate Hz": lambda voice: voice.usual.spoken[0].sample_rate_hz,
        "rate of pcm Hz": lambda voice: PCM_RATE_HZ,
        "seconds as wav": lambda voice: round(voice.usual.duration_s, 3),
        "seconds as pcm": lambda voice: round(
            sum(through("pcm", audio).duration_s for audio in voice.usual.spoken), 3
        ),
    },
    "What is written with signs and abbreviations, as Whisper hears it": {
        "voice": lambda voice: voice.name,
        "texts": lambda voice: len(voice.read),
        "words to hear": lambda voice: len(voice.wanted),
        "heard": lambda voice: sum(word in text for word, text in voice.wanted),
        "signs spelt": lambda voice: sum(
            word in text.lower() for text in voice.read for word in SPELT
        ),
    },
}


# ---- sounds ----------------------------------------------------------------------------


def lufs(spoken: Sequence[Audio]) -> float:
    samples = np.concatenate([to_float32(audio.samples) for audio in spoken])
    return loudness_lufs(samples, spoken[0].sample_rate_hz)


def peak_dbfs(spoken: Sequence[Audio]) -> float:
    peak = max(float(np.abs(to_float32(audio.samples)).max()) for audio in spoken)
    return round(20 * math.log10(peak), 2)


def through(audio_format: Any, audio: Audio) -> Audio:
    """Return what a caller who asked for that format has."""
    data = encode(audio, audio_format)
    if audio_format == "pcm":
        return Audio(np.frombuffer(data, "<i2"), PCM_RATE_HZ)
    return decode(data, max_duration_s=60) if audio_format == "mp3" else audio


def _frames_hz(audio: Audio) -> list[float]:
    samples, rate_hz = to_float32(audio.samples), audio.sample_rate_hz
    length, hop = round(FRAME_S * rate_hz), round(HOP_S * rate_hz)
    found = []
    for start in range(0, len(samples) - length, hop):
        frame: NDArray[np.float32] = samples[start : start + length]
        frame = frame - frame.mean()
        energy = float(frame @ frame)
        if energy < 1e-3 * length:  # -30 dB
            continue
        correlation = np.fft.irfft(np.abs(np.fft.rfft(frame, 2 * length)) ** 2)[:length]
        shortest, longest = rate_hz // HIGHEST_HZ, rate_hz // LOWEST_HZ
        place = shortest + int(np.argmax(correlation[shortest:longest]))
        if correlation[place] > 0.5 * correlation[0]:
            found.append(rate_hz / place)
    return found


def bench(args: argparse.Namespace) -> Results:
    count = 3 if args.quick else len(PROSE["en"])
    with ExitStack() as stack:
        whisper = loaded(stack, "whisper", WHISPER, args.threads)

        def hear(spoken: Sequence[Audio], language: str) -> list[str]:
            clips = [resample(audio, SAMPLE_RATE_HZ).samples for audio in spoken]
            return [answers(whisper, [AsrItem(clip, language)])[0].text for clip in clips]

        return results([measured(*voice, args.threads, hear, count) for voice in VOICES])


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("three sentences a voice"), "threads": value(2)})
