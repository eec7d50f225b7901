"""Text as it is spoken: signs in words, markup gone, prose as it was."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.sentences import split
from models.tts.normalisation import sentences, spoken

# ---- markup, in every language ---------------------------------------------------------

MARKUP = [
    pytest.param("This is **very** good.", "This is very good.", id="strong"),
    pytest.param("It is *really* _so_ ***good***.", "It is really so good.", id="emphasis"),
    pytest.param("un*frigging*believable", "unfriggingbelievable", id="inside-a-word"),
    pytest.param("one ~~two~~ three", "one two three", id="struck"),
    pytest.param("This is **cut", "This is cut", id="opened-alone"),
    pytest.param("cut** here", "cut here", id="closed-alone"),
    pytest.param("# Title #\n\nText", "Title\nText", id="heading"),
    pytest.param("Title\n=====\nText", "Title\nText", id="underlined-heading"),
    pytest.param("- one\n* two\n+ three", "one\ntwo\nthree", id="bullets"),
    pytest.param("- [ ] to do", "[ ] to do", id="task"),
    pytest.param("> said\n> so", "said\nso", id="quote"),
    pytest.param("one\n\n---\n\ntwo", "one\ntwo", id="rule"),
    pytest.param("Use `pip` now", "Use pip now", id="code"),
    pytest.param("```python\nrun\n```", "run", id="fence"),
    pytest.param("```python", "", id="fence-alone"),
    pytest.param("See [the docs](https://a.b/c_d?e=f).", "See the docs.", id="link"),
    pytest.param('See [it](http://a.b "Title").', "See it.", id="link-with-title"),
    pytest.param("![a cat](cat.png) sleeps", "a cat sleeps", id="image"),
    pytest.param("It was[^1] so.", "It was so.", id="footnote"),
    pytest.param("| a | b |\n|---|:-:|\n| c | d |", "a, b\nc, d", id="table"),
    pytest.param("a | b", "a, b", id="bar"),
    pytest.param("<p>Hello <b>you</b></p>", "Hello you", id="html"),
    pytest.param('<a href="x">Here</a><br/>now', "Here\nnow", id="html-link"),
    pytest.param("a<!-- no -->b <script>x()</script>c", "a b c", id="html-unspoken"),
    pytest.param('<speak>Hi <break time="1s"/>you</speak>', "Hi you", id="ssml"),
    pytest.param("<your name>", "your name", id="placeholder"),
    pytest.param("Tom &amp;amp; Ann &quot;x&quot;", 'Tom & Ann "x"', id="entities"),
    pytest.param("Well done 🎉👍🏽 you ❤️ 🇧🇷!", "Well done you!", id="emoji"),
    pytest.param("Fine :) and :-D or <3", "Fine and or", id="emoticons"),
    pytest.param("snake_case_name", "snake case name", id="underscores"),
    pytest.param(r"\*not\* so", "not so", id="escaped"),
    pytest.param("https://www.example.org/a/b?c=d", "example.org", id="url"),
    pytest.param("soft\u00adhyphen", "softhyphen", id="invisible"),
]


@pytest.mark.parametrize(("text", "expected"), MARKUP)
def test_markup_is_not_spoken(text: str, expected: str) -> None:
    assert spoken(text, "de") == expected


# ---- English ---------------------------------------------------------------------------

ENGLISH = [
    ("Mr. and Mrs. Smith saw Dr. Lee.", "Mister and Missus Smith saw Doctor Lee."),
    ("She lives at 5 Main St. in St. Louis.", "She lives at 5 Main Street in Saint Louis."),
    ("Fruit, e.g. pears, etc. We eat it.", "Fruit, for example pears, et cetera. We eat it."),
    ("See No. 5, p. 12.", "See number 5, page 12."),
    ("No. It is not.", "No. It is not."),
    ("At 3pm or 3 p.m. or 3:05 pm.", "At 3 PM or 3 PM or 3 oh 5 PM"),
    ("At 14:30, 9:00 and 06:45.", "At 14 30, 9 o'clock and 6 45."),
    ("On 12/03/2026.", "On December third, twenty twenty six."),
    ("On 25/12/2025.", "On December twenty-fifth, twenty twenty five."),
    ("On 2026-03-12.", "On March twelfth, twenty twenty six."),
    ("On March 12, 1905.", "On March 12, nineteen oh five."),
    ("On Sat, 5 Jan. 2024.", "On Saturday, 5 January twenty twenty four."),
    ("in the 1990s", "in the nineteen nineties"),
    ("It costs $35, £35 or €35.", "It costs 35 dollars, 35 pounds or 35 euros."),
    ("It costs $1,299.99.", "It costs 1299 dollars and 99 cents."),
    ("It costs £1, $0.50 or 20 USD.", "It costs 1 pound, 50 cents or 20 dollars."),
    ("US$ 1.5 million, $5k, $2bn", "1.5 million dollars, 5 thousand dollars, 2 billion dollars"),
    ("-$5 and $10-20", "minus 5 dollars and 10 to 20 dollars"),
    ("$10/month, €3/kg", "10 dollars per month, 3 euros per kilogram"),
    ("12.5% more", "12.5 percent more"),
    ("10-15 km/h", "10 to 15 kilometers per hour"),
    ("-12 °C, 5kg, 1 lb", "minus 12 degrees Celsius, 5 kilograms, 1 pound"),
    ("2½ cups, 3/4 of it, 1/2", "2 and one half cups, three quarters of it, one half"),
    ("5/7", "5 over 7"),
    ("1,234,567 of them", "1234567 of them"),
    ("#1 in C# with #fun", "number 1 in C sharp with fun"),
    ("x ≥ 3 & 2 * 3 = 6", "x at least 3 and 2 times 3 equals 6"),
    ("555-123-4567", "five five five, one two three, four five six seven"),
    (
        "+1 (555) 123-4567",
        "plus one, five five five, one two three, four five six seven",
    ),
    ("2020-2024", "2020 to 2024"),
    ("COVID-19, a 3-year-old", "COVID-19, a 3-year-old"),
    ("a.b@example.com", "a dot b at example dot com"),
    ("www.example.com/help.", "example dot com slash help."),
    ("https://example.com/a?id=1,", "example dot com,"),
    ("http://localhost:8000", "localhost port 8000"),
    ("report.pdf", "report dot pdf"),
    ("**Mr.** Smith has **$5**", "Mister Smith has 5 dollars"),
    ("NASA and the 3rd man", "NASA and the 3rd man"),
    ("up (+5%), 10% – 20%", "up (plus 5 percent), 10 percent to 20 percent"),
    ("from 9am-5pm", "from 9 AM to 5 PM"),
    ("at 221B Baker St.", "at 221B Baker Street."),
    ("the '90s", "the nineties"),
    ("€1,50", "1 euro and 50 cents"),
    ("2026-03-12T06:45:00Z", "March twelfth, twenty twenty six, 6 45"),
]


@pytest.mark.parametrize(("text", "expected"), ENGLISH, ids=[text for text, _ in ENGLISH])
def test_english_is_written_as_it_is_said(text: str, expected: str) -> None:
    assert spoken(text, "en") == expected


# ---- Portuguese ------------------------------------------------------------------------

PORTUGUESE = [
    ("Moro na Av. Paulista, nº 1.000.", "Moro na Avenida Paulista, número 1000."),
    ("O Sr. Silva e a Dra. Ana.", "O Senhor Silva e a Doutora Ana."),
    ("R. Augusta, apto. 12, n.º 5", "Rua Augusta, apartamento 12, número 5"),
    ("A sra. e o prof. João", "A senhora e o professor João"),
    ("Frutas, p. ex. peras, etc. Comemos.", "Frutas, por exemplo peras, etcétera. Comemos."),
    ("Chego às 06h45.", "Chego às seis e quarenta e cinco."),
    ("às 14:30 e 9h", "às catorze e trinta e nove horas"),
    ("à 1h, às 2h e às 22h", "à uma hora, às duas horas e às vinte e duas horas"),
    ("Em 12/03/2026.", "Em 12 de março de 2026."),
    ("Em 01/05/2026 e 12/03.", "Em primeiro de maio de 2026 e 12 de março."),
    ("Em 2026-03-12.", "Em 12 de março de 2026."),
    ("Em 1º de maio, 10 jan 2024.", "Em primeiro de maio, 10 de janeiro de 2024."),
    ("Custa R$ 1.299,99.", "Custa 1299 reais e 99 centavos."),
    ("R$ 1, R$ 0,50 e R$2", "1 real, 50 centavos e 2 reais"),
    ("R$ 2.000.000,00", "2000000 de reais"),
    ("US$ 1,5 milhão e R$ 3 mil", "1,5 milhão de dólares e 3 mil reais"),
    ("£35 e £2", "trinta e cinco libras e duas libras"),
    ("€ 2,50", "2 euros e 50 cêntimos"),
    ("R$ 10-20, R$ 10/kg, R$ 50/mês", "10 a 20 reais, 10 reais por quilo, 50 reais por mês"),
    ("12,5% a mais", "12,5 por cento a mais"),
    ("10-15 km/h", "10 a 15 quilômetros por hora"),
    ("-12 °C, 5kg, 2 t", "menos 12 graus Celsius, 5 quilos, duas toneladas"),
    ("o 1º e a 2ª, 21ª", "o primeiro e a segunda, vigésima primeira"),
    ("2ª-feira", "segunda-feira"),
    ("2½ e 3/4", "2 e meio e três quartos"),
    ("1.234.567 e 3,14", "1234567 e 3,14"),
    (
        "(11) 99999-1234",
        "um um, nove nove nove nove nove, um dois três quatro",
    ),
    ("1990-2000", "1990 a 2000"),
    ("x ≥ 3", "x maior ou igual a 3"),
    ("joao@exemplo.com.br", "joao arroba exemplo ponto com ponto br"),
    ("https://exemplo.com.br/x?y=1", "exemplo ponto com ponto br"),
    ("- Olá!\n- Tudo bem?", "Olá!\nTudo bem?"),
    ("das 9h-17h", "das nove horas a dezessete horas"),
    ("2 1/2 xícaras", "2 e meia xícaras"),
    ("Séc. XX, cap. IV, art. 5º", "século XX, capítulo IV, artigo quinto"),
    ("31/12/99, jan/2026", "31 de dezembro de 1999, janeiro de 2026"),
    ("US$1.50", "1 dólar e 50 centavos"),
    ("3 x 4 = 12", "3 vezes 4 igual a 12"),
]


@pytest.mark.parametrize(("text", "expected"), PORTUGUESE, ids=[text for text, _ in PORTUGUESE])
def test_portuguese_is_written_as_it_is_said(text: str, expected: str) -> None:
    assert spoken(text, "pt") == expected
    assert spoken(text, "pt-BR") == expected


# ---- what must hold of any text --------------------------------------------------------

LANGUAGES = ("en", "pt", "fr")
PROSE = {
    "en": "Thank you for calling! The office is open, isn't it? Well-known facts; “quoted” ones.",
    "pt": "Obrigado por ligar! O escritório abre às nove, não é? Guarda-chuva; “citado”.",
    "fr": "Merci d'avoir appelé ! Le bureau est ouvert, n'est-ce pas ? Peut-être ; « cité ».",
}
WORDS = st.text(st.sampled_from("abcdefghijlmnopqrstuvxzáéçõ"), min_size=2, max_size=9)
# Signs in any order, with what they mean something beside.
SIGNS = st.text(
    st.one_of(
        st.sampled_from("*_`~#>|<[]()!-–+=/\\&;:.,%$£€R°ºª½@123 \n0129hkgmSrAv×≥🎉"),
        st.characters(),
    ),
    max_size=60,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_prose_stays_as_it_is(language: str) -> None:
    assert spoken(PROSE[language], language) == PROSE[language].replace(" !", "!").replace(
        " ?", "?"
    ).replace(" ;", ";")


@pytest.mark.parametrize("language", LANGUAGES)
@given(SIGNS)
def test_no_text_is_a_failure(language: str, text: str) -> None:
    spoken(text, language)


@pytest.mark.parametrize("language", LANGUAGES)
@given(st.lists(WORDS, min_size=1, max_size=6), st.data())
def test_words_are_kept_whatever_marks_stand_around_them(
    language: str, words: list[str], data: st.DataObject
) -> None:
    marks = st.sampled_from(
        ["**{}**", "_{}_", "`{}`", "*{}", "{}**", "<b>{}</b>", "[{}](http://a.b)"]
    )
    text = " ".join(data.draw(marks).format(word) for word in words)
    assert re.findall(r"\w+", spoken(text, language)) == re.findall(
        r"\w+", spoken(" ".join(words), language)
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [(text, "en") for text, _ in ENGLISH]
    + [(text, "pt") for text, _ in PORTUGUESE]
    + [(str(row.values[0]), "fr") for row in MARKUP],
)
def test_what_is_spoken_already_stays(text: str, language: str) -> None:
    once = spoken(text, language)
    assert spoken(once, language) == once


TOKENS = (
    *(
        "**",
        "*",
        "_",
        "`",
        "~",
        "# ",
        "> ",
        "- ",
        "1. ",
        "\n",
        "|",
        "[",
        "](",
        "<b>",
        "<",
        ">",
        "&",
    ),
    *("$5", "R$ 1.299,99", "£35", "10-15", "kg", "km/h", "%", "°C", "1/2", "½", "12/03/2026"),
    *("2026-03-12", "14:30", "6h45", "3pm", " ", "word", "Mr.", "Sr.", "Av.", "St.", "etc.", "nº"),
    *(
        "5",
        "1º",
        "3rd",
        ".",
        ",",
        "-",
        "+",
        "=",
        "a@b.com",
        "http://a.b/c",
        "1990s",
        "\\",
        "🎉",
        "×",
    ),
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_even_nonsense_settles(language: str) -> None:
    random = Random(0)
    for _ in range(500):
        text = "".join(random.choices(TOKENS, k=random.randint(1, 12)))
        once = spoken(text, language)
        assert spoken(once, language) == once, text


# ---- sentences -------------------------------------------------------------------------


def test_the_point_of_an_abbreviation_ends_no_sentence() -> None:
    assert sentences("Moro na Av. Paulista, apto. 3. Venha!", "pt") == (
        "Moro na Avenida Paulista, apartamento 3.",
        "Venha!",
    )


def test_a_mark_may_span_sentences() -> None:
    assert sentences("**Muito bem. Vamos.** Agora.", "pt") == ("Muito bem.", "Vamos.", "Agora.")


def test_a_heading_and_each_item_are_sentences() -> None:
    text = "## Shopping\n\n- milk\n- eggs\n"
    assert sentences(text, "en") == ("Shopping", "milk", "eggs")


def test_prose_is_cut_as_before() -> None:
    text = PROSE["en"]
    assert sentences(text, "en") == split(text, "en").sentences


def test_only_markup_is_no_sentence() -> None:
    assert sentences("***\n\n<br/>", "en") == ()
