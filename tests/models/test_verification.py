"""Speakers verified by GE2E's real weights and the threshold that ships with it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from deployments.ingress.comparison import THRESHOLDS, compare
from models.device import DeviceRequest
from models.runtime import RuntimeSettings
from models.speaker.ge2e import Ge2eSpeaker, Options
from models.types import SpeakerItem, Voiceprint
from tests.speech import clips

CLIPS = clips()
# The share of pairs that may be misjudged: of those of one speaker, and of those of two.
MAX_ERROR = 0.08


@pytest.fixture(scope="module")
def voiceprints() -> list[Voiceprint]:
    runtime = Ge2eSpeaker(
        RuntimeSettings("speaker", "package:resemblyzer", DeviceRequest("cpu")), Options()
    )
    runtime.load()
    results = runtime.run([SpeakerItem(clip.samples()) for clip in CLIPS])
    runtime.close()
    return [result for result in results if isinstance(result, Voiceprint)]


def errors(voiceprints: list[Voiceprint], *, of_one_speaker: bool) -> list[bool]:
    """Of each pair of clips of one speaker, or else of two: whether it was misjudged."""
    found = []
    for (a, first), (b, second) in combinations(zip(CLIPS, voiceprints, strict=True), 2):
        if (a.speaker == b.speaker) == of_one_speaker:
            (row,) = compare([first], [second], threshold=THRESHOLDS["ge2e"])
            found.append(row.same_speaker != of_one_speaker)
    return found


def test_one_speaker_is_accepted(voiceprints: list[Voiceprint]) -> None:
    assert np.mean(errors(voiceprints, of_one_speaker=True)) < MAX_ERROR


def test_two_speakers_are_refused(voiceprints: list[Voiceprint]) -> None:
    assert np.mean(errors(voiceprints, of_one_speaker=False)) < MAX_ERROR


def test_a_search_finds_another_clip_of_its_speaker(voiceprints: list[Voiceprint]) -> None:
    found = 0
    for index, query in enumerate(CLIPS):
        others = [other for other in range(len(CLIPS)) if other != index]
        (nearest,) = compare(
            [voiceprints[index]], [voiceprints[i] for i in others], threshold=None, top_k=1
        )
        found += CLIPS[others[nearest.compare_index]].speaker == query.speaker

    assert found >= 0.9 * len(CLIPS)
