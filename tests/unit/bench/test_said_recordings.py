"""The recordings that the bench of recognition makes, and what it tells of hearers good and bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from bench.results import Aim
from bench.said import junk, length, mixed, paused, repeated, short
from bench.said.hearing import Heard, Piece, Run
from bench.said.recordings import (
    LANGUAGES,
    LONG_PAUSES_S,
    Clip,
    Recording,
    as_recording,
    clips,
    joined,
    long,
    of_language,
)
from bench.said.telling import Told
from models.types import SAMPLE_RATE_HZ

Hearer = Callable[[Recording], Heard]


def clip(text: str, language: str = "en", duration_s: float = 1.0) -> Clip:
    return Clip(text, language, text, np.ones(round(duration_s * SAMPLE_RATE_HZ), np.int16))


def perfectly(recording: Recording) -> Heard:
    parts = recording.parts
    pieces = tuple(Piece(p.start_s, p.end_s, p.text, p.language, -0.2, 0.01) for p in parts)
    return Heard(recording.text, recording.language, pieces)


def twice(recording: Recording) -> Heard:
    return Heard(f"{recording.text} {recording.text}", recording.language)


def nothing(recording: Recording) -> Heard:
    return Heard("", recording.language)


def run(recordings: Sequence[Recording], hearer: Hearer, way: str = "server") -> Run:
    return Run(way, {each.name: hearer(each) for each in recordings}, 1.0, 1.0)


def aims(told: Told, what: str) -> list[Aim]:
    return [aim for aim in told.aims if what in aim.what]


# ---- recordings ------------------------------------------------------------------------


def test_parts_are_where_the_speech_is() -> None:
    found = joined("some", [clip("a"), clip("b", duration_s=0.5)], [2.0], margin_s=0.25)

    assert [(part.start_s, part.end_s) for part in found.parts] == [(0.25, 1.25), (3.25, 3.75)]
    assert found.duration_s == pytest.approx(4.0)


def test_what_has_no_text_is_no_part() -> None:
    sound = Clip("music", "", "", np.ones(SAMPLE_RATE_HZ, np.int16))

    found = joined("some", [clip("a"), sound, clip("b")], [0.0, 0.0])

    assert (found.text, found.language) == ("a b", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_clips(language: str) -> None:
    assert len(of_language(language)) > 40


def test_clips_have_names_of_their_own() -> None:
    assert len({each.name for each in clips()}) == len(clips())


@pytest.mark.parametrize("minutes", [1.0, 5.0])
def test_a_long_recording_is_nearly_as_long_as_asked(minutes: float) -> None:
    longest_s = max(each.duration_s for each in of_language("es")) + LONG_PAUSES_S[1]

    found = long("es", minutes, "some")

    assert 60 * minutes - longest_s < found.duration_s <= 60 * minutes


def test_no_clip_of_a_long_recording_follows_itself() -> None:
    found = long("it", 10.0, "some")

    assert all(one.text != other.text for one, other in pairwise(found.parts))


def test_sounds_stand_between_the_clips_of_a_long_recording() -> None:
    sound = Clip("music", "", "", np.full(SAMPLE_RATE_HZ, 12_345, np.int16))

    found = long("en", 1.0, "some", [sound])

    assert np.count_nonzero(found.samples == 12_345) >= 2 * SAMPLE_RATE_HZ
    assert found.language == "en"


def test_recordings_are_the_same_in_each_run() -> None:
    assert np.array_equal(long("fr", 1.0, "some").samples, long("fr", 1.0, "some").samples)


def test_mixed_recordings_have_several_languages() -> None:
    found = mixed.recordings()

    assert len(found) >= 30
    assert all(spoken.recording.language is None for spoken in found)


def test_clips_of_several_languages_are_of_some_seconds() -> None:
    assert all(2 <= each.duration_s <= 6 for spoken in mixed.recordings() for each in spoken.clips)


def words(count: int, sign_at: int | None = None) -> list[Piece]:
    return [
        Piece(number / 2, number / 2 + 0.4, f" w{'x' * number}{',' if number == sign_at else ''}")
        for number in range(count)
    ]


def test_a_sentence_is_cut_between_words() -> None:
    found = list(paused.cuts(clip("eight words", duration_s=4.0), words(8)))

    assert [len(cut.before.split()) for cut in found] == [3, 4, 5]
    assert all(cut.before.split()[-1] != cut.after.split()[0] for cut in found)


def test_a_sentence_is_not_cut_behind_a_sign() -> None:
    found = list(paused.cuts(clip("eight words", duration_s=4.0), words(8, sign_at=3)))

    assert [len(cut.before.split()) for cut in found] == [3, 5]


def test_the_quietest_moment_near_a_gap_is_cut() -> None:
    loud = clip("seven words", duration_s=3.5)
    loud.samples[:] = 1000
    quiet = slice(round(1.42 * SAMPLE_RATE_HZ), round(1.46 * SAMPLE_RATE_HZ))
    loud.samples[quiet] = 0

    (first, *_) = paused.cuts(loud, words(7))

    assert 1.42 <= first.at_s <= 1.46


def test_a_pause_makes_a_clip_longer_by_itself() -> None:
    (cut, *_) = paused.cuts(clip("eight words", duration_s=4.0), words(8))

    assert cut.paused(3.0).duration_s == pytest.approx(7.0)
    assert cut.paused(0.0).duration_s == pytest.approx(4.0)


# ---- what is told ----------------------------------------------------------------------


def of_clips(hearer: Hearer) -> Told:
    some = [as_recording(each) for each in clips()[::10]]
    served = run(some, hearer)
    detected = [str(each.language) for each in some]
    return short.report(short.Found(some, run(some, perfectly), detected, *[served] * 5))


def test_clips_heard_well_are_not_said_twice() -> None:
    assert all(aim.met for aim in aims(of_clips(perfectly), "twice"))


@pytest.mark.parametrize(
    ("hearer", "what"),
    [
        pytest.param(twice, "said twice", id="twice"),
        pytest.param(nothing, "WER over", id="nothing"),
    ],
)
def test_clips_heard_badly_miss_an_aim(hearer: Hearer, what: str) -> None:
    assert not any(aim.met for aim in aims(of_clips(hearer), what))


def repetitions_kept(hearer: Hearer) -> Told:
    said = (clip("please try again"), clip("please try again"))
    some = [repeated.Repetition("twice", (said[0],) * 2, joined("r", [said[0]] * 2, [0.5]))]
    recordings = [each.recording for each in some]
    served = run(recordings, hearer)
    alone = [run([as_recording(said[0])], perfectly)]
    reference = run(recordings, perfectly, "faster-whisper")
    return repeated.report(repeated.Found(some, reference, served, served, alone))


def test_a_repetition_heard_whole_is_kept() -> None:
    assert all(aim.met for aim in repetitions_kept(perfectly).aims)


@pytest.mark.parametrize(
    "hearer",
    [
        pytest.param(lambda _: Heard("Please try again."), id="once"),
        pytest.param(twice, id="too-often"),
        pytest.param(nothing, id="nothing"),
    ],
)
def test_a_repetition_heard_otherwise_is_not_kept(hearer: Hearer) -> None:
    assert not any(aim.met for aim in repetitions_kept(hearer).aims)


def of_minutes(hearer: Hearer) -> Told:
    recording = long("en", 1.0, "a minute")
    reference, served = run([recording], perfectly), run([recording], hearer)
    return length.report([length.Found(recording, reference, reference, served, served)])


def test_minutes_heard_well_lose_no_word() -> None:
    assert all(aim.met for aim in of_minutes(perfectly).aims)


def test_minutes_heard_as_nothing_lose_words() -> None:
    assert not any(aim.met for aim in aims(of_minutes(nothing), "words lost"))


def of_pauses(sign: str) -> Told:
    (cut, *_) = paused.cuts(
        clip("w wx wxx wxxx wxxxx wxxxxx wxxxxxx wxxxxxxx", duration_s=4.0), words(8)
    )
    recordings = {pause_s: [cut.paused(pause_s)] for pause_s in (0.0, *paused.PAUSES_S)}
    flat = [each for group in recordings.values() for each in group]

    def heard(recording: Recording) -> Heard:
        middle = " " if recording is flat[0] else f"{sign} "
        return Heard(f"{cut.before}{middle}{cut.after}")

    runs = [run(flat, perfectly), run(flat, heard), run(flat, heard)]
    return paused.report(paused.Found([cut], recordings, runs))


def test_a_sentence_heard_whole_is_not_broken() -> None:
    assert all(aim.met for aim in of_pauses("").aims)


@pytest.mark.parametrize("sign", [".", "...", "?"])
def test_a_sentence_that_ends_at_the_pause_is_broken(sign: str) -> None:
    assert not any(aim.met for aim in aims(of_pauses(sign), "broken"))


def of_languages(hearer: Hearer) -> Told:
    spoken = mixed.recordings()[:6]
    some = [each.recording for each in spoken]
    alone = run(
        [as_recording(c) for c in dict.fromkeys(c for s in spoken for c in s.clips)], perfectly
    )
    served, reference = run(some, hearer), run(some, perfectly, "faster-whisper")
    return mixed.report(mixed.Found(spoken, [served] * 2, [reference], alone, alone))


def test_several_languages_heard_well_are_recovered() -> None:
    assert all(aim.met for aim in of_languages(perfectly).aims)


def test_a_language_that_is_lost_is_told() -> None:
    def english(recording: Recording) -> Heard:
        return Heard(" ".join(part.text for part in recording.parts if part.language == "en"))

    assert not any(aim.met for aim in aims(of_languages(english), "words recovered"))


def test_segments_without_their_language_are_told() -> None:
    def silent(recording: Recording) -> Heard:
        pieces = tuple(Piece(part.start_s, part.end_s, part.text) for part in recording.parts)
        return Heard(recording.text, "en", pieces)

    assert not any(aim.met for aim in aims(of_languages(silent), "segments"))


@pytest.mark.parametrize(
    ("heard", "doubted"),
    [
        pytest.param(Heard(""), True, id="no-words"),
        pytest.param(Heard("Thank you."), False, id="words"),
        pytest.param(Heard("Thank you.", warnings=("uncertain",)), True, id="a-warning"),
        pytest.param(
            Heard("Oh.", pieces=(Piece(0, 1, "Oh.", "en", -1.4, 0.1),)), True, id="improbable"
        ),
        pytest.param(
            Heard("Oh.", pieces=(Piece(0, 1, "Oh.", "en", -0.3, 0.9),)), True, id="silence"
        ),
        pytest.param(Heard("Oh.", pieces=(Piece(0, 1, "Oh.", "en", -0.3, 0.1),)), False, id="sure"),
    ],
)
def test_words_of_junk_need_a_sign_of_doubt(heard: Heard, doubted: bool) -> None:
    noise = Recording("noise", np.zeros(SAMPLE_RATE_HZ, np.int16), ())
    served = run([noise], lambda _: heard)

    (aim,) = junk.report(junk.Found({"noise": [noise]}, served, served, served)).aims

    assert aim.met is doubted
