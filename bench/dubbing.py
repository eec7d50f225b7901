"""A dubbed film: where each sentence is said and heard, who sounds like whom, and what is in it.

    PYTHONPATH=client python -m bench.dubbing [--threads 1] [--keep FOLDER]

A film of a minute, in which three people talk in English, is dubbed into Portuguese by the whole
application in this process, with the models of ``serve_config.yaml``. The times at which people
speak are known, as the film is made here. No model among them clones voices, so how alike a
speaker and the dub are is shown and not judged.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import av
import httpx
import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.command import run, value
from bench.dubbing_clip import VOICES, Clip, film, spoken
from bench.results import Aim, Cell, Results, Table
from bench.serving import default_config
from deployments.config.schema import AppConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.types import SAMPLE_RATE_HZ
from tests.support.local import fake_fleet

TRANSLATE, EMBED = "/v1/speech/translations", "/v1/audio/embeddings"
ASKED = {
    "source_language": "en",  # or the accent of Kokoro's Japanese voice is taken for Japanese
    "target_language": "pt",
    "fit": "duration",
    "background": "duck",
}
HEARD = 0.02  # of full scale: quieter is no speech of the dub
Row: TypeAlias = dict[str, Any]


async def dubbed(data: bytes, made: Clip) -> tuple[Row, bytes, dict[str, float]]:
    """Return the answer in JSON, the dubbed film, and the similarity of each speaker."""
    config = AppConfig.model_validate(default_config()["applications"][0]["args"])
    fleet = await fake_fleet(config)
    transport = httpx.ASGITransport(asgi_app(fleet, config, Admission(8)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", timeout=600
    ) as http:
        alone = {**ASKED, "background": "none"}
        answer = (await _asked(http, TRANSLATE, {"file": data}, alone)).json()
        asked = {**ASKED, "response_format": "mp4", "subtitles": "true"}
        made_film = (await _asked(http, TRANSLATE, {"file": data}, asked)).content
        return answer, made_film, await _alike(http, made, answer)


async def _asked(
    http: httpx.AsyncClient, path: str, files: Mapping[str, bytes], fields: Mapping[str, str]
) -> httpx.Response:
    parts = [(name, (name, content)) for name, content in files.items()]
    response = await http.post(path, files=parts, data=fields)
    response.raise_for_status()
    return response


async def _alike(http: httpx.AsyncClient, made: Clip, answer: Row) -> dict[str, float]:
    """Compare each speaker with the dub of what they said."""
    track = _track(answer)
    found = {}
    for speaker in VOICES:
        said = [_cut(made.samples, line.span.start_s, line.span.end_s)
                for line in made.lines if line.speaker == speaker]  # fmt: skip
        heard = [
            _cut(track, row["placed"]["start"], row["placed"]["end"])
            for row in answer["segments"]
            if row.get("placed") and _line_of(made, row).speaker == speaker
        ]
        files = {"file": _wav(np.concatenate(said)), "compare": _wav(np.concatenate(heard))}
        (comparison,) = (await _asked(http, EMBED, files, {})).json()["comparisons"]
        found[speaker] = float(comparison["cosine"])
    return found


def _line_of(made: Clip, row: Row) -> Any:
    """Return the line that a sentence was heard in most."""

    def shared_s(line: Any) -> float:
        shared: float = min(line.span.end_s, row["end_s"]) - max(line.span.start_s, row["start_s"])
        return shared

    return max(made.lines, key=shared_s)


def _track(answer: Row) -> NDArray[np.int16]:
    """Return the dubbed track at 16 kHz."""
    samples, rate_hz = soundfile.read(
        io.BytesIO(base64.b64decode(answer["audio"]["data"])), dtype="int16"
    )
    resampled = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    pieces = [*resampled.resample(frame), *resampled.resample(None)]
    return np.concatenate([piece.to_ndarray()[0] for piece in pieces if piece is not None])


def _cut(samples: NDArray[np.int16], start_s: float, end_s: float) -> NDArray[np.int16]:
    return samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]


def _wav(samples: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="WAV")
    return file.getvalue()


def _pictures(rows: list[list[Cell]]) -> int:
    """Return how many packets the first stream has, which is that of the pictures."""
    packets = rows[0][5]
    assert isinstance(packets, int)
    return packets


def streams(data: bytes) -> list[list[Cell]]:
    """List a file's streams, each decoded to its end, as ffprobe counts them."""
    rows: list[list[Cell]] = []
    with av.open(io.BytesIO(data)) as container:
        kinds = [(stream.index, stream.type) for stream in container.streams]
    for index, kind in kinds:
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams[index]
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
            last_s = max(float((p.pts + (p.duration or 0)) * p.time_base) for p in packets)
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams[index]
            frames = (
                len(packets) if kind == "subtitle" else sum(1 for _ in container.decode(stream))
            )
            language = stream.metadata.get("language")
            is_default = bool(stream.disposition & av.stream.Disposition.default)
            rows.append(
                [kind, stream.codec_context.name, language, "yes" if is_default else "no",
                 len(packets), frames, last_s]
            )  # fmt: skip
    return rows


