"""Print the results of the commands: texts, timings, speakers, a diagnosis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from msgspec import structs

from . import console
from .server_types import Diagnosis
from .types import Audio, SpeakerMatch, SpeechTranslation, Timings, Transcript


def show_translation(result: SpeechTranslation, *, as_json: bool) -> None:
    if as_json:
        console.show_json(translation_json(result))
        return
    show_texts(result)
    typer.echo()
    _show_timings(result.timings)


def show_texts(result: SpeechTranslation) -> None:
    """Print the transcript and its translation, a line each, then warnings and the voice."""
    transcript, translation = result.transcript, result.translation
    if transcript.language is None:
        typer.echo("no speech")
    else:
        typer.echo(f"transcript ({_detected(transcript)}): {transcript.text}")
        via = f" via {translation.pivot}" if translation.pivot else ""
        typer.echo(f"translation ({translation.language}{via}): {translation.text}")
    for warning in result.warnings:
        typer.echo(f"warning: {warning.message}")
    if result.voice_similarity is not None:
        typer.echo(f"voice: the speaker's own, cosine {result.voice_similarity:.2f}")
    for each in result.speakers if len(result.speakers) > 1 else ():
        similarity = "unknown" if each.voice_similarity is None else f"{each.voice_similarity:.2f}"
        typer.echo(f"speaker {each.speaker}: {each.seconds:.1f} s, own voice, cosine {similarity}")
    if result.embedding is not None:
        typer.echo(f"embedding: {len(result.embedding)} values (--json prints them)")


def _detected(transcript: Transcript) -> str:
    """Return the language and its probability."""
    probability = transcript.language_probability
    language = transcript.language or ""
    return language if probability is None else f"{language}, {probability:.0%}"


def _show_timings(timings: Timings) -> None:
    rows: list[tuple[console.Cell, ...]] = [
        (
            row.stage,
            row.wall_ms,
            row.queue_ms if row.model else None,
            row.batch_size if row.model else None,
            row.model,
        )
        for row in timings.stages
    ]
    rows.append(("total", timings.total_ms, None, None, None))
    console.show_table(("stage", "ms", "queue ms", "batch", "model"), rows)


def translation_json(result: SpeechTranslation) -> dict[str, Any]:
    """Return all fields but the audio's bytes, which belong in a file."""
    fields = structs.asdict(result)
    if result.audio is not None:
        fields["audio"] = structs.asdict(result.audio)
        del fields["audio"]["data"]
    return fields


def write_audio(result: SpeechTranslation, output: Path) -> None:
    audio = result.audio
    if audio is None:
        console.notice(f"no speech in the file: {output} was not written")
    else:
        console.write(output, audio.data, audio_facts(audio))


def audio_facts(audio: Audio) -> str:
    return f"{audio.format}, {audio.duration_s:.2f} s, {audio.sample_rate_hz} Hz"


def show_matches(matches: Sequence[SpeakerMatch], names: Sequence[str]) -> None:
    """Print the files that were searched, nearest first; ``names`` are in the order of sending."""
    judgement = {True: "yes", False: "no", None: None}
    console.show_table(
        ("rank", "file", "cosine", "same speaker", "threshold", "speech s"),
        [
            (
                rank,
                names[match.index],
                f"{match.cosine:.4f}",
                judgement[match.same_speaker],
                None if match.threshold is None else f"{match.threshold:.2f}",
                None if match.speech_s is None else f"{match.speech_s:.1f}",
            )
            for rank, match in enumerate(matches, start=1)
        ],
    )


def vector_json(values: tuple[float, ...]) -> str:
    return json.dumps(values)


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Print the findings, each problem with its fix, and the verdict below."""
    if as_json:
        console.show_json(diagnosis)
        return
    rows = [(row.status, row.check, row.found, row.fix) for row in diagnosis.findings]
    console.show_table(("status", "check", "found", "fix"), rows)
    typer.echo()
    typer.echo(f"{diagnosis.hostname}: {diagnosis.verdict}")
