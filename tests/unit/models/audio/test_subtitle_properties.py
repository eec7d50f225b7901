"""No text is lost, doubled or unreadable, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.audio.subtitles import Cue, Phrase, lay_out, lay_out_pairs, srt, vtt
from models.types import Word
from tests.support.speech import clips
from tests.support.subtitle_files import Shown, faults, ink, read_srt, read_vtt, text_of

NMT = Path(__file__).parents[3] / "data" / "nmt"
# A paragraph a language, of short and long sentences.
PARAGRAPHS = {
    "en": "I am about to attempt a connection. In order for this to work you must already be "
    "connected, which is not always easy, because the line may be busy or out of order for hours.",
    "pt": "Por favor, fique na linha enquanto tentamos encontrar a pessoa com quem deseja falar. "
    "Se não quiser esperar, deixe a sua mensagem depois do sinal e nós ligaremos de volta.",
    "es": "El número que ha marcado no existe. Compruebe que es el correcto y vuelva a intentarlo, "
    "o espere a que uno de nuestros operadores, que ahora están ocupados, pueda atenderle.",
    "ru": "Нажмите звёздочку для включения паузы. Нажмите решётку, чтобы ввести новое название "
    "файла записи, или оставайтесь на линии, если вы хотите поговорить с нашим оператором.",
    "ja": "昨日は友達と一緒に東京へ行って、新しい美術館を見ました。"
    "とても面白かったですが、人が多くて少し疲れました。来週の日曜日にもう一度行くつもりです。",
    "zh": "我们昨天去了北京，参观了故宫和长城。那里的人非常多，但是景色真的很美，"
    "所以明年我还想再去一次，因为我还没有看过颐和园和其他有名的地方。",
    "ar": "ذهبت أمس مع أصدقائي إلى المتحف الجديد في وسط المدينة، وكان المكان جميلا جدا لكن الناس "
    "كانوا كثيرين. سأعود مرة أخرى الأسبوع القادم لأن هناك معرضا جديدا.",
    "hi": "कल मैं अपने दोस्तों के साथ दिल्ली गया था और हमने लाल किला देखा, जो बहुत सुंदर था। उसके बाद हमने "
    "चाँदनी चौक में खाना खाया क्योंकि हमें बहुत भूख लगी थी।",
    "th": "เมื่อวานนี้ฉันไปเที่ยวกรุงเทพกับเพื่อนของฉันและเราได้กินอาหารอร่อยมากมาย "
    "หลังจากนั้นเราก็ไปดูหนังที่ห้างสรรพสินค้าใหญ่ใจกลางเมืองก่อนกลับบ้าน",
}


def seen(cues: Sequence[Cue]) -> list[Shown]:
    """The cues as both kinds of players see them."""
    from_srt, from_vtt = read_srt(srt(cues)), read_vtt(vtt(cues))
    assert from_srt == from_vtt
    return from_srt


def evenly(text: str, start_s: float, end_s: float) -> tuple[Word, ...]:
    """Words as Whisper gives them: with a space before, and no silence between."""
    parts = text.split()
    length_s = (end_s - start_s) / max(1, len(parts))
    return tuple(
        Word(start_s + number * length_s, start_s + (number + 1) * length_s, f" {part}", 1.0)
        for number, part in enumerate(parts)
    )


# ---- any text --------------------------------------------------------------------------

ANY_TEXT = st.text(max_size=300) | st.text(
    "ab, .!?-\u0301あ。ー「」ก็เา😀\u200d>&<1\u00a0—\u202e\u05d0", max_size=300
)
ANY_PACE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LANGUAGES = st.sampled_from(["en", "ja", "th", "ar", "und", "zz-ZZ", ""])


@st.composite
def phrases(draw: st.DrawFn) -> Phrase:
    text, start_s, lasts_s = draw(ANY_TEXT), draw(st.floats(0, 60)), draw(st.floats(0, 40))
    words = evenly(text, start_s, start_s + lasts_s)
    others = evenly(draw(ANY_TEXT), start_s - 1, start_s + lasts_s + 1)
    chosen = draw(st.sampled_from([None, words, words[1:], others, words + others]))
    return Phrase(start_s, start_s + lasts_s, text, chosen, draw(LANGUAGES))


@ANY_PACE
@given(st.lists(phrases(), max_size=4))
def test_any_text_is_shown_whole_and_readable(given_phrases: list[Phrase]) -> None:
    cues = seen(lay_out(given_phrases))
    assert not faults(cues)
    assert text_of(cues) == ink(phrase.text for phrase in given_phrases)


@ANY_PACE
@given(st.lists(phrases(), max_size=4))
def test_no_text_stands_before_its_phrase(given_phrases: list[Phrase]) -> None:
    cues = lay_out(given_phrases)
    if cues:
        first_s = min(p.start_s for p in given_phrases if ink(p.text))
        assert cues[0].start_s >= first_s - 0.000501  # times are of whole ms


@ANY_PACE
@given(st.lists(st.tuples(phrases(), phrases()), max_size=3))
def test_any_pair_is_shown_whole_and_readable(pairs: list[tuple[Phrase, Phrase]]) -> None:
    cues = seen(lay_out_pairs(pairs))
    assert not faults(cues, most_lines=4)
    texts = chain.from_iterable((first.text, second.text) for first, second in pairs)
    assert sorted(text_of(cues)) == sorted(ink(texts))


# ---- texts as people say them ----------------------------------------------------------


def sentences() -> list[tuple[str, str]]:
    """Language and text of all that the tests have."""
    rows = [(clip.language, clip.text) for clip in clips()]
    for path in sorted(NMT.glob("*.jsonl")):
        source, target = path.stem.split("-")
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows += [(source, row["source"]), (target, row["target"])]
    return rows


@pytest.mark.parametrize("characters_a_s", [3, 8, 15, 40])
def test_texts_of_the_tests_are_readable(characters_a_s: int) -> None:
    time_s, said = 0.0, []
    for language, text in sentences():
        end_s = time_s + len(text) / characters_a_s
        said.append(Phrase(time_s, end_s, text, evenly(text, time_s, end_s), language))
        time_s = end_s + 0.3
    cues = seen(lay_out(said))
    assert not faults(cues)
    assert text_of(cues) == ink(phrase.text for phrase in said)


@pytest.mark.parametrize("language", PARAGRAPHS)
@pytest.mark.parametrize("count", [1, 2, 30])
def test_long_texts_are_readable(language: str, count: int) -> None:
    text = " ".join([PARAGRAPHS[language]] * count)
    cues = seen(lay_out([Phrase(0, 15 * count, text, None, language)]))
    assert not faults(cues)
    assert text_of(cues) == ink([text])


@pytest.mark.parametrize("language", PARAGRAPHS)
def test_no_cue_of_a_long_text_is_a_scrap(language: str) -> None:
    cues = lay_out([Phrase(0, 14, PARAGRAPHS[language], None, language)])
    assert min(sum(map(len, cue.lines)) for cue in cues) >= 9
    assert min(cue.end_s - cue.start_s for cue in cues) >= 1


@pytest.mark.parametrize("below", PARAGRAPHS)
@pytest.mark.parametrize("above", PARAGRAPHS)
def test_paragraphs_in_two_languages_are_readable(above: str, below: str) -> None:
    first = Phrase(0, 14, PARAGRAPHS[above], None, above)
    second = Phrase(0, 14, PARAGRAPHS[below], None, below)
    cues = seen(lay_out_pairs([(first, second)]))
    assert not faults(cues, most_lines=4)
    assert all(len(cue.lines) >= 2 for cue in cues)


def test_a_translation_that_is_the_original_is_cut_like_it() -> None:
    """Where no pause between words says where the original's lines end: it has no words here."""
    texts = [" ".join(text for _, text in sentences()[n : n + 3]) for n in range(0, 300, 3)]
    phrases = [Phrase(0.0, len(text) / 15, text, None, "en") for text in texts]
    cues = [cue for phrase in phrases for cue in lay_out_pairs([(phrase, phrase)])]
    halves = [(cue.lines[: len(cue.lines) // 2], cue.lines[len(cue.lines) // 2 :]) for cue in cues]
    alike = sum(first == second for first, second in halves)
    assert alike >= 0.85 * len(cues)  # the others differ by a word at a cut
