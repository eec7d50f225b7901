"""When speech begins to arrive: the first audio of four sentences, of the whole answer's time.

    python -m bench.first_audio [--rounds 8] [--quick]

The same text in turns, streamed and as a whole file, by one caller of the default voices; and
streamed by many callers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.command import flag, run, value
from bench.results import Cell, Chart, Results, Series, Spread, Table
from bench.serving import check, default_config, serving
from dragoman_client import AsyncClient, Voice
from load.endpoints import Answer
from load.steps import Length, Load, RealClock, Recording, Stepper
from models.audio.encode import PCM_RATE_HZ

BYTES_A_S = 2 * PCM_RATE_HZ  # of `pcm`
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


async def stream(client: AsyncClient, language: str) -> Streamed:
    arrivals_s, bytes_so_far = [], []
    started_s, count = time.perf_counter(), 0
    async for piece in client.stream_speech(
        TEXTS[language], language=language, response_format="pcm"
    ):
        count += len(piece)
        arrivals_s.append(time.perf_counter() - started_s)
        bytes_so_far.append(count)
    return Streamed(tuple(arrivals_s), tuple(bytes_so_far))


async def pair(client: AsyncClient, language: str) -> Pair:
    streamed = await stream(client, language)
    started_s = time.perf_counter()
    await client.speak(TEXTS[language], language=language, response_format="pcm")
    return Pair(streamed, time.perf_counter() - started_s)


async def crowd(client: AsyncClient) -> list[Streamed]:
    """Stream to many callers at once."""
    found: list[Streamed] = []

    async def ask(number: int) -> Answer:
        found.append(await stream(client, CROWDED))
        return Answer()

    recording = Recording(Load("closed", CALLERS))
    await Stepper(ask, RealClock()).run(recording, Length(requests=CALLERS))
    check(recording)
    return found


async def measure(url: str, rounds: int) -> Results:
    async with AsyncClient(url, timeout=300) as client:
        voices = {voice.language: voice for voice in await client.voices()}
        for language in TEXTS:
            await pair(client, language)  # warm-up
        pairs: dict[str, list[Pair]] = {language: [] for language in TEXTS}
        crowds: list[Streamed] = []
        for _ in range(rounds):
            for language, of_language in pairs.items():
                of_language.append(await pair(client, language))
            crowds += await crowd(client)
    return results(pairs, crowds, voices)


def results(
    pairs: Mapping[str, Sequence[Pair]], crowds: Sequence[Streamed], voices: Mapping[str, Voice]
) -> Results:
    rows, findings = [], []
    for language, each in pairs.items():
        voice, whole_s = voices[language], [one.whole_s for one in each]
        first_s = [one.streamed.first_s for one in each]
        first = Spread.of_ratios(first_s, whole_s)
        last = Spread.of_ratios([one.streamed.last_s for one in each], whole_s)
        spreads = (Spread.of(first_s), Spread.of(whole_s), first, last)
        rows.append([f"{voice.id} ({voice.engine})", *(spread.text(2) for spread in spreads)])
        findings.append(
            f"With {voice.engine} the first audio of four sentences is there after "
            f"{_percents(first)} of the time of the whole answer, the last after {last.median:.0%}."
        )
    firsts_s, lasts_s = [one.first_s for one in crowds], [one.last_s for one in crowds]
    share = Spread.of_ratios(firsts_s, lasts_s)
    findings.append(
        f"With {CALLERS} callers at once a caller's first audio is there after {_percents(share)} "
        "of the time of the last."
    )
    spreads_of_crowd = (Spread.of(firsts_s), Spread.of(lasts_s), share)
    crowd_row: list[Cell] = [CALLERS, *(spread.text(2) for spread in spreads_of_crowd)]
    return Results(
        name="first-audio",
        title="First audio",
        findings=findings,
        tables=[
            Table(
                "Four sentences, streamed and as a whole, one caller",
                ["voice", "first audio s", "whole answer s", "first / whole", "streamed / whole"],
                rows,
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
            "pairs": {language: [*map(asdict, each)] for language, each in pairs.items()},
            "crowds": [*map(asdict, crowds)],
        },
    )


def _percents(share: Spread) -> str:
    return f"{share.median:.0%} ({share.least:.0%} to {share.most:.0%})"


def arrival_chart(voice: Voice, one: Pair) -> Chart:
    """Draw the seconds of audio that a listener has, against time."""
    audio_s = [count / BYTES_A_S for count in one.streamed.bytes_so_far]
    series = [
        Series("streamed", one.streamed.arrivals_s, audio_s),
        Series("whole", [one.whole_s], audio_s[-1:]),
    ]
    return Chart(f"{voice.id}: what has come, by when", "s since the request", "s of audio", series)


def bench(args: argparse.Namespace) -> Results:
    with serving(default_config(only=("tts-en", "tts-pt"))) as server:
        return asyncio.run(measure(server.url, 2 if args.quick else args.rounds))


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("two rounds"), "rounds": value(8)})