def overlaps(places: Sequence[Row]) -> int:
    return sum(before["end"] > behind["start"] for before, behind in pairwise(places))


def _heard_span(track: NDArray[np.int16], place: Row) -> tuple[float, float]:
    """Return where the dub is heard around a place."""
    start_s = max(0.0, place["start"] - 0.05)
    part = np.abs(_cut(track, start_s, place["end"] + 0.05)) > HEARD * 32_768
    loud = np.flatnonzero(part) / SAMPLE_RATE_HZ
    return (start_s + loud[0], start_s + loud[-1]) if len(loud) else (0.0, 0.0)


def bench(args: argparse.Namespace) -> Results:
    made = spoken(args.threads)
    data = film(made)
    answer, dub, alike = asyncio.run(dubbed(data, made))
    if args.keep:
        folder = Path(args.keep)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "film.mp4").write_bytes(data)
        (folder / "film.pt.mp4").write_bytes(dub)
    return results(made, data, dub, answer, alike)


def results(
    made: Clip, data: bytes, dub: bytes, answer: Row, alike: Mapping[str, float]
) -> Results:
    track = _track(answer)
    placed = [row for row in answer["segments"] if row.get("placed")]
    rows: list[list[Cell]] = []
    for row in placed:
        line, place = _line_of(made, row), row["placed"]
        heard = _heard_span(track, place)
        rows.append(
            [
                line.speaker,
                f"{line.span.start_s:.2f} to {line.span.end_s:.2f}",
                f"{row['start_s']:.2f} to {row['end_s']:.2f}",
                f"{place['start']:.2f} to {place['end']:.2f}",
                f"{heard[0]:.2f} to {heard[1]:.2f}",
                place["speed"],
                row["text"],
                row["translation"],
            ]
        )
    drift_s = abs(answer["audio"]["duration_s"] - made.duration_s)
    late = [abs(row["placed"]["start"] - row["start_s"]) for row in placed]
    first = {_line_of(made, row).span.start_s: row for row in reversed(placed)}
    off = [abs(row["placed"]["start"] - start_s) for start_s, row in first.items()]
    last = placed[-1]
    last_s = abs(last["placed"]["end"] - last["end_s"])
    of_film = streams(dub)
    codes = sorted({warning["code"] for warning in answer["warnings"]})
    aims = [
        Aim.at_most("overlaps", float(overlaps([row["placed"] for row in placed])), 0),
        Aim.at_most("drift at the end", drift_s, 0.1, " s"),
        Aim.at_most("pictures lost", float(abs(_pictures(of_film) - _pictures(streams(data)))), 0),
    ]
    findings = [
        f"{len(placed)} sentences, {overlaps([row['placed'] for row in placed])} overlaps; the "
        f"track is {drift_s * 1000:.0f} ms longer or shorter than the film's sound.",
        f"A sentence begins {np.median(late):.2f} s from where it was recognised (median; at most "
        f"{max(late):.2f} s), and {np.median(off):.2f} s from where it was said (at most "
        f"{max(off):.2f} s); the last one ends {last_s:.2f} s from its original's end.",
        f"Warnings: {', '.join(codes) or 'none'}.",
    ]
    columns = ["who", "said, s", "recognised, s", "placed, s", "heard, s", "speed"]
    return Results(
        name="dubbing",
        title="A dubbed film",
        findings=findings,
        tables=[
            Table("Aims", ["what", "measured", "aim", "met"], [aim.row for aim in aims]),
            Table("Spans of source and target", [*columns, "text", "translation"], rows),
            Table(
                "Voices: the cosine of the speaker's embedding and that of the dub",
                ["who", "voice", "cosine"],
                [[who, voice, round(alike[who], 3)] for who, voice in VOICES.items()],
            ),
            Table(
                "Streams of the film, and of the dubbed one",
                ["film", "kind", "codec", "language", "default", "packets", "decoded", "ends, s"],
                [
                    [name, *row]
                    for name, rows in (("source", streams(data)), ("dubbed", of_film))
                    for row in rows
                ],
            ),
        ],
        notes=[
            f"The film lasts {made.duration_s:.2f} s. The dub speaks with Kokoro's jm_kumo.",
            "Said: as the film was made. Heard: where the dubbed track is louder than "
            f"{HEARD:g} of full scale.",
        ],
        raw={"answer": {**answer, "audio": None}, "similarity": dict(alike)},
        failed=not all(aim.met for aim in aims),
    )


if __name__ == "__main__":
    run(
        __doc__,
        bench,
        {"threads": value(1, "of each voice"), "keep": value("", "a folder for the two films")},
    )
