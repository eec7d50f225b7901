"""Translations of parts of a recording: what is kept of each, and how they are one again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deployments.graph.context import Context
from deployments.graph.pipeline import SpeechTranslation
from deployments.graph.sentences import Sentence, placed
from deployments.graph.speakers import SpeakerVoice
from deployments.graph.voice_embeddings import LITTLE_SPEECH, NO_SPEECH, HeardVoice
from deployments.jobs.kept import Figures, TranslatedPart
from models.audio.segments import Window
from models.types import Voiceprint

OF_A_CLIP = {LITTLE_SPEECH, NO_SPEECH}  # warnings that say nothing of the whole recording
LEAST_WEIGHT = 1e-3


def kept(answer: SpeechTranslation, context: Context) -> TranslatedPart:
    """Return what is kept of a part's translation, beside its speech."""
    figures = Figures.of(context)
    figures = replace(figures, warnings=tuple(w for w in figures.warnings if w not in OF_A_CLIP))
    voice, sound = answer.heard_voice, answer.audio
    return TranslatedPart(
        duration_s=answer.duration_s,
        language=answer.language,
        language_probability=answer.language_probability,
        sentences=tuple(replace(sentence, audio=None) for sentence in answer.sentences),
        figures=figures,
        pivot=answer.pivot,
        voice=answer.voice,
        voice_similarity=answer.voice_similarity,
        sound_samples=0 if sound is None else len(sound.samples),
        sound_rate_hz=0 if sound is None else sound.sample_rate_hz,
        embedding=None if voice is None else tuple(voice.voiceprint.embedding.tolist()),
        speech_s=0.0 if voice is None else voice.speech_s or 0.0,
        speakers=answer.speakers,
    )


def joined(
    parts: Sequence[TranslatedPart], windows: Sequence[Window], duration_s: float
) -> SpeechTranslation:
    """Join the translations of all parts, without their speech.

    Speakers are told apart within each part: of several parts, they are named by the part, too.
    """
    spoken_s: defaultdict[str, float] = defaultdict(float)
    probabilities: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        if part.language is not None:
            spoken_s[part.language] += part.spoken_s
            probabilities[part.language] = max(
                probabilities[part.language], part.language_probability
            )
    language = max(spoken_s, key=spoken_s.__getitem__, default=None)
    if len(parts) > 1:
        parts = [_numbered(part, number) for number, part in enumerate(parts, 1)]
    return SpeechTranslation(
        duration_s,
        language,
        0.0 if language is None else probabilities[language],
        tuple(
            _placed(sentence, window)
            for part, window in zip(parts, windows, strict=True)
            for sentence in part.sentences
        ),
        voice=next((part.voice for part in parts if part.voice is not None), None),
        heard_voice=_heard_voice(parts),
        pivot=next((part.pivot for part in parts if part.pivot is not None), None),
        voice_similarity=_similarity(parts),
        speakers=tuple(speaker for part in parts for speaker in part.speakers),
    )


def _numbered(part: TranslatedPart, number: int) -> TranslatedPart:
    """Name the speakers of a part by its number, too."""

    def named(speaker: str | None) -> str | None:
        return None if speaker is None else f"{number}{speaker}"

    sentences = tuple(replace(each, speaker=named(each.speaker)) for each in part.sentences)
    speakers = tuple(
        SpeakerVoice(f"{number}{each.speaker}", each.seconds, each.similarity)
        for each in part.speakers
    )
    return replace(part, sentences=sentences, speakers=speakers)


def _placed(sentence: Sentence, window: Window) -> Sentence:
    """Count the times of a part's sentence from the start of the recording."""
    there = placed(sentence, window)
    if there.place is None:
        return there
    start_s, end_s = there.place.start_s + window.start_s, there.place.end_s + window.start_s
    return replace(there, place=replace(there.place, start_s=start_s, end_s=end_s))


def _heard_voice(parts: Sequence[TranslatedPart]) -> HeardVoice | None:
    """Return the mean of the parts' voices, by how much speech there is of each."""
    heard = [part for part in parts if part.embedding is not None]
    if not heard:
        return None
    weights = [max(part.speech_s, LEAST_WEIGHT) for part in heard]
    mean = np.average([part.embedding for part in heard], axis=0, weights=weights)
    voiceprint = Voiceprint((mean / max(np.linalg.norm(mean), 1e-9)).astype(np.float32))
    return HeardVoice(voiceprint, sum(part.speech_s for part in heard))


def _similarity(parts: Sequence[TranslatedPart]) -> float | None:
    """Return the mean of the parts' similarities, by how long somebody speaks in each."""
    told = [(part.voice_similarity, part.spoken_s) for part in parts]
    known = [(cosine, max(weight, LEAST_WEIGHT)) for cosine, weight in told if cosine is not None]
    if not known:
        return None
    cosines, weights = zip(*known, strict=True)
    return float(np.average(cosines, weights=weights))
