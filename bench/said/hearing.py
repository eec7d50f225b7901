"""Hears the recordings: the whole server by HTTP, and faster-whisper in a process of its own.

The server's CPU time is that of its ingress, detector and recogniser; faster-whisper's that of its
process. Both run one recording at a time, unless several callers are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx
import numpy as np
from numpy.typing import NDArray

from bench.bare import own_process
from bench.said.recordings import Recording
from bench.serving import Server, default_server
from bench.stage_inputs import wav
from models.asr.model import model_folder
from models.audio.samples import to_float32
from models.weights import source

ENDPOINT = "/v1/audio/transcriptions"
TIMEOUT_S = 900.0
COUNTED = ("Ingress", "vad", "asr")  # processes whose CPU time recognition costs
PRECISION = "int8"
UNNAMED = "no language named"
Form: TypeAlias = Literal["json", "verbose_json"]

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
    """What one answer says."""

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

    def texts(self, recordings: Sequence[Recording]) -> list[str]:
        return [self.heard[recording.name].text for recording in recordings]

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
        """Through the server; ``named`` tells it the language, where a recording has one."""
        with httpx.Client(base_url=self.server.url, timeout=TIMEOUT_S) as client:

            def heard(recording: Recording) -> Heard:
                return _asked(client, recording, form, recording.language if named else None)

            before_s, started_s = self._cpu_s(), time.perf_counter()
            with ThreadPoolExecutor(callers) as threads:
                answers = list(threads.map(heard, recordings))
            took_s, cpu_s = time.perf_counter() - started_s, self._cpu_s() - before_s
        way = ["server", form]
        way += [] if named else [UNNAMED]
        way += [f"{callers} callers"] if callers > 1 else []
        return _told(Run(", ".join(way), _by_name(recordings, answers), cpu_s, took_s))

    def reference(
        self, recordings: Sequence[Recording], *, named: bool = True, **options: Any
    ) -> Run:
        """By ``WhisperModel.transcribe`` with its defaults but for ``options``."""
        items = [(each.samples, each.language if named else None) for each in recordings]
        answers, cpu_s, took_s = self.process.submit(_transcribed, items, options).result()
        way = ["faster-whisper", *([] if named else [UNNAMED])]
        way += [f"{name}={value}" for name, value in options.items()]
        return _told(Run(", ".join(way), _by_name(recordings, answers), cpu_s, took_s))

    def timed_words(self, recordings: Sequence[Recording]) -> list[list[Piece]]:
        """Each recording's words and their times, as faster-whisper hears them."""
        items = [(each.samples, each.language) for each in recordings]
        found: list[list[Piece]] = self.process.submit(_timed, items).result()
        return found

    def detected(self, recordings: Sequence[Recording]) -> list[str]:
        """The languages that faster-whisper finds in the recordings."""
        found: list[str] = self.process.submit(
            _detected, [recording.samples for recording in recordings]
        ).result()
        return found

    def _cpu_s(self) -> float:
        spent = self.server.cpu_s()
        return sum(spent[name] for name in COUNTED)


@contextmanager
def ears() -> Iterator[Ears]:
    """For the length of a block; the server has its detector and recogniser alone."""
    with default_server(only=("vad", "asr")) as server:
        asr = server.models.models["asr"]
        with own_process(_load, asr.weights, asr.threads) as process:
            yield Ears(server, process)


def _by_name(recordings: Sequence[Recording], answers: Sequence[Heard]) -> dict[str, Heard]:
    named = {each.name: heard for each, heard in zip(recordings, answers, strict=True)}
    assert len(named) == len(recordings), "two recordings have one name"
    return named


def _told(run: Run) -> Run:
    """The same; whoever waits sees how far the bench is."""
    print(f"  {run.way}: {len(run.heard)} in {run.took_s:.0f} s, CPU {run.cpu_s:.1f} s", flush=True)
    return run


def _asked(client: httpx.Client, recording: Recording, form: Form, language: str | None) -> Heard:
    fields = {"model": "asr", "response_format": form}
    if language:
        fields["language"] = language
    files = {"file": ("a.wav", wav(recording.samples), "audio/wav")}
    answer = client.post(ENDPOINT, data=fields, files=files)
    codes = answer.headers.get("x-warnings", "")
    warnings = tuple(code.strip() for code in codes.split(",") if code.strip())
    if answer.status_code != httpx.codes.OK:
        refused = f"{answer.status_code}: {answer.text[:200]}"
        return Heard("", warnings=warnings, refused=refused)
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
    items: Sequence[tuple[NDArray[np.int16], str | None]], options: Mapping[str, Any]
) -> tuple[list[Heard], float, float]:
    """The answers, CPU seconds of this process and seconds."""
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


def _timed(items: Sequence[tuple[NDArray[np.int16], str | None]]) -> list[list[Piece]]:
    found = []
    for samples, language in items:
        segments, _ = _whisper.transcribe(
            to_float32(samples), language=language, word_timestamps=True
        )
        found.append([Piece(w.start, w.end, w.word) for s in segments for w in s.words])
    return found


def _detected(items: Sequence[NDArray[np.int16]]) -> list[str]:
    return [_whisper.transcribe(to_float32(samples))[1].language for samples in items]
