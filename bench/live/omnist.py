"""Ask ``omnisteval`` for StreamLAAL and LongYAAL, in an environment of its own.

The reference is the server's own offline translation of the same audio, so the quality that it
tells is how near the live translation comes to that.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.live.feeding import Outcome
from bench.overhead.environments import foreign, made
from bench.serving import BenchFailed
from dragoman_client import Segment

PACKAGES = ("OmniSTEval==0.1.10",)
LIMIT_S = 300.0


def scores(outcome: Outcome, reference: Sequence[Segment]) -> dict[str, float]:
    """Return its table, in milliseconds; empty where nothing was translated.

    Raises:
        BenchFailed: it could not be asked.
    """
    if not outcome.target or not reference:
        return {}
    python = made("omnisteval", PACKAGES)
    began = outcome.sent_at(0.0)
    words = [(word, piece) for piece in outcome.target for word in piece.text.split()]
    hypothesis = {
        "source": "talk",
        "prediction": " ".join(word for word, _ in words),
        "delays": [1000 * (piece.place_s or 0.0) for _, piece in words],
        "elapsed": [1000 * (piece.at - began) for _, piece in words],
        "source_length": 1000 * outcome.ask.talk.duration_s,
    }
    spans = [
        {"wav": "talk", "offset": segment.start_s, "duration": segment.end_s - segment.start_s}
        for segment in reference
    ]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        (at / "spans.json").write_text(json.dumps(spans))
        (at / "hypothesis.jsonl").write_text(json.dumps(hypothesis))
        texts = (" ".join((segment.translation or "").split()) for segment in reference)
        (at / "reference.txt").write_text("".join(f"{text}\n" for text in texts))
        command = [str(python.parent / "omnisteval"), "longform", "--word_level"]
        command += ["--speech_segmentation", "spans.json", "--ref_sentences_file", "reference.txt"]
        command += ["--hypothesis_file", "hypothesis.jsonl", "--lang", outcome.ask.target or ""]
        command += ["--output_folder", "out"]
        done = subprocess.run(
            command, cwd=at, env=foreign(), capture_output=True, text=True, timeout=LIMIT_S
        )
        if done.returncode:
            raise BenchFailed(f"omnisteval: {done.stderr[-500:]}")
        lines = (at / "out" / "scores.tsv").read_text().splitlines()[1:]
    return {name: float(value) for name, value in (line.split("\t") for line in lines)}
