"""What is no prose is found whole, and prose is not taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text.items import Item, find, parts
from models.text.sentences import split

ITEMS = {  # kind -> items, each of which is found as one in the midst of a sentence
    "money": [
        *("£35", "R$ 1.299,99", "35 €", "US$ 20", "¥9,800", "₹5,000", "$2.5m", "CHF 120", "1,20€"),
        *("€ 75", "20 USD", "EUR 20", "-£5", "£5-£10", "₩10000", "A$15", "120 kr", "$1,234.56"),
    ],
    "signs": [
        *("−12 °C", "-4 °C", "±0.5 mm", "≥ 3", "5 < 7", "120 × 80 cm", "a ≠ b", "2 + 2 = 4"),
        *("≤ 40 °C", "45°", "±3%", "≈ 3.2", "x ≥ 3", "E = mc²", "H₂O", "180°C", "> 100"),
    ],
    "fractions": ["2½", "¾", "1/2", "1 ¾", "2 1/2", "⅓", "6⅛", "24/7", "50/50"],
    "units": ["250 m²", "50 km/h", "75 µg", "101.5 MHz", "2.4 kg", "4.7 kΩ", "12 kWh", "20 mL"],
    "times": [
        *("06h45", "14:30", "12/03/2024", "2024-11-05", "2024-05-01T08:15:00Z", "9:00-17:30"),
        *("+44 20 7946 0958", "(555) 123-4567", "0800 123 456", "1-800-555-0199", "v1.2.3"),
        *("10.15.7", "5–10", "5-10", "192.168.0.10", "25.12.1980", "12.5%", "+5511912345678"),
    ],
    "emails": ["anna.k@example.org", "j_smith+news@mail.example.co.uk", "o'brien@mail.ie"],
    "urls": [
        "https://www.example.com/help?id=42&lang=en#top",
        "http://example.org/~maria/form.pdf",
        "www.example.net",
        "https://x.org/a_(b)",
        "http://localhost:8000/docs",
        "ftp://files.example.org/pub/data.zip",
        "example.com/account",
        "mailto:x@example.com",
    ],
    "placeholders": [
        *("{name}", "{{x}}", "{{ user.name }}", "%s", "%d", "%(name)s", "${X}", "$VAR", ":name"),
        *("[[x]]", "{0}", "%1$s", "%.2f", "%@", "{price:.2f}", "%{count}", "#{x}", "{% if a %}"),
        *("<%= x %>", "$(HOME)", "%%name%%", "%1", "{}"),
    ],
    "tags": [
        *("<b>", "</b>", "<br/>", '<a href="/a b" target="_blank">', "<!-- no -->", "&nbsp;"),
        *("&#169;", "<0>", "</0>", "<x-y/>", "<code>a b</code>", "<input disabled>"),
    ],
    "code": ["`x`", "`a b`", "``a `b` c``", "`a = '1'`"],
    "paths": [
        *("/usr/bin", "C:\\Users\\x", "~/.ssh", "./a/b.txt", "../x", "\\\\server\\share\\a"),
        *("src/main/App.java", "README.md", "backup.tar.gz", "D:\\My Files\\a.txt", "/etc/x.conf"),
    ],
    "social": ["#hashtag", "@mention", "@john.doe", "#a_b", "#2024"],
    "ids": [
        *("AB-1234", "LH2036", "XK-92/B", "TCK_00981", "0x80070005", "4f9a2c1e", "snake_case_name"),
        *("ISBN 978-3-16-148410-0", "550e8400-e29b-41d4-a716-446655440000", "00:1A:2B:3C:4D:5E"),
        *("INV-2024-0042", "GB29 NWBK 6016 1331 9268 19", "camelCase", "run()"),
    ],
    "emoji": ["😀", "❤️", "👨‍👩‍👧‍👦", "🇧🇷", "👍🏽", "🎉🎂", "1️⃣", "⚠️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🎉 🎂"],
}
EXAMPLES = settings(derandomize=True, deadline=None)
PROSE = [
    "It is a 5-year-old, three-bedroom house from the 1990s.",
    "He and/or she said: yes, no; maybe (or not)!",
    "Read it & weep - it's well-known... isn't it?",
    "On 12 March 2024 there were 3 cats, 1,234.56 euros and 10,000 people.",
    "Mr. Smith arrived at 5. He left on the 21st.",
    "Ela disse: não! Você vem às 5 horas?",
    "NASA and the USB cable of the CPU",
    "She was born in 1987 and is 34.",
    "Use 3 of them: a, b or c.",
]


@pytest.mark.parametrize(
    "item", [pytest.param(item, id=f"{kind}-{item}") for kind in ITEMS for item in ITEMS[kind]]
)
@pytest.mark.parametrize("sentence", ["Please take {} with you.", "I saw {}, and ({}) as well"])
def test_an_item_is_found_whole(item: str, sentence: str) -> None:
    text = sentence.replace("{}", item)
    found = {text[span.start : span.stop] for span in find(text)}
    assert found == {item}


@pytest.mark.parametrize("text", PROSE, ids=range(len(PROSE)))
def test_prose_holds_no_item(text: str) -> None:
    assert [text[span.start : span.stop] for span in find(text)] == []


def test_a_block_of_code_is_one_item() -> None:
    text = "See:\n```python\na = 1\n\nb = {x}\n```\nDone."
    assert [text[s.start : s.stop] for s in find(text)] == ["```python\na = 1\n\nb = {x}\n```"]


def test_items_side_by_side_are_one() -> None:
    assert parts("A <b><i>word</i></b>.") == [
        "A ",
        Item("<b><i>", "tag"),
        "word",
        Item("</i></b>", "tag"),
        ".",
    ]


@EXAMPLES
@given(st.text(st.sampled_from("ab AB.,:;/\\<>{}[]()%$#@`*_~&'\"-+=1290€£½😀é\n \u200d日")))
def test_parts_make_the_text_again(text: str) -> None:
    found = parts(text)
    assert "".join(part.text if isinstance(part, Item) else part for part in found) == text


# ---- sentences are not cut within items ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param(
            "Pay R$ 1.299,99. Then go to https://x.org/a?b.C! Now.",
            ("Pay R$ 1.299,99.", "Then go to https://x.org/a?b.C!", "Now."),
            id="money-and-address",
        ),
        pytest.param("Run `a. B. C.` now.", ("Run `a. B. C.` now.",), id="code"),
        pytest.param(
            'Hold <a title="Yes. No. Go!">this</a> now.',
            ('Hold <a title="Yes. No. Go!">this</a> now.',),
            id="tag",
        ),
        pytest.param("Wait. {name} is here.", ("Wait.", "{name} is here."), id="placeholder"),
        pytest.param("See:\n```\nA. B.\n```\nDone.", ("See:", "Done."), id="block-of-code"),
    ],
)
def test_no_sentence_is_cut_within_an_item(text: str, sentences: tuple[str, ...]) -> None:
    pieces = split(text, "en", whole=find(text))
    assert pieces.sentences == sentences
    assert pieces.join(pieces.sentences) == text


def test_a_long_sentence_is_cut_around_an_item() -> None:
    text = f"{'word ' * 3}https://example.org/{'a' * 20} {'word ' * 3}end"
    pieces = split(text, "en", max_chars=30, whole=find(text))
    assert any("a" * 20 in sentence for sentence in (*pieces.sentences, *pieces.gaps))
    assert pieces.join(pieces.sentences) == text


@EXAMPLES
@given(st.text(st.sampled_from("aB .,!?/:<>{}`£5😀\n")), st.integers(1, 40))
def test_any_text_is_put_together_again(text: str, max_chars: int) -> None:
    pieces = split(text, "en", max_chars, whole=find(text))
    assert pieces.join(pieces.sentences) == text
