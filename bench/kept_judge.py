"""The judge of kept texts: items whole, in their place, and the rest translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sacrebleu.metrics import CHRF

_CHRF = CHRF()
MIN_CHRF = 30.0  # of the rest, against the engine's translation with a plain word
MIN_GAIN = 10.0  # over the source itself: a copy is no translation
MIN_SAID_CHRF = 50.0  # of what was shouted, against its translation in small letters
MAX_SHIFT = 0.3  # of an item's place, as a share of the words
MAX_SHIFT_WORDS = 2

_ITEM = re.compile("⟦(.*?)¦(.*?)⟧", re.DOTALL)
_KIND = re.compile(r"\[(\w+)\]")
_SAYS_NO = {
    "en": re.compile(r"\b(?:not|no|never|nobody|nothing|none|cannot|without)\b|n['’]t\b", re.I),
    "pt": re.compile(r"\b(?:não|nunca|nada|ninguém|nenhum|nenhuma|nem|sem|jamais)\b", re.I),
}


@dataclass(frozen=True)
class Case:
    """A text with its items; ``plain`` has plain words in their places."""

    kind: str
    pair: str
    source: str
    plain: str
    items: tuple[str, ...]
    accepted: tuple[str, ...] = ()  # answers of a word, in any case and with any end

    @property
    def target(self) -> str:
        return self.pair.partition("-")[2]


def read_cases(path: Path, pair: str) -> list[Case]:
    return list(_cases(path, pair))


def _cases(path: Path, pair: str) -> Iterator[Case]:
    kind = ""
    for line in path.read_text().splitlines():
        if heading := _KIND.fullmatch(line):
            kind = heading[1]
        elif line and not line.startswith("# "):
            yield _case(kind, pair, line.replace("␤", "\n"))


def _case(kind: str, pair: str, line: str) -> Case:
    if kind == "words":
        source, _, accepted = line.partition(" => ")
        return Case(kind, pair, source, source, (), tuple(accepted.split("; ")))
    source = _ITEM.sub(lambda match: match[1], line)
    plain = re.sub(" +", " ", _ITEM.sub(lambda match: match[2], line)).strip()
    if kind in ("capitals", "mixed"):
        plain = _said(source)
    return Case(kind, pair, source, plain, tuple(match[1] for match in _ITEM.finditer(line)))


def _said(text: str) -> str:
    small = text.lower()
    return re.sub(r"(?:^|[.!?] )\w", lambda match: match[0].upper(), small)


def judge(case: Case, answer: str, reference: str) -> str:
    """Say what is wrong with an answer; nothing where the text is kept."""
    return _JUDGES.get(case.kind, _judge_items)(case, answer, reference)


def _judge_items(case: Case, answer: str, reference: str) -> str:
    places, rest = _places(answer, [_forms(case, item) for item in case.items])
    if len(places) < len(case.items):
        return f"{case.items[len(places)]!r} is not there whole, in order"
    if case.kind not in ("tags", "emoji") and not _SIGNS_OF_MARKS.isdisjoint(rest.split()):
        return "a mark is left"
    source_places, source_rest = _places(case.source, [[item] for item in case.items])
    for item, found, wanted in zip(case.items, places, source_places, strict=True):
        shift = abs(found / max(1, _words(rest)) - wanted / max(1, _words(source_rest)))
        if shift > MAX_SHIFT and abs(found - wanted) > MAX_SHIFT_WORDS:
            return f"{item!r} is out of its place"
    return _judge_rest(source_rest, rest, reference)


_SIGNS_OF_MARKS = {"X1", "X2", "(1)", "(2)"}


def _judge_rest(source: str, rest: str, reference: str) -> str:
    score, copied = _chrf(rest, reference), _chrf(source, reference)
    if score < MIN_CHRF or score < copied + MIN_GAIN:
        return f"the rest has a chrF of {score:.0f}, the source {copied:.0f}"
    return ""


def _judge_numbers(case: Case, answer: str, reference: str) -> str:
    found = _judge_items(case, answer, reference)
    if not found and re.search(r"\d[.,]\d+[.,]\d+", answer) and _malformed(answer):
        return "a number that no language writes"
    return found


def _malformed(text: str) -> bool:
    return any(
        len(set(re.findall("[.,]", number))) == 1
        and not re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", number)
        for number in re.findall(r"\d+(?:[.,]\d+){2,}", text)
    )


def _judge_shouted(case: Case, answer: str, reference: str) -> str:
    if case.kind == "capitals" and not answer.isupper():
        return "not all in capitals"
    score, copied = _chrf(answer.lower(), reference.lower()), _chrf(case.plain, reference)
    if score < MIN_SAID_CHRF or score < copied + MIN_GAIN:
        return f"a chrF of {score:.0f}, the source {copied:.0f}"
    return ""


def _judge_word(case: Case, answer: str, _: str) -> str:
    core = answer.strip(" .!?").casefold()
    return "" if core in {each.casefold() for each in case.accepted} else "another word"


def _judge_negation(case: Case, answer: str, _: str) -> str:
    return "" if _SAYS_NO[case.target].search(answer) else "it does not say no"


def _judge_typography(case: Case, answer: str, reference: str) -> str:
    """Accept typographic characters as they were or plain, or as the language has them."""
    plain = answer.translate(_PLAIN_CHARACTERS).replace("…", "...")
    score, copied = _chrf(plain, reference), _chrf(case.plain, reference)
    if score < MIN_SAID_CHRF or score < copied + MIN_GAIN:
        return f"a chrF of {score:.0f}, the source {copied:.0f}"
    return ""


_PLAIN_CHARACTERS = str.maketrans("“”„«»‘’–—‑\u00a0", '"""""\'\'--- ')
_JUDGES: dict[str, Callable[[Case, str, str], str]] = {
    "numbers": _judge_numbers,
    "capitals": _judge_shouted,
    "mixed": _judge_shouted,
    "words": _judge_word,
    "negation": _judge_negation,
    "typography": _judge_typography,
}


def _forms(case: Case, item: str) -> list[str]:
    """List how an item may be written: a number of prose as its language or the other one does."""
    if case.kind == "numbers":
        swapped = item.translate(str.maketrans(",.", ".,"))
        digits = re.sub("[.,]", "", item)
        one_kind_of_thousands = re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", item)
        return [swapped, digits] if one_kind_of_thousands else [item, swapped]
    return [item]


def _places(text: str, items: list[list[str]]) -> tuple[list[int], str]:
    """Count the words before each item that is there, in order; return the text without."""
    places, rest, end = list[int](), "", 0
    for forms in items:
        found = [
            match
            for form in forms
            if (match := re.compile(_whole(form)).search(text, end)) is not None
        ]
        if not found:
            break
        first = min(found, key=lambda match: match.start())
        rest += text[end : first.start()] + " "
        places.append(_words(rest))
        end = first.end()
    return places, re.sub(r"\s+", " ", rest + text[end:]).strip()


def _whole(form: str) -> str:
    """Match the form, but not as a part of a longer word or number."""
    before = r"(?<![\w.,])" if form[0].isalnum() else ""
    after = r"(?!\w|[.,]\d)" if form[-1].isalnum() else ""
    return f"{before}{re.escape(form)}{after}"


def _words(text: str) -> int:
    return len(text.split())


def _chrf(text: str, reference: str) -> float:
    return float(_CHRF.sentence_score(text, [reference]).score)
