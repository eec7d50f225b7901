"""The bench of live sessions: its figures from events whose times are known, and its feeder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.gpu import live_report
from bench.gpu.live import line as gpu_line
from bench.live import measures, report
from bench.live.audio import BYTES_A_S, Prompt, Span, Talk, talk
from bench.live.feeding import Ask, Outcome, Word, feed
from bench.live.sessions import from_raw, line
from bench.live.whisperlivekit import settled
from tests.support.live_server import FakeSession, serving

SPANS = (Span("Good day to you.", 0.5, 1.0), Span("And good night.", 2.0, 3.0))
TALK = Talk(Path("talk.pcm"), "en", 4.0, SPANS)
SENT = [10.0 + 0.2 * number for number in range(1, 21)]  # each frame as it was spoken


def outcome(
    source: Sequence[tuple[float, str]], target: Sequence[tuple[float, str, float]] = ()
) -> Outcome:
    """What came: pieces with their times, those of the translation with their places, too."""
    return Outcome(
        Ask(TALK),
        SENT,
        [Word(at, text, None) for at, text in source],
        [Word(at, text, place_s) for at, text, place_s in target],
        is_whole=True,
    )


def test_a_lag_counts_from_the_last_sample_to_the_last_word() -> None:
    heard = measures.prompts(
        outcome([(10.8, "Good day"), (11.5, " to you. "), (13.0, "And good nig"), (13.6, "ht.")])
    )
    assert [each.lag_s for each in heard] == pytest.approx([0.5, 0.6])
    assert [(each.words, each.early) for each in heard] == [(4, 2), (3, 0)]


def test_words_that_no_space_parts_have_times_of_their_own() -> None:
    words = measures.timed_words([Word(1.0, "to you.", None), Word(2.0, "And good", None)])
    assert words == [("to", 1.0), ("you", 1.0), ("and", 2.0), ("good", 2.0)]


def test_a_prompt_of_which_nothing_came_is_missed() -> None:
    found = measures.figures(outcome([(11.5, "Good day to you.")]), None, None)
    assert found.missed_spans == 1


def test_a_translation_is_whole_when_its_last_piece_came() -> None:
    pieces = [(11.5, "Bom ", 0.7), (11.7, "dia.", 1.1), (14.0, " E boa noite.", 3.0)]
    heard = outcome([], pieces)
    found = measures.by_prompt(heard, heard.target)
    assert [place for place, _ in found] == pytest.approx([1.0, 3.0])
    assert [lag for _, lag in found] == pytest.approx([0.7, 1.0])


def test_a_piece_of_two_prompts_is_waited_for_by_both() -> None:
    heard = outcome([], [(14.0, "Bom dia e boa noite.", 3.0)])
    found = measures.by_prompt(heard, heard.target)
    assert [lag for _, lag in found] == pytest.approx([3.0, 1.0])


def test_speech_is_heard_at_the_first_sample_of_the_last_piece_of_a_prompt() -> None:
    spoken = [Word(at, "", place) for at, place in ((11.2, 0.7), (11.6, 1.1), (12.5, 1.1))]
    (found,) = measures.by_prompt(outcome([]), measures.firsts(spoken))
    assert found == pytest.approx((1.0, 0.6))


def test_a_translation_lags_behind_the_place_that_its_event_names() -> None:
    found = measures.lags(
        outcome([], [(11.5, "Bom dia.", 1.0), (14.0, " E boa noite.", 3.0)]),
        [Word(11.5, "Bom dia.", 1.0), Word(14.0, " E boa noite.", 3.0)],
    )
    assert [lag for _, lag in found] == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize(
    ("lags_s", "slope"),
    [([1.0, 1.0, 1.0], 0.0), ([1.0, 2.0, 3.0], 100.0)],
    ids=["steady", "falling-behind"],
)
def test_the_slope_says_whether_the_lag_grows(lags_s: list[float], slope: float) -> None:
    points = list(zip([0.0, 10.0, 20.0], lags_s, strict=True))
    assert measures.slope_ms_a_s(points) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("hypothesis", "words"),
    [("a b c d", 0), ("a b", 2), ("a c d", 0), ("", 4)],
    ids=["whole", "end-cut", "middle-cut", "nothing"],
)
def test_only_words_at_the_end_are_lost(hypothesis: str, words: int) -> None:
    assert measures.lost("a b c d", hypothesis) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [("a b c a b c d", 3), ("very very good", 0), ("a b c d", 0), ("a b c d a b c d", 4)],
    ids=["three", "one-is-speech", "none", "four"],
)
def test_words_said_twice_are_counted(text: str, words: int) -> None:
    assert measures.repeated(text) == words


def test_erasure_counts_the_words_that_were_taken_back() -> None:
    assert measures.erasure(["a", "a b", "a b c d"]) == 0
    assert measures.erasure(["a b", "a x", "a x y z"]) == 0.25


def test_a_word_is_settled_when_it_no_longer_changes() -> None:
    words = settled([(1.0, "good"), (2.0, "good bye"), (3.0, "good day you")])
    assert [(word.text.strip(), word.at) for word in words] == [
        ("good", 1.0),
        ("day", 3.0),
        ("you", 3.0),
    ]


def test_a_talk_knows_what_is_said_in_it_and_when(tmp_path: Path) -> None:
    quiet, loud = np.zeros(1600, np.int16), np.full(16_000, 9000, np.int16)
    prompts = [Prompt(text, np.concatenate([quiet, loud, quiet])) for text in ("one", "two")]
    made = talk(tmp_path / "talk.pcm", "en", 8.0, 1, prompts)
    assert {span.text for span in made.spans} == {"one", "two"}
    assert all(span.end_s - span.start_s == pytest.approx(1.0) for span in made.spans)
    assert made.path.stat().st_size == pytest.approx(8 * BYTES_A_S, rel=0.001)
    assert talk(tmp_path / "again.pcm", "en", 8.0, 1, prompts).spans == made.spans


@pytest.mark.process
async def test_the_feeder_writes_down_what_was_sent_and_what_came(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcm"
    path.write_bytes(bytes(BYTES_A_S))
    busy = {"message": "full", "code": "overloaded"}

    async def translated(session: FakeSession) -> None:
        await session.open()
        await session.until("session.close")
        await session.tell("session.input_transcript.delta", delta="Good day.", elapsed_ms=400)
        await session.tell("session.output_transcript.delta", delta="Bom dia.", elapsed_ms=400)
        await session.tell("session.closed")

    asks = [Ask(Talk(path, "en", 1.0, SPANS[:1])) for _ in range(2)]
    async with serving(translated, [(503, busy, {"retry-after": "3"})]) as server:
        found = await asyncio.to_thread(feed, f"{server.url}/v1", asks, "websockets")
    whole, refused = sorted(found, key=lambda each: each.status or 0)
    assert (whole.is_whole, whole.source_text, whole.target_text) == (True, "Good day.", "Bom dia.")
    assert len(whole.sent) == 5
    assert whole.sent[-1] - whole.sent[0] >= 0.7
    assert (refused.status, refused.is_whole) == (503, False)
    assert server.sessions[0].pcm() == bytes(BYTES_A_S)


def test_sessions_on_a_gpu_are_measured_by_the_places_of_events() -> None:
    whole = outcome([], [(11.5, "Bom dia.", 1.0), (14.0, " E boa noite.", 3.0)])
    refused = Outcome(Ask(TALK), [], status=503, error="full")
    found = gpu_line([whole, refused])
    assert (found["sessions"], found["refused"], found["broken"]) == (2, 1, 0)
    assert found["translation_p95_s"] == pytest.approx(1.0)
    table = live_report.table([found | {"asr_batch": 1.0, "nmt_batch": 1.0, "ingress_cpu": 0.1}])
    assert table.rows[0][:3] == [2, 1, 0]


# ---- the report -----------------------------------------------------------------------------


def test_a_line_survives_the_json_and_is_judged() -> None:
    heard = outcome([(11.5, "Good day to you."), (13.6, " And good night.")])
    found = measures.figures(heard, "Good day to you. And good night.", None)
    made = line("one minute, medium", [Ask(TALK)], [heard], [found], [{"LongLAAL (CA)": 1500}], 0.4)
    assert from_raw(report.results({"medium": [made]}).raw["parts"]["medium"]) == [made]
    aims = {aim.what: aim.met for aim in report.judged({"medium": [made]})}
    assert aims["transcript lag p95, one session"]
    assert aims["StreamLAAL, one session"]
    assert not aims["early text, percent"]
    assert made.cpu_share == pytest.approx(0.1)
