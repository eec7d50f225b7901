"""When speech begins to arrive: the first audio of four sentences against the whole answer's time.

The same text in turns, streamed and as a whole file, with the default voices and one caller.

    python -m bench.first_audio [--rounds 8] [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.results import Chart, Results, Series, Spread, Table, write
from dragoman_client import Client
from tests.e2e.server import ROOT, config_on_a_free_port, running

BYTES_A_SAMPLE = 2  # of `pcm`
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


@dataclass(frozen=True)
class Pair:
    """The text streamed and as a whole, one after the other."""

    streamed: Streamed
    whole_s: float

    @property
    def first_share(self) -> float:
        """Of the whole answer's time, until the first audio is there."""
        return self.streamed.arrivals_s[0] / self.whole_s

    @property
    def last_share(self) -> float:
        return self.streamed.arrivals_s[-1] / self.whole_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        path = config_on_a_free_port(Path(folder), voices_alone())
        with running(path) as server, Client(server.url, timeout=300) as client:
            voices = {v.language: (v.id, v.engine, v.sample_rate_hz) for v in client.voices()}
            for language in TEXTS:
                measure(client, language)  # warm-up
            found = [{lang: measure(client, lang) for lang in TEXTS} for _ in range(rounds)]
    pairs = {language: [of_round[language] for of_round in found] for language in TEXTS}
    write(results(pairs, voices))


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


def measure(client: Client, language: str) -> Pair:
    text, arrivals_s, bytes_so_far = TEXTS[language], [], [0]
    started = time.perf_counter()
    for piece in client.stream_speech(text, language=language, response_format="pcm"):
        arrivals_s.append(time.perf_counter() - started)
        bytes_so_far.append(bytes_so_far[-1] + len(piece))
    started = time.perf_counter()
    client.speak(text, language=language, response_format="pcm")
    whole_s = time.perf_counter() - started
    return Pair(Streamed(tuple(arrivals_s), tuple(bytes_so_far[1:])), whole_s)


def results(
    pairs: Mapping[str, Sequence[Pair]], voices: Mapping[str, tuple[str, str, int]]
) -> Results:
    rows, findings, charts = [], [], []
    for language, of_voice in pairs.items():
        name, engine, rate_hz = voices[language]
        first, last, whole_s = (
            Spread.of([getattr(pair, field) for pair in of_voice])
            for field in ("first_share", "last_share", "whole_s")
        )
        first_s = Spread.of([pair.streamed.arrivals_s[0] for pair in of_voice])
        rows.append([f"{name} ({engine})", *(s.text(2) for s in (first_s, whole_s, first, last))])
        findings.append(
            f"The first audio of four sentences is there after {first.median:.0%} "
            f"({first.least:.0%} to {first.most:.0%}) of the time of the whole answer with "
            f"{engine}, the last after {last.median:.0%}."
        )
        charts.append(arrival_chart(of_voice[-1], f"{name}: what has come, by when", rate_hz))
    columns = ["voice", "first audio s", "whole answer s", "first / whole", "streamed / whole"]
    return Results(
        name="first-audio",
        title="First audio",
        findings=findings,
        tables=[Table("Four sentences, streamed and as a whole, one caller", columns, rows)],
        charts=charts,
        notes=["Each stream and the whole file after it are one pair; shares are of pairs."],
        raw={language: [asdict(pair) for pair in of_voice] for language, of_voice in pairs.items()},
    )


def arrival_chart(pair: Pair, title: str, rate_hz: int) -> Chart:
    """Of one pair: seconds of audio that a listener has, against time."""
    audio_s = [n / BYTES_A_SAMPLE / rate_hz for n in pair.streamed.bytes_so_far]
    series = [
        Series("streamed", pair.streamed.arrivals_s, audio_s),
        Series("whole", [pair.whole_s], audio_s[-1:]),
    ]
    return Chart(title, "s since the request", "s of audio", series)


if __name__ == "__main__":
    main()
