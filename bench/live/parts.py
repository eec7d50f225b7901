"""The parts of the bench of live sessions: each gives some lines, and may be run by itself."""

from __future__ import annotations

import random
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.live import whisperlivekit
from bench.live.audio import Talk, recorded, talk, wav_of
from bench.live.feeding import Ask
from bench.live.offline import Offlines, portuguese
from bench.live.sessions import Line, measure
from bench.serving import REPLICA, Config, Server, default_config, serving
from deployments.live.options import DELAYS
from dragoman_client import Client, DragomanError

MINUTE_S, LONG_S = 60.0, 600.0
SESSIONS, FEW_SESSIONS = (1, 4, 8, 16), (1, 8)
CALLERS = 4  # of ten-minute files, beside the sessions
MIXED = ("en", "es", "fr", "it", "ru", "en", "es", "fr")
ANSWER_S = 1800.0


@dataclass
class Bench:
    """What the parts share: talks, made once, and the server that runs."""

    folder: Path
    quick: bool
    talks: dict[tuple[str, float, int], Talk] = field(default_factory=dict)
    known: dict[str, Offlines] = field(default_factory=dict)  # by the server's URL

    def offlines(self, server: Server) -> Offlines:
        """Return the answers of a server to whole talks, which all its parts share."""
        return self.known.setdefault(server.url, Offlines(server.url))

    def talk(self, duration_s: float, seed: int = 0, language: str = "en") -> Talk:
        key = (language, duration_s, seed)
        if key not in self.talks:
            path = self.folder / f"{language}-{duration_s:.0f}-{seed}.pcm"
            self.talks[key] = talk(path, language, duration_s, seed, recorded(language))
        return self.talks[key]

    def asks(self, count: int, duration_s: float, delay: str = "medium") -> list[Ask]:
        """Return sessions that each hear a talk of their own."""
        return [Ask(self.talk(duration_s, seed), delay=delay) for seed in range(count)]


Measure = Callable[[Bench, Server], list[Line]]


@dataclass(frozen=True)
class Part:
    """Lines of one server; ``config`` makes its configuration."""

    measure: Measure
    config: Callable[[], Config] = default_config


def minutes(delay: str) -> Part:
    """Measure one minute with more and more sessions."""

    def run(bench: Bench, server: Server) -> list[Line]:
        offlines = bench.offlines(server)
        counts = SESSIONS if delay == "medium" and not bench.quick else FEW_SESSIONS
        return [
            measure(server, f"one minute, {delay}", bench.asks(count, MINUTE_S, delay), offlines)
            for count in counts
        ]

    return Part(run)


def long(bench: Bench, server: Server) -> list[Line]:
    """Measure ten minutes, for the slope."""
    offlines = bench.offlines(server)
    return [
        measure(server, "ten minutes", bench.asks(count, LONG_S), offlines)
        for count in FEW_SESSIONS
    ]


def spoken(bench: Bench, server: Server) -> list[Line]:
    """Measure speech into Portuguese, and into English of the server's own Portuguese."""
    offlines = bench.offlines(server)
    path = bench.folder / "pt.pcm"
    into_english = Ask(portuguese(server.url, path, MINUTE_S, 0), "en", text_only=False)
    into_portuguese = Ask(bench.talk(MINUTE_S), "pt", text_only=False)
    return [
        measure(server, "speech, pt to en", [into_english], offlines),
        measure(server, "speech, en to pt", [into_portuguese], offlines),
    ]


def files(bench: Bench, server: Server) -> list[Line]:
    """Measure eight sessions, alone and beside callers of ten-minute files."""
    offlines = bench.offlines(server)
    asks = bench.asks(8, MINUTE_S)
    wav = wav_of(bench.talk(LONG_S, 100))

    @contextmanager
    def callers() -> Iterator[None]:
        stop = threading.Event()

        def call() -> None:
            with Client(server.url, timeout=ANSWER_S) as client:
                while not stop.is_set():
                    try:
                        client.transcribe(wav)
                    except DragomanError as error:  # a refusal is what the server should do
                        stop.wait(error.retry_after_s or 1.0)

        threads = [threading.Thread(target=call, daemon=True) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()

    return [
        measure(server, "8 sessions alone", asks, offlines),
        measure(server, f"8 sessions, {CALLERS} callers", asks, offlines, beside=callers),
    ]


def killed(bench: Bench, server: Server) -> list[Line]:
    """Measure mixed languages in eight sessions; a recogniser is killed in the middle."""
    offlines = bench.offlines(server)
    asks = [Ask(bench.talk(MINUTE_S, seed, language), None) for seed, language in enumerate(MIXED)]

    @contextmanager
    def killer() -> Iterator[None]:
        timer = threading.Timer(MINUTE_S / 2, lambda: kill_one(server))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    return [
        measure(server, "mixed languages", asks, offlines, with_scores=False),
        measure(
            server, "mixed, a replica killed", asks, offlines, beside=killer, with_scores=False
        ),
    ]


def kill_one(server: Server) -> None:
    """Kill a replica of the recogniser."""
    replicas: list[psutil.Process] = [
        process
        for title, process in server.processes()
        if (found := REPLICA.match(title)) and found[1].startswith("asr")
    ]
    random.choice(replicas).send_signal(signal.SIGKILL)


def two_recognisers() -> Config:
    return default_config(replicas={"asr": 2})


PARTS: dict[str, Part] = {
    **{delay: minutes(delay) for delay in DELAYS},
    "long": Part(long),
    "spoken": Part(spoken),
    "files": Part(files),
    "killed": Part(killed, two_recognisers),
}
KIT = "whisperlivekit"
KIT_TALKS = ((1, MINUTE_S), (4, MINUTE_S), (1, LONG_S))  # sessions, and how long
NAMES = (*PARTS, KIT)
QUICK = ("medium",)


def run_parts(names: Sequence[str], quick: bool) -> Iterator[tuple[str, list[Line]]]:
    """Run parts in turn, with one server for those next to each other that share one."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), quick)
        own = [name for name in names if name in PARTS]
        for config in dict.fromkeys(PARTS[name].config for name in own):
            with serving(config()) as server:
                for name in own:
                    if PARTS[name].config is config:
                        print(name, flush=True)
                        yield name, PARTS[name].measure(bench, server)
        if KIT in names:
            print(KIT, flush=True)
            yield KIT, beside(bench)


def beside(bench: Bench) -> list[Line]:
    """WhisperLiveKit with the talks that Dragoman had."""
    with whisperlivekit.running() as kit:
        return [
            whisperlivekit.measure(kit, [bench.talk(duration_s, seed) for seed in range(count)])
            for count, duration_s in KIT_TALKS
        ]
