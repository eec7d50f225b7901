"""The hearers of the recordings: the whole server, and faster-whisper in a process of its own.

The server's CPU time is that of its ingress, detector and recogniser; faster-whisper's that of its
process. Both run one recording at a time, unless several callers are asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.bare import own_process
from bench.said.recordings import Recording
from bench.serving import Server, default_config, serving
from bench.stage_inputs import wav
from load.connections import Reply, connected, prepared
from load.endpoints import Answer
from load.steps import Length, Load, RealClock, Stepper
from load.steps import Recording as Recorded
from models.asr.model import model_folder
from models.audio.samples import to_float32
from models.weights import source

ENDPOINT = "/v1/audio/transcriptions"
TIMEOUT_S = 900.0
COUNTED = ("Ingress", "vad", "asr")  # processes whose CPU time recognition costs
PRECISION = "int8"
UNNAMED = "no language named"
Form: TypeAlias = Literal["json", "verbose_json"]
Item: TypeAlias = tuple[NDArray[np.int16], str | None]  # samples, and their language

_whisper: Any  # in the process of its own


@dataclass(frozen=True)
class Piece:
    """A segment of an answer, or a word. None is what the answer does not tell."""

    start_s: float
    end_s: float
    text: str
    language: str | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None


@dataclass(frozen=True)
class Heard:
    """One answer."""

    text: str
    language: str | None = None
    pieces: tuple[Piece, ...] = ()
    warnings: tuple[str, ...] = ()  # codes
    refused: str | None = None  # the status and message instead of an answer


@dataclass(frozen=True)
class Run:
    """All recordings heard in one way."""

    way: str
    heard: Mapping[str, Heard]  # by the recordings' names
    cpu_s: float
    took_s: float

    @property
    def refused(self) -> int:
        return sum(heard.refused is not None for heard in self.heard.values())


@dataclass(frozen=True)
class Ears:
    """A warm server and faster-whisper on its weights, with the threads of one replica."""

    server: Server
    process: Executor

    def served(
        self,
        recordings: Sequence[Recording],
        form: Form,
        *,
        named: bool = True,
        callers: int = 1,
    ) -> Run:
        """Hear through the server; ``named`` tells it the language, where a recording has one."""
        requests = [self._request(r, form, r.language if named else None) for r in recordings]
        before_s, started_s = self._cpu_s(), time.perf_counter()
        answers = asyncio.run(self._asked(requests, callers))
        took_s, cpu_s = time.perf_counter() - started_s, self._cpu_s() - before_s
        way = ["server", form]
        way += [] if named else [UNNAMED]
        way += [f"{callers} callers"] if callers > 1 else []
        return _told(way, recordings, answers, cpu_s, took_s)

    def reference(
        self, recordings: Sequence[Recording], *, named: bool = True, **options: Any
    ) -> Run:
        """Hear by ``WhisperModel.transcribe`` with its defaults but for ``options``."""
        items = [(each.samples, each.language if named else None) for each in recordings]
        answers, cpu_s, took_s = self.process.submit(_transcribed, items, options).result()
        way = ["faster-whisper", *([] if named else [UNNAMED])]
        way += [f"{name}={value}" for name, value in options.items()]
        return _told(way, recordings, answers, cpu_s, took_s)

    def timed_words(self, recordings: Sequence[Recording]) -> list[list[Piece]]:
        """Return each recording's words and their times, as faster-whisper hears them."""
        items = [(each.samples, each.language) for each in recordings]
        found: list[list[Piece]] = self.process.submit(_timed, items).result()
        return found

    def detected(self, recordings: Sequence[Recording]) -> list[str]:
        """Return the languages that faster-whisper finds in the recordings."""
        every = [recording.samples for recording in recordings]
        found: list[str] = self.process.submit(_detected, every).result()
        return found

    def _cpu_s(self) -> float:
        spent = self.server.cpu_s()
        return sum(spent[name] for name in COUNTED)

    def _request(self, recording: Recording, form: Form, language: str | None) -> bytes:
        fields = {"model": "asr", "response_format": form}
        fields |= {"language": language} if language else {}
        files = {"file": ("a.wav", wav(recording.samples), "audio/wav")}
        return prepared(f"{self.server.url}{ENDPOINT}", data=fields, files=files)

    async def _asked(self, requests: Sequence[bytes], callers: int) -> list[Heard]:
        found: dict[int, Heard] = {}
        async with connected(self.server.url, TIMEOUT_S) as connections:

            async def ask(number: int) -> Answer:
                found[number] = _heard(await connections.send(requests[number]))
                return Answer()

            recording, length = Recorded(Load("closed", callers)), Length(requests=len(requests))
            await Stepper(ask, RealClock()).run(recording, length)
        return [found.get(n, Heard("", refused="no answer")) for n in range(len(requests))]


