"""One text's way through a model that keeps, drops, doubles or garbles what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.devices.device import DeviceReport
from models.errors import InvalidRequest, UnsupportedPair
from models.nmt.keeping import KeepingNmt
from models.runtime import ItemError, RuntimeSpec
from models.types import NmtItem, Translation

KNOWN = re.compile(r"[\sA-Za-zà-ú0-9.,:;!?'\"()%/&=+$_*\[\]-]*")  # what the vocabulary holds


def said(text: str) -> str:
    """A translation that shows what was translated: each word in angle brackets of its own."""
    return re.sub(r"[^\W\d_]+(?!\d)", lambda match: f"{match[0]}o", text)


@dataclass
class Scripted:
    """Stands for an engine: it answers as its script says, and remembers what it was asked."""

    script: Callable[[str], str] = said
    asked: list[list[str]] = field(default_factory=list)
    closed: bool = False

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        spec = RuntimeSpec("nmt", "scripted", "none", "none", pairs=(("en", "pt"),))
        return spec, DeviceReport("cpu", "cpu", "asked for", "none", "none", 1, None, 0, 0.0)

    def warm_up(self) -> None:
        self.asked.append(["warm-up"])

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        self.asked.append([item.text for item in batch])
        return [self._answer(item) for item in batch]

    def close(self) -> None:
        self.closed = True

    def lacks(self, text: str, source_language: str, target_language: str) -> bool:
        return KNOWN.fullmatch(text) is None

    def _answer(self, item: NmtItem) -> Translation | ItemError:
        if item.target_language != "pt":
            return ItemError(UnsupportedPair("no such pair", param="target_language"))
        if any("\ud800" <= character <= "\udfff" for character in item.text):
            return ItemError(InvalidRequest("half of a pair", param="text"))
        return Translation(self.script(item.text), "en", "pt")


def kept(text: str, script: Callable[[str], str] = said) -> tuple[str, list[str], list[list[str]]]:
    """The answer, the codes of its warnings, and what the engine was asked, run by run."""
    engine = Scripted(script)
    (result,) = KeepingNmt(engine).run([NmtItem(text, "en", "pt")])
    assert isinstance(result, Translation)
    return result.text, [warning.code for warning in result.warnings], engine.asked


# ---- nothing is lost ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("Pay £35 to me now.", "Payo £35 too meo nowo.", id="money"),
        pytest.param("Pay <b>me</b> right now.", "Payo <b>meo</b> righto nowo.", id="tags"),
        pytest.param("Do <i>this:</i> eat.", "Doo <i>thiso:</i> eato.", id="tag-behind-a-colon"),
        pytest.param("I saw X1 and £5 here.", "Io sawo X1 ando £5 hereo.", id="a-mark-of-its-own"),
        pytest.param("Tell (1) and £5 to us.", "Tello (1) ando £5 too uso.", id="the-other-style"),
        pytest.param("Ask Łukasz to come in.", "Asko Łukasz too comeo ino.", id="letters"),
        pytest.param("The word 日本 is here.", "Theo wordo 日本 iso hereo.", id="script"),
        pytest.param("See you tomorrow 😀", "Seeo youo tomorrowo 😀", id="emoji-behind"),
        pytest.param("✅ Your payment came in.", "✅ Youro paymento cameo ino.", id="emoji-before"),
        pytest.param("- Buy some milk", "- Buyo someo milko", id="bullet"),
        pytest.param("(see https://x.org/a).", "(seeo https://x.org/a).", id="in-brackets"),
    ],
)
def test_items_are_put_back(text: str, answer: str) -> None:
    found, _, asked = kept(text)
    assert (found, len(asked)) == (answer, 1)


def test_prose_goes_as_it_is() -> None:
    text = "Where is the nearest train station, please?"
    assert kept(text)[2] == [[text]]


@pytest.mark.parametrize(
    "text",
    ["https://x.org", "£35", "{name}", "😀", "日本", "Привет, мир!", "`a`", "12", "—", "..."],
)
def test_what_is_no_prose_needs_no_model(text: str) -> None:
    found, _, asked = kept(text)
    assert (found, asked) == (text, [[""]])


def test_a_number_by_itself_is_written_as_the_language_does() -> None:
    assert kept("1,234.56")[0] == "1.234,56"


# ---- what a model loses -------------------------------------------------------------------


def without(style: str) -> Callable[[str], str]:
    return lambda text: said(re.sub(style, "", text))


def test_a_lost_mark_is_tried_in_another_style() -> None:
    found, codes, asked = kept("Pay £35 to me now.", without(r"X\d"))
    assert found == "Payo £35 too meo nowo."
    assert (codes, len(asked)) == ([], 2)


def test_marks_lost_in_every_style_cut_the_sentence() -> None:
    found, codes, asked = kept("Pay £35 to me now.", without(r"X\d|\(\d\)"))
    assert found == "Payo £35 too meo nowo."
    assert codes == ["translated_in_parts"]
    assert len(asked) == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda text: said(text.replace("X1", "X1 X1")), id="doubled"),
        pytest.param(lambda text: said(text.replace("X1", "X1 X7")), id="made-up"),
        pytest.param(lambda text: said(text.replace("X1", "X11")), id="garbled"),
        pytest.param(lambda text: "", id="all-lost"),
    ],
)
def test_no_mark_leaks(script: Callable[[str], str]) -> None:
    found, _, _ = kept("Pay £35 to me now.", script)
    assert found.count("£35") == 1
    assert not re.search(r"X\d|\(\d\)", found)


def test_tags_that_change_places_cut_the_sentence() -> None:
    def swap(text: str) -> str:
        return said(text.replace("X1", "X9").replace("X2", "X1").replace("X9", "X2"))

    assert kept("Pay <b>me</b> now.", swap)[0] == "Payo <b>meo</b> nowo."


def test_tags_that_lose_what_is_between_them_cut_the_sentence() -> None:
    def empty(text: str) -> str:
        return said(re.sub(r"X1 (\w+) X2", r"\1 X1 X2", text))

    assert kept("Pay <b>me</b> now.", empty)[0] == "Payo <b>meo</b> nowo."


def test_a_bounded_translation_is_not_asked_for_twice() -> None:
    engine = Scripted(without(r"X\d"))
    (result,) = KeepingNmt(engine).run([NmtItem("Pay £35 to me.", "en", "pt", max_tokens=3)])
    assert isinstance(result, Translation)
    assert [warning.code for warning in result.warnings] == ["item_lost"]
    assert len(engine.asked) == 1


# ---- numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written", "answer"),
    [
        pytest.param("We owe 1,234.56 euros.", "1.234.56", "Weo oweo 1.234,56 euroso.", id="both"),
        pytest.param("Go to gate 12 now.", "", "Goo too gateo 12 nowo.", id="lost"),
        pytest.param("We sold 10,000 copies.", "10,000", "Weo soldo 10.000 copieso.", id="kept-en"),
    ],
)
def test_a_changed_number_is_mended(text: str, written: str, answer: str) -> None:
    def garble(asked: str) -> str:
        return said(re.sub(r"(?<![X(\d])\d[\d.,]*\d", written, asked))

    found, codes, _ = kept(text, garble)
    assert (found, codes) == (answer, [])


def test_a_number_in_words_is_no_loss() -> None:
    found, codes, asked = kept("I have 12 cats here.", lambda _: "Tenho doze gatos aqui.")
    assert (found, codes, len(asked)) == ("Tenho doze gatos aqui.", [], 1)


# ---- warnings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "script", "code"),
    [
        pytest.param("The word 日本 is here.", said, "passed_through", id="script"),
        pytest.param("I do not know it.", lambda _: "Eu sei.", "negation_lost", id="negation"),
        pytest.param("We are all very happy.", lambda text: text, "untranslated", id="a-copy"),
    ],
)
def test_doubts_are_told(text: str, script: Callable[[str], str], code: str) -> None:
    assert code in kept(text, script)[1]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("I do not know it.", "Eu não sei.", id="negation"),
        pytest.param("It costs 12 euros.", "Custa 12 euros.", id="number"),
        pytest.param("It is 3 pm now.", "São 15 horas agora.", id="clock"),
    ],
)
def test_a_sound_answer_raises_no_doubt(text: str, answer: str) -> None:
    assert kept(text, lambda _: answer)[1] == []


# ---- capitals and single words ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "asked", "answer"),
    [
        pytest.param("DO NOT GO IN", "Do not go in", "DOO NOTO GOO INO", id="shouted"),
        pytest.param("PAY £35 NOW, MEN", "Pay X1 now, men", "PAYO £35 NOWO, MENO", id="item"),
        pytest.param("I WENT. HE DID", "I went. He did", "IO WENTO. HEO DIDO", id="sentences"),
    ],
)
def test_shouting_is_said_and_shouted_again(text: str, asked: str, answer: str) -> None:
    found, _, runs = kept(text)
    assert (runs[0][0], found) == (asked, answer)


def test_shouted_words_in_a_sentence_are_shouted_again() -> None:
    assert kept("Please DO NOT TOUCH it.")[0] == "Pleaseo DOO NOTO TOUCHO ito."


@pytest.mark.parametrize("text", ["The NASA rocket is here.", "He is at the BBC and the UN."])
def test_acronyms_are_not_said(text: str) -> None:
    assert kept(text)[2][0] == [text]


@pytest.mark.parametrize(
    "first",
    ["Olá, o olá", "Olá (", "Hello", "Olá olá", "Olá com uma longa história"],
    ids=["embroidered", "with-a-sign", "a-copy", "doubled", "too-long"],
)
def test_a_doubtful_word_is_asked_for_in_other_disguises(first: str) -> None:
    found, _, asked = kept("Hello", lambda text: first if text == "Hello" else "Olá.")
    assert (found, len(asked)) == ("Olá", 2)


def test_a_word_keeps_its_punctuation() -> None:
    assert kept("Hello!", lambda _: "Olá,")[0] == "Olá!"


# ---- the batch ----------------------------------------------------------------------------


def test_errors_stay_with_their_items() -> None:
    engine = Scripted(without(r"X\d"))
    texts = ["Pay £35 to me now.", "It is good here.", "half \ud800"]
    batch = [NmtItem(text, "en", "pt") for text in texts]
    batch.insert(1, NmtItem("https://x.org", "en", "fr"))
    first, refused, second, broken = KeepingNmt(engine).run(batch)
    assert isinstance(refused, ItemError)
    assert isinstance(broken, ItemError)
    assert isinstance(first, Translation)
    assert isinstance(second, Translation)
    assert (first.text, second.text) == ("Payo £35 too meo nowo.", "Ito iso goodo hereo.")


def test_texts_of_a_batch_are_mended_together() -> None:
    engine = Scripted(without(r"X\d"))
    KeepingNmt(engine).run([NmtItem(f"Pay £{n} to me now.", "en", "pt") for n in range(5)])
    assert len(engine.asked) == 2


def test_the_engine_is_loaded_warmed_and_closed() -> None:
    engine = Scripted()
    keeping = KeepingNmt(engine)
    spec, report = engine.load()
    assert keeping.load() == (replace(spec, takes_terms=True), report)
    keeping.warm_up()
    keeping.close()
    assert (engine.asked, engine.closed) == ([["warm-up"]], True)


# ---- whatever the text --------------------------------------------------------------------

EXAMPLES = settings(derandomize=True, deadline=None)
ALPHABET = "ab AB.,:;/\\<>{}[]()%$#@`*_~&'\"-+=1290€£½😀éñ日\n\u200d“’—X"
ANY = st.text(st.sampled_from(ALPHABET), max_size=40)


@EXAMPLES
@given(ANY | st.text(max_size=30), st.sampled_from([said, without(r"X\d"), lambda _: ""]))
def test_no_text_is_too_strange(text: str, script: Callable[[str], str]) -> None:
    (result,) = KeepingNmt(Scripted(script)).run([NmtItem(text, "en", "pt")])
    assert isinstance(result, Translation | ItemError)


@EXAMPLES
@given(st.lists(st.sampled_from(["£35", "a@b.org", "{x}", "https://x.org/#a", "<b>", "日本"])))
def test_every_item_is_in_the_answer_whatever_the_model_loses(items: list[str]) -> None:
    text = " and ".join(items)
    found, _, _ = kept(text, without(r"X\d|\(\d\)"))
    assert [found.count(item) for item in items] == [text.count(item) for item in items]


@EXAMPLES
@given(st.lists(st.sampled_from(["We", "like", "very", "old", "houses", "here"]), min_size=3))
def test_words_go_unchanged(words: list[str]) -> None:
    text = " ".join(words)
    assert kept(text, str.swapcase)[2] == [[text]]


# ---- going on from the start of a sentence ------------------------------------------------


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        pytest.param("and we all go home,", True, id="as it is"),
        pytest.param("I know.", True, id="a capital"),
        pytest.param("and it costs £35 today", False, id="an item"),
        pytest.param("see https://x.org now", False, id="an address"),
        pytest.param("AND WE GO HOME NOW", False, id="shouted"),
    ],
)
def test_a_text_goes_on_where_nothing_is_changed_for_the_model(text: str, goes_on: bool) -> None:
    asked = list[NmtItem]()

    class Asked(Scripted):
        def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
            asked.extend(batch)
            return super().run(batch)

    item = NmtItem(text, "en", "pt", before="If so,", before_translated="Se sim,")
    (result,) = KeepingNmt(Asked(said)).run([item])
    assert isinstance(result, Translation)
    assert [bool(each.before) and bool(each.before_translated) for each in asked] == [goes_on]
