"""Measure what a model takes for pieces of live speech, before its first request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from deployments.batching.selection import padded
from deployments.serve.sample import SAMPLE, SAMPLE_LANGUAGE, SAMPLE_PACKAGE
from deployments.telemetry.log import logger
from models.audio.decode import decode
from models.runtime import ItemError, Runtime, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, AsrItem, Item, Kind, NmtItem, Samples, TtsItem, VadItem

# Rows of the batches that are measured: few, as a server starts no sooner than they have run.
ROWS: Mapping[Kind, tuple[int, ...]] = {"vad": (1, 8), "asr": (1, 4), "nmt": (1, 8), "tts": (1,)}
PIECE_S, WINDOW_S = 0.5, 6.0
CLAUSE, SHORT = "We will call you back tomorrow, before noon.", "Good morning to you all."

Pace = tuple[tuple[float, float], ...]  # cost and seconds of each batch


def measured(
    runtime: Runtime[Any, Any], spec: RuntimeSpec, clock: Callable[[], float] = time.perf_counter
) -> Pace:
    """Run batches of live pieces; nothing where the model takes no part in live speech."""
    item = _piece(spec)
    if item is None:
        return ()
    found = []
    for rows in ROWS[spec.kind]:
        batch, started = [item] * rows, clock()
        results = runtime.run(batch)
        took_s = clock() - started
        errors = [result.error for result in results if isinstance(result, ItemError)]
        if errors:
            logger.warning("the pace of a model for live speech is not known: %s", errors[0])
            return ()
        found.append((rows * padded(item.length, spec.length_buckets), took_s))
    return tuple(found)


def _piece(spec: RuntimeSpec) -> Item | None:
    """Make an item of the size that live speech has; None: the model knows no language for it."""
    if spec.kind == "vad":
        return VadItem(_noise(PIECE_S))
    if spec.kind == "asr":
        # Noise would not do: a decoder takes as long as the text that it finds.
        language = SAMPLE_LANGUAGE if SAMPLE_LANGUAGE in spec.languages else None
        return AsrItem(
            _speech(WINDOW_S),
            language=language,
            temperature=0.0,
            word_timestamps=True,
            prefix="" if spec.takes_prefix else None,  # as updates of live speech are asked for
            beam_size=1 if spec.takes_prefix else None,
        )
    if spec.kind == "nmt":
        pairs = [*spec.pairs, *zip(spec.languages[:1], spec.languages[1:2], strict=False)]
        return NmtItem(CLAUSE, *pairs[0]) if pairs else None
    if spec.kind == "tts" and spec.voices:
        voice = spec.voices[0]
        return TtsItem(SHORT, voice.id, language=voice.language)
    return None


def _speech(duration_s: float) -> Samples:
    data = files(SAMPLE_PACKAGE).joinpath(SAMPLE).read_bytes()
    said = decode(data, max_duration_s=duration_s).samples
    wanted = round(duration_s * SAMPLE_RATE_HZ)
    return np.concatenate([said] * -(-wanted // len(said)))[:wanted]


def _noise(duration_s: float) -> Samples:
    count = int(duration_s * SAMPLE_RATE_HZ)
    return np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
