"""The requests of the load test: the endpoints, asked through the client, and their inputs."""

from __future__ import annotations

import io
import wave
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from dragoman_client import AsyncClient, StageTiming

Endpoint: TypeAlias = Literal["translate", "transcribe", "text", "speech", "embeddings"]

SAMPLE = Path(__file__).with_name("sample.flac")  # 2.17 s: "Please try your call again later."
SUFFIXES = frozenset({".flac", ".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm"})
DEFAULT_TEXT = "Please try your call again later."


@dataclass(frozen=True, slots=True)
class Answer:
    """Keep what the figures need of an answer.

    ``audio_s`` is the audio that was heard, or of ``speech`` the audio that was made; None for
    texts. ``queue_ms`` and ``execution_ms`` are sums over the items of all stages; None where
    the answer does not tell. ``first_byte_s`` is from the sending to the body's begin; None where
    the answer is taken as a whole.
    """

    audio_s: float | None = None
    queue_ms: float | None = None
    execution_ms: float | None = None
    first_byte_s: float | None = None


# Sends the request of a number: 0, 1, 2, ...
Ask: TypeAlias = Callable[[int], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Clip:
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Work:
    """Say what is asked for. Requests take the clips or texts in turn."""

    endpoint: Endpoint
    clips: tuple[Clip, ...]
    texts: tuple[str, ...]
    source_language: str
    target_language: str

    def asker(self, client: AsyncClient) -> Ask:
        """Return the way to send the requests of this work with a client."""
        calls: dict[Endpoint, Ask] = {
            "translate": lambda number: self._translate(client, number),
            "transcribe": lambda number: self._transcribe(client, number),
            "text": lambda number: self._text(client, number),
            "speech": lambda number: self._speech(client, number),
            "embeddings": lambda number: self._embeddings(client, number),
        }
        return calls[self.endpoint]

    async def _translate(self, client: AsyncClient, number: int) -> Answer:
        result = await client.translate_speech(self._clip(number), self.target_language)
        return _answer(result.duration_s, result.timings.stages)

    async def _transcribe(self, client: AsyncClient, number: int) -> Answer:
        result = await client.transcribe(self._clip(number))
        return Answer(result.duration_s)

    async def _text(self, client: AsyncClient, number: int) -> Answer:
        text = self.texts[number % len(self.texts)]
        results = await client.translate_text(text, self.source_language, self.target_language)
        return _answer(None, results[0].timings.stages)

    async def _speech(self, client: AsyncClient, number: int) -> Answer:
        text = self.texts[number % len(self.texts)]
        result = await client.speak(text, language=self.target_language)
        return Answer(_wav_duration_s(result.audio))

    async def _embeddings(self, client: AsyncClient, number: int) -> Answer:
        results = await client.embed(self._clip(number))
        return _answer(results[0].duration_s, results[0].timings.stages)

    def _clip(self, number: int) -> bytes:
        return self.clips[number % len(self.clips)].content


def read_clips(path: Path) -> tuple[Clip, ...]:
    """Read the audio file, or all audio files of the folder by name.

    Raises:
        OSError: a file cannot be read.
        ValueError: the folder has no audio files.
    """
    paths = [path]
    if path.is_dir():
        paths = sorted(found for found in path.iterdir() if found.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{path} holds no file that ends in {', '.join(sorted(SUFFIXES))}")
    return tuple(Clip(found.name, found.read_bytes()) for found in paths)


def _answer(audio_s: float | None, stages: Sequence[StageTiming]) -> Answer:
    """Sum up the stages of models; their times are means over items in the answer."""
    queue_ms = sum(stage.queue_ms * stage.items for stage in stages if stage.model)
    execution_ms = sum(stage.execution_ms * stage.items for stage in stages if stage.model)
    return Answer(audio_s, queue_ms, execution_ms)


def _wav_duration_s(content: bytes) -> float | None:
    """Return the duration that a WAV file's header says; None if it is no such file."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            frames, rate_hz = file.getnframes(), file.getframerate()
    except (wave.Error, EOFError):
        return None
    return float(frames / rate_hz)
