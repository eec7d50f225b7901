"""When speech begins to arrive: the first audio of four sentences against the whole answer's time.

The same text in turns, streamed and as a whole file, by one caller of the default voices; and
streamed by many callers at once.

    python -m bench.first_audio [--rounds 8] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.results import Cell, Chart, Results, Series, Spread, Table, write
from dragoman_client import AsyncClient, Voice
from models.audio.encode import PCM_RATE_HZ
from tests.support.server import ROOT, config_on_a_free_port, running

BYTES_A_SAMPLE = 2  # of `pcm`
CALLERS, CROWDED = 8, "en"  # so many at once, of that text
TEXTS = {
    "en": "Good morning, and thank you for calling. The office is open from nine to five on "
    "weekdays. Your call is important to us, and somebody will answer it in a few minutes. "
    "Please stay on the line.",
    "pt": "Bom dia, e obrigado pela sua chamada. O escritório está aberto das nove às cinco nos "
    "dias úteis. A sua chamada é importante para nós, e alguém atende dentro de minutos. "
    "Por favor, fique em linha.",
}


@dataclass(frozen=True)
class Streamed:
    """One answer: the time of each piece's arrival, and the bytes that had come by then."""

    arrivals_s: tuple[float, ...]
    bytes_so_far: tuple[int, ...]

    @property
    def first_s(self) -> float:
        return self.arrivals_s[0]

    @property
    def last_s(self) -> float:
        return self.arrivals_s[-1]


@dataclass(frozen=True)
class Pair:
    """The text streamed and as a whole, one after the other."""

    streamed: Streamed
    whole_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), voices_alone())
        with running(path) as server:
            write(asyncio.run(measure(server.url, rounds)))


async def measure(url: str, rounds: int) -> Results:
    async with AsyncClient(url, timeout=300) as client:
        voices = {voice.language: voice for voice in await client.voices()}
        for language in TEXTS:
            await pair(client, language)  # warm-up
        pairs: dict[str, list[Pair]] = {language: [] for language in TEXTS}
        crowds = []
        for _ in range(rounds):
            for language, of_language in pairs.items():
                of_language.append(await pair(client, language))
            crowds += await asyncio.gather(*(stream(client, CROWDED) for _ in range(CALLERS)))
    return results(pairs, crowds, voices)


def voices_alone() -> dict[str, Any]:
    """The default configuration without the models that do not speak."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    (application,) = config["applications"]
    models = application["args"]["models"]
    application["args"]["models"] = {n: m for n, m in models.items() if n.startswith("tts")}
    application["args"]["aliases"] = {}
    (ingress,) = application["deployments"]
    batching = ingress["user_config"]["batching"]
    ingress["user_config"]["batching"] = {
        name: policy for name, policy in batching.items() if name.startswith("tts")
    }
    return config


async def stream(client: AsyncClient, language: str) -> Streamed:
    arrivals_s, bytes_so_far = [], []
    started, count = time.perf_counter(), 0
    async for piece in client.stream_speech(
        TEXTS[language], language=language, response_format="pcm"
    ):
        count += len(piece)
        arrivals_s.append(time.perf_counter() - started)
        bytes_so_far.append(count)
    return Streamed(tuple(arrivals_s), tuple(bytes_so_far))


async def pair(client: AsyncClient, language: str) -> Pair:
    streamed = await stream(client, language)
    started = time.perf_counter()
    await client.speak(TEXTS[language], language=language, response_format="pcm")
    return Pair(streamed, time.perf_counter() - started)


def results(
    pairs: Mapping[str, Sequence[Pair]], crowds: Sequence[Streamed], voices: Mapping[str, Voice]
) -> Results:
    alone = {language: of_one(voices[language], each) for language, each in pairs.items()}
    crowd_row, crowd_finding = of_crowd(crowds)
    return Results(
        name="first-audio",
        title="First audio",
        findings=[*(finding for _, finding in alone.values()), crowd_finding],
        tables=[
            Table(
                "Four sentences, streamed and as a whole, one caller",
                ["voice", "first audio s", "whole answer s", "first / whole", "streamed / whole"],
                [row for row, _ in alone.values()],
            ),
            Table(
                f"Streamed to many callers at once, {voices[CROWDED].id}",
                ["callers", "first audio s", "last audio s", "first / last"],
                [crowd_row],
            ),
        ],
        charts=[arrival_chart(voices[language], each[-1]) for language, each in pairs.items()],
        notes=["Each stream and the whole file after it are one pair; shares are of pairs."],
        raw={
            "pairs": {
                language: [asdict(pair) for pair in each] for language, each in pairs.items()
            },
            "crowds": [asdict(streamed) for streamed in crowds],
        },
    )


def of_one(voice: Voice, pairs: Sequence[Pair]) -> tuple[Sequence[Cell], str]:
    """A voice's row and finding, with one caller."""
    first_s = Spread.of([pair.streamed.first_s for pair in pairs])
    whole_s = Spread.of([pair.whole_s for pair in pairs])
    first = Spread.of([pair.streamed.first_s / pair.whole_s for pair in pairs])
    last = Spread.of([pair.streamed.last_s / pair.whole_s for pair in pairs])
    finding = (
        f"With {voice.engine} the first audio of four sentences is there after {first.median:.0%} "
        f"({first.least:.0%} to {first.most:.0%}) of the time of the whole answer, the last after "
        f"{last.median:.0%}."
    )
    name = f"{voice.id} ({voice.engine})"
    return [name, *(spread.text(2) for spread in (first_s, whole_s, first, last))], finding


def of_crowd(crowds: Sequence[Streamed]) -> tuple[Sequence[Cell], str]:
    """The row and the finding of many callers at once."""
    first_s = Spread.of([streamed.first_s for streamed in crowds])
    last_s = Spread.of([streamed.last_s for streamed in crowds])
    share = Spread.of([streamed.first_s / streamed.last_s for streamed in crowds])
    finding = (
        f"With {CALLERS} callers at once a caller's first audio is there after {share.median:.0%} "
        f"({share.least:.0%} to {share.most:.0%}) of the time of the last."
    )
    return [CALLERS, *(spread.text(2) for spread in (first_s, last_s, share))], finding


def arrival_chart(voice: Voice, pair: Pair) -> Chart:
    """Of one pair: seconds of audio that a listener has, against time."""
    bytes_a_second = BYTES_A_SAMPLE * PCM_RATE_HZ
    audio_s = [count / bytes_a_second for count in pair.streamed.bytes_so_far]
    series = [
        Series("streamed", pair.streamed.arrivals_s, audio_s),
        Series("whole", [pair.whole_s], audio_s[-1:]),
    ]
    return Chart(f"{voice.id}: what has come, by when", "s since the request", "s of audio", series)


if __name__ == "__main__":
    main()