@contextmanager
def ears() -> Iterator[Ears]:
    """Open both for the length of a block; the server has its detector and recogniser alone."""
    with serving(default_config(only=("vad", "asr"))) as server:
        asr = server.models.models["asr"]
        with own_process(_load, asr.weights, asr.threads) as process:
            yield Ears(server, process)


def _told(
    way: Sequence[str],
    recordings: Sequence[Recording],
    answers: Sequence[Heard],
    cpu_s: float,
    took_s: float,
) -> Run:
    """Make the run, and tell whoever waits how far the bench is."""
    named = {each.name: heard for each, heard in zip(recordings, answers, strict=True)}
    assert len(named) == len(recordings), "two recordings have one name"
    run = Run(", ".join(way), named, cpu_s, took_s)
    print(f"  {run.way}: {len(named)} in {took_s:.0f} s, CPU {cpu_s:.1f} s", flush=True)
    return run


def _heard(reply: Reply) -> Heard:
    codes = reply.headers.get("x-warnings", "")
    warnings = tuple(code.strip() for code in codes.split(",") if code.strip())
    answer = reply.as_response()
    if answer.is_error:
        return Heard("", warnings=warnings, refused=f"{answer.status_code}: {answer.text[:200]}")
    body = answer.json()
    warnings += tuple(warning["code"] for warning in body.get("warnings") or ())
    pieces = tuple(map(_piece, body.get("segments", ())))
    return Heard(body["text"], body.get("language"), pieces, tuple(dict.fromkeys(warnings)))


def _piece(segment: Mapping[str, Any]) -> Piece:
    optional = (segment.get(name) for name in ("language", "avg_logprob", "no_speech_prob"))
    return Piece(segment["start"], segment["end"], segment["text"], *optional)


# ---- in the process of its own ---------------------------------------------------------


def _load(reference: str, threads: int) -> None:
    global _whisper
    from faster_whisper import WhisperModel

    folder = str(model_folder(source.resolve(reference)))
    _whisper = WhisperModel(folder, device="cpu", compute_type=PRECISION, cpu_threads=threads)
    _transcribed([(np.zeros(16_000, np.int16), "en")], {})


def _transcribed(
    items: Sequence[Item], options: Mapping[str, Any]
) -> tuple[list[Heard], float, float]:
    """Return the answers, the CPU seconds of this process and the seconds."""
    started_s, before_s = time.perf_counter(), time.process_time()
    answers = []
    for samples, language in items:
        segments, info = _whisper.transcribe(to_float32(samples), language=language, **options)
        pieces = tuple(
            Piece(s.start, s.end, s.text, None, s.avg_logprob, s.no_speech_prob) for s in segments
        )
        text = " ".join(piece.text.strip() for piece in pieces)
        answers.append(Heard(text, info.language, pieces))
    return answers, time.process_time() - before_s, time.perf_counter() - started_s


def _timed(items: Sequence[Item]) -> list[list[Piece]]:
    found = []
    for samples, language in items:
        options = {"language": language, "word_timestamps": True}
        segments, _ = _whisper.transcribe(to_float32(samples), **options)
        found.append([Piece(w.start, w.end, w.word) for s in segments for w in s.words])
    return found


def _detected(items: Sequence[NDArray[np.int16]]) -> list[str]:
    return [_whisper.transcribe(to_float32(samples))[1].language for samples in items]
