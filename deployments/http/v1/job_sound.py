"""The speech of a job's translation: read part by part from its files, while it is encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deployments.jobs.kept import TranslatedPart
from deployments.jobs.work import Done
from models.audio import decode, encode
from models.audio.encode import PCM_RATE_HZ, AudioFormat
from models.audio.marks import synthetic_tags
from models.types import Audio

BASE64_BYTES = 3 << 18  # written at once: a multiple of 3, so that the texts joined are one


@dataclass(frozen=True, slots=True)
class Sound:
    """The speech of all parts behind one another. Its methods block.

    Attributes:
        done: has the files.
        parts: of the recording.
        rate_hz: of the speech.
        voice_id: who speaks.
        gap_s: of silence between two parts; None: each part is as long as its recording.
    """

    done: Done
    parts: Sequence[TranslatedPart]
    rate_hz: int
    voice_id: str
    gap_s: float | None

    @classmethod
    def of(cls, parts: Sequence[TranslatedPart], done: Done, gap_s: float | None) -> Sound | None:
        """Return the speech of parts; None: there is none."""
        spoken = [part for part in parts if part.sound_samples]
        if not spoken or spoken[0].voice is None:
            return None
        return cls(done, parts, spoken[0].sound_rate_hz, spoken[0].voice.id, gap_s)

    @property
    def samples(self) -> int:
        """Count all samples, with the silences."""
        if self.gap_s is None:
            return sum(self._length(part) for part in self.parts)
        spoken = [part.sound_samples for part in self.parts if part.sound_samples]
        return sum(spoken) + (len(spoken) - 1) * round(self.gap_s * self.rate_hz)

    @property
    def duration_s(self) -> float:
        return self.samples / self.rate_hz

    def _length(self, part: TranslatedPart) -> int:
        return part.sound_samples or round(part.duration_s * self.rate_hz)

    def pieces(self) -> Iterator[Audio]:
        """Yield it in pieces of a second."""
        is_first = True
        for number, part in enumerate(self.parts):
            if part.sound_samples:
                data = self.done.read_now("sound", number)
                audio = Audio(np.frombuffer(data, "<i2").astype(np.int16), part.sound_rate_hz)
                if not is_first and self.gap_s is not None:
                    audio = decode.after_silence(audio, self.gap_s)
                is_first = False
            elif self.gap_s is None:
                audio = Audio(np.zeros(self._length(part), np.int16), self.rate_hz)
            else:
                continue
            for start in range(0, len(audio.samples), audio.sample_rate_hz):
                samples = audio.samples[start : start + audio.sample_rate_hz]
                yield Audio(samples, audio.sample_rate_hz)

    def encoded(self, audio_format: AudioFormat) -> Iterator[bytes]:
        """Yield a file of it in pieces."""
        length = self.samples if audio_format == "wav" else None
        tags = synthetic_tags(self.voice_id)
        encoder = encode.encoder(audio_format, self.rate_hz, length=length, tags=tags)
        for audio in self.pieces():
            if data := encoder.add(audio):
                yield data
        yield encoder.finish()

    def within(self, body: bytes, audio_format: AudioFormat) -> Iterator[bytes]:
        """Yield an answer in JSON with this in it, which never is in memory as a whole."""
        answer = json.loads(body)
        del answer["audio"]
        yield json.dumps(answer, ensure_ascii=False).encode()[:-1] + b', "audio": {"data": "'
        left = b""
        for piece in self.encoded(audio_format):
            left += piece
            whole = len(left) // BASE64_BYTES * BASE64_BYTES
            if whole:
                yield base64.b64encode(left[:whole])
                left = left[whole:]
        facts = {
            "format": audio_format,
            "sample_rate_hz": PCM_RATE_HZ if audio_format == "pcm" else self.rate_hz,
            "duration_s": round(self.duration_s, 3),
        }
        yield base64.b64encode(left) + b'", ' + json.dumps(facts).encode()[1:] + b"}"
