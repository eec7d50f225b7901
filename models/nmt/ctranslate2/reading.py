"""Tells the family of a model by its files, and which languages it translates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.errors import ConfigError, WeightsError
from models.nmt.ctranslate2.codes import by_language, language_of
from models.nmt.ctranslate2.family import Codes, Family, FamilyName, Madlad, Nllb, OpusMt
from models.nmt.ctranslate2.files import ModelFiles, is_there, read_json
from models.nmt.ctranslate2.pieces import Pieces, SentencePieces, read_tokenizer
from models.text.languages import english_name
from models.weights.source import WeightSource

NLLB_FILES = ("sentencepiece.bpe.model", "flores200_sacrebleu_tokenizer_spm.model")
MADLAD_FILES = ("spiece.model", "sentencepiece.model")
OPUS_FILES = ("source.spm", "target.spm")
TOKENIZER_CONFIG = "tokenizer_config.json"

_CODE = r"[a-z]{2,3}(?:_[A-Za-z]{2,4})?"
_FLORES = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_OPUS_MARK = re.compile(rf">>({_CODE})<<")
_MADLAD_MARK = re.compile(rf"<2({_CODE})>")
_M2M100_MARK = "__en__"
# Of a repository such as Helsinki-NLP/opus-mt-tc-big-en-pt, and what others call it.
_OPUS_NAME = re.compile(rf"opus-mt-(?:tc-(?:big|base|bible-big)-)?({_CODE})-({_CODE})(?![A-Za-z])")
_OPUS_LINE = r"{} languages?(?:\(s\))?:\s*([a-z][\w ,-]*)"


class Wishes(Protocol):
    """The engine's options that say what to read a folder as."""

    @property
    def family(self) -> FamilyName | None: ...

    @property
    def source_languages(self) -> tuple[str, ...]: ...

    @property
    def target_languages(self) -> tuple[str, ...]: ...

    @property
    def codes(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in the folder of a model: its files, and the text that came with it."""

    source: WeightSource
    files: ModelFiles
    readme: str


def read_family(folder: Folder, wishes: Wishes) -> Family:
    """Read a model's tokenizer and languages.

    Raises:
        WeightsError: the family is not told by the files, or one of them is missing or of another
            kind.
        ConfigError: a language or a code of the options is not the model's.
    """
    name = wishes.family or _family_of(folder)
    if name == "opus-mt":
        return _opus(folder, wishes)
    pattern = _FLORES if name == "nllb" else _MADLAD_MARK
    marks = {
        token: match for token in folder.files.source_tokens if (match := pattern.fullmatch(token))
    }
    codes = by_language((match[match.lastindex or 0] for match in marks.values()), wishes.codes)
    if not codes:
        raise WeightsError(f"{folder.source.reference}: its vocabulary has no languages of {name}")
    pieces = read_tokenizer(folder.source, NLLB_FILES if name == "nllb" else MADLAD_FILES)
    _check_codes(wishes.codes, codes)
    sources = _chosen(codes, wishes.source_languages, "source_languages")
    targets = _chosen(codes, wishes.target_languages, "target_languages")
    family = Nllb if name == "nllb" else Madlad
    if name == "madlad":
        _check_marks(folder, pieces, next(iter(marks)))
    return family(folder.files, (pieces, pieces), (sources, targets), marks)


def _family_of(folder: Folder) -> FamilyName:
    if all(is_there(folder.source, name) for name in OPUS_FILES):
        return "opus-mt"
    tokens = folder.files.source_tokens
    if any(map(_MADLAD_MARK.fullmatch, tokens)):
        return "madlad"
    if any(map(_FLORES.fullmatch, tokens)):
        return "nllb"
    what = "the engine m2m100 runs it" if _M2M100_MARK in tokens else "options.family may name it"
    raise WeightsError(
        f"{folder.source.reference}: neither NLLB-200, Opus-MT nor MADLAD-400 by its files; {what}"
    )


def _check_marks(folder: Folder, pieces: Pieces, mark: str) -> None:
    """Check that the tokenizer knows the marks of languages as tokens."""
    if mark not in pieces.encode(mark):
        raise WeightsError(f"{folder.source.reference}: its tokenizer does not know {mark}")


# ---- Opus-MT -------------------------------------------------------------------------------


def _opus(folder: Folder, wishes: Wishes) -> OpusMt:
    source, target = (SentencePieces(folder.source.file(name)) for name in OPUS_FILES)
    marks = {
        token: match[1]
        for token in folder.files.source_tokens
        if (match := _OPUS_MARK.fullmatch(token))
    }
    targets: Codes
    named = _named_languages(folder)
    sources = by_language(_told(wishes.source_languages, named[0], folder, "source"), wishes.codes)
    if marks:
        known = by_language(marks.values(), wishes.codes)
        _check_codes(wishes.codes, known)
        targets = _chosen(known, wishes.target_languages, "target_languages")
    else:
        targets = by_language(_told(wishes.target_languages, named[1], folder, "target"))
    return OpusMt(folder.files, (source, target), (sources, targets), marks)


def _told(wished: Sequence[str], named: Sequence[str], folder: Folder, side: str) -> Sequence[str]:
    """Return the languages of a side, as the configuration or else the folder tells them."""
    if not (wished or named):
        raise WeightsError(
            f"{folder.source.reference}: its {side} languages are not told by its folder; "
            f"options.{side}_languages may name them"
        )
    return wished or named


def _named_languages(folder: Folder) -> tuple[list[str], list[str]]:
    """Return the languages of both sides as the first of these places has them.

    The names of groups, such as ROMANCE and mul, are no languages.
    """
    places = (_in_tokenizer_config, _in_readme, _in_name)
    found = [place(folder) for place in places]
    sources = next(filter(None, (_languages(each[0]) for each in found)), [])
    targets = next(filter(None, (_languages(each[1]) for each in found)), [])
    return sources, targets


def _in_tokenizer_config(folder: Folder) -> tuple[list[str], list[str]]:
    if not is_there(folder.source, TOKENIZER_CONFIG):
        return [], []
    config = read_json(folder.source.file(TOKENIZER_CONFIG), dict)
    return [str(config.get("source_lang", ""))], [str(config.get("target_lang", ""))]


def _in_readme(folder: Folder) -> tuple[list[str], list[str]]:
    found = (
        re.findall(_OPUS_LINE.format(side), folder.readme, re.IGNORECASE)
        for side in ("source", "target")
    )
    sources, targets = (re.split(r"[ ,]+", lines[-1].strip()) if lines else [] for lines in found)
    return sources, targets


def _in_name(folder: Folder) -> tuple[list[str], list[str]]:
    match = _OPUS_NAME.search(folder.source.reference)
    return ([match[1]], [match[2]]) if match else ([], [])


def _languages(codes: Iterable[str]) -> list[str]:
    """Return those of some codes that are of languages which have a name here."""
    return [code for code in codes if code and english_name(language_of(code))]


# ---- what the configuration wants ----------------------------------------------------------


def _chosen(codes: Codes, wished: Sequence[str], option: str) -> Codes:
    """Return the codes of the languages that the configuration names; none named: of all."""
    for language in wished:
        if language not in codes:
            raise ConfigError(
                f"options.{option}: the model does not know {language!r}; "
                f"it knows {' '.join(sorted(codes))}"
            )
    return {language: codes[language] for language in wished} if wished else codes


def _check_codes(wished: Mapping[str, str], codes: Codes) -> None:
    for language, code in wished.items():
        if code not in codes.get(language, ()):
            known = " ".join(codes.get(language, ())) or "none of that language"
            raise ConfigError(
                f"options.codes.{language}: {code!r} is not the model's; it has {known}"
            )
