"""The files of translation models in CTranslate2's format: what they are, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError, WeightsError
from models.nmt.ctranslate2.codes import by_language, code_of_text, language_of
from models.nmt.ctranslate2.engine import Options
from models.nmt.ctranslate2.family import Family
from models.nmt.ctranslate2.files import find_model, licence_in, read_readme
from models.nmt.ctranslate2.reading import Folder, read_family
from models.text.languages import language_code
from models.weights.source import resolve
from tests.support.published.ctranslate2 import train

# Codes of FLORES-200 with ours: of languages that ISO 639-1 has, parts of them, and others.
CODES = {
    **{"eng_Latn": "en", "zho_Hans": "zh", "zho_Hant": "zh", "pes_Arab": "fa", "prs_Arab": "prs"},
    **{"nob_Latn": "no", "nno_Latn": "nn", "npi_Deva": "ne", "swh_Latn": "sw", "kin_Latn": "rw"},
    **{"arb_Arab": "ar", "arb_Latn": "ar", "arz_Arab": "arz", "twi_Latn": "tw", "nso_Latn": "ns"},
    **{"pt_BR": "pt", "cmn_Hans": "zh", "pob": "pt", "iw": "he", "fil": "tl", "sr_Latn": "sr"},
}


@pytest.mark.parametrize(("code", "language"), CODES.items())
def test_a_code_is_of_a_language(code: str, language: str) -> None:
    assert (language_of(code), language_code(language)) == (language, language)


FIRST = {
    "zh": (("zho_Hant", "zho_Hans"), "zho_Hans"),
    "ar": (("arb_Latn", "arb_Arab"), "arb_Arab"),
    "sr": (("srp_Latn", "srp_Cyrl"), "srp_Cyrl"),
    "pt": (("pob", "por"), "por"),
    "ace": (("ace_Arab", "ace_Latn"), "ace_Latn"),
    "ja": (("ja_Latn", "ja"), "ja"),
}


@pytest.mark.parametrize(("language", "row"), FIRST.items())
def test_the_usual_code_comes_first(language: str, row: tuple[tuple[str, ...], str]) -> None:
    codes, first = row
    found = by_language(codes)[language]
    assert (found[0], sorted(found)) == (first, sorted(codes))


def test_another_code_may_be_chosen_to_come_first() -> None:
    codes = by_language(["zho_Hans", "zho_Hant"], {"zh": "zho_Hant"})
    assert codes["zh"] == ("zho_Hant", "zho_Hans")


SCRIPTS = {
    "Latin letters": (("ace_Latn", "ace_Arab"), "Peue haba", "ace_Latn"),
    "Arabic letters": (("ace_Latn", "ace_Arab"), "ڤوءي هابا X", "ace_Arab"),
    "no letters": (("ace_Latn", "ace_Arab"), "42", "ace_Latn"),
    "letters of both": (("zho_Hans", "zho_Hant"), "请稍等", "zho_Hans"),
}


@pytest.mark.parametrize(("codes", "text", "code"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_text_tells_its_script(codes: tuple[str, ...], text: str, code: str) -> None:
    assert code_of_text(codes, text) == code


# ---- folders -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model of SentencePiece that knows marks of MADLAD-400."""
    path = tmp_path_factory.mktemp("pieces") / "spiece.model"
    train(path, model_type="unigram", vocab_size=300, user_defined_symbols=["<2en>", "<2pt>"])
    return path.read_bytes()


def write(folder: Path, tokens: Iterable[str], files: Mapping[str, bytes | str]) -> None:
    """Write a folder whose model is empty: only its other files are read here."""
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(b"")
    (folder / "config.json").write_text("{}")
    tokens = ["<unk>", "<s>", "</s>", "a", *tokens]
    (folder / "shared_vocabulary.json").write_text(json.dumps(tokens))
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)


def family(folder: Path, **options: Any) -> Family:
    source = resolve(f"path:{folder}")
    found = Folder(source, find_model(source), read_readme(source))
    return read_family(found, Options(**options))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))


NLLB = ("eng_Latn", "por_Latn", "zho_Hans", "zho_Hant")
NLLB_FILES = ("sentencepiece.bpe.model", "flores200_sacrebleu_tokenizer_spm.model")


@pytest.mark.parametrize("name", NLLB_FILES)
def test_nllb_is_told_by_its_tokens(tmp_path: Path, pieces: bytes, name: str) -> None:
    write(tmp_path / "a", NLLB, {name: pieces})
    found = family(tmp_path / "a")
    assert (found.name, [*found.sources], found.is_among) == ("nllb", ["en", "pt", "zh"], True)


@pytest.mark.parametrize("name", ["spiece.model", "sentencepiece.model"])
def test_madlad_is_told_by_its_tokens(tmp_path: Path, pieces: bytes, name: str) -> None:
    odd = ("<2zxx_xx_dtynoise>", "<2translate>")
    write(tmp_path / "a", ("<2en>", "<2pt>", "<2pt_BR>", *odd), {name: pieces})
    found = family(tmp_path / "a")
    assert (found.name, dict(found.targets)) == ("madlad", {"en": ("en",), "pt": ("pt", "pt_BR")})


def test_a_vocabulary_of_lines(tmp_path: Path, pieces: bytes) -> None:
    """Of older conversions; a token may hold another end of a line."""
    write(tmp_path / "a", (), {"sentencepiece.bpe.model": pieces})
    (tmp_path / "a" / "shared_vocabulary.json").unlink()
    lines = "<unk>\n<s>\n</s>\n\u2028\neng_Latn\npor_Latn\n"
    (tmp_path / "a" / "shared_vocabulary.txt").write_text(lines, encoding="utf-8")
    assert [*family(tmp_path / "a").sources] == ["en", "pt"]


@pytest.mark.parametrize(("adds", "end"), [(True, None), (False, "</s>")])
def test_the_end_of_a_text_is_added_once(tmp_path: Path, adds: bool, end: str | None) -> None:
    write(tmp_path / "a", NLLB, {"config.json": json.dumps({"add_source_eos": adds})})
    assert find_model(resolve(f"path:{tmp_path / 'a'}")).end == end


README = "* source languages: {}\n* target languages: {}\n"
TATOEBA = "* source language(s): {}\n* target language(s): {}\n* model: transformer\n"
OPUS: dict[str, tuple[str, dict[str, str], list[tuple[str, str]]]] = {
    "the tokenizer's configuration": (
        "a",
        {"tokenizer_config.json": '{"source_lang": "en", "target_lang": "de"}'},
        [("en", "de")],
    ),
    "the README": ("a", {"README.md": README.format("en", "de")}, [("en", "de")]),
    "a README of three letters": (
        "a",
        {"README.md": TATOEBA.format("eng", "fra")},
        [("en", "fr")],
    ),
    "a README of groups": (
        "a",
        {"README.md": TATOEBA.format("cat fra", "deu nld_Latn")},
        [("ca", "de"), ("ca", "nl"), ("fr", "de"), ("fr", "nl")],
    ),
    "the name": ("opus-mt-en-de", {}, [("en", "de")]),
    "a name of three letters": ("opus-mt-tc-big-eng-fra-ct2", {}, [("en", "fr")]),
    "one side in each": (
        "opus-mt-en-de",
        {"tokenizer_config.json": '{"source_lang": "en", "target_lang": "GERMANIC"}'},
        [("en", "de")],
    ),
}


@pytest.mark.parametrize(("name", "files", "pairs"), OPUS.values(), ids=OPUS)
def test_the_pair_of_opus_mt_is_told(
    tmp_path: Path,
    pieces: bytes,
    name: str,
    files: dict[str, str],
    pairs: list[tuple[str, str]],
) -> None:
    write(tmp_path / name, (), {"source.spm": pieces, "target.spm": pieces, **files})
    found = family(tmp_path / name)
    assert (found.name, list(found.pairs)) == ("opus-mt", pairs)


def test_opus_mt_has_its_targets_from_its_tokens(tmp_path: Path, pieces: bytes) -> None:
    marks = (">>fra<<", ">>por<<", ">>pob<<", ">>cmn_Hans<<", ">>zle_none<<x")
    files = {"source.spm": pieces, "target.spm": pieces}
    write(tmp_path / "opus-mt-en-roa", marks, files)
    found = family(tmp_path / "opus-mt-en-roa", codes={"pt": "pob"})
    assert dict(found.targets) == {"fr": ("fra",), "pt": ("pob", "por"), "zh": ("cmn_Hans",)}
    assert [*found.sources] == ["en"]


def test_languages_that_no_folder_tells_are_asked_for(tmp_path: Path, pieces: bytes) -> None:
    files = {"source.spm": pieces, "target.spm": pieces}
    write(tmp_path / "opus-mt-ROMANCE-en", (), files)
    with pytest.raises(WeightsError, match=r"options\.source_languages may name them"):
        family(tmp_path / "opus-mt-ROMANCE-en")
    found = family(
        tmp_path / "opus-mt-ROMANCE-en", source_languages=("pt", "es"), target_languages=("en",)
    )
    assert found.pairs == (("pt", "en"), ("es", "en"))


def test_the_configuration_may_take_some_languages(tmp_path: Path, pieces: bytes) -> None:
    write(tmp_path / "a", NLLB, {"sentencepiece.bpe.model": pieces})
    found = family(tmp_path / "a", source_languages=("en",), target_languages=("pt", "zh"))
    assert found.pairs == (("en", "pt"), ("en", "zh"))


WRONG: dict[str, tuple[tuple[str, ...], dict[str, Any], type[Exception], str]] = {
    "no family": ((), {}, WeightsError, "options.family may name it"),
    "M2M100": (("__en__", "__pt__"), {}, WeightsError, "the engine m2m100 runs it"),
    "a family that it is not": (NLLB, {"family": "madlad"}, WeightsError, "no languages of madlad"),
    "a language that it lacks": (NLLB, {"target_languages": ("ru",)}, ConfigError, "'ru'"),
    "a code that it lacks": (NLLB, {"codes": {"zh": "zho_Latn"}}, ConfigError, "zho_Hans"),
    "a tokenizer that knows no marks": (("<2de>", "<2ru>"), {}, WeightsError, "<2de>"),
}


@pytest.mark.parametrize(("tokens", "options", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_named(
    tmp_path: Path,
    pieces: bytes,
    tokens: tuple[str, ...],
    options: dict[str, Any],
    kind: type[Exception],
    message: str,
) -> None:
    write(tmp_path / "a", tokens, {"sentencepiece.bpe.model": pieces, "spiece.model": pieces})
    with pytest.raises(kind, match=message):
        family(tmp_path / "a", **options)


MISSING = ["config.json", "model.bin", "shared_vocabulary.json", "sentencepiece.bpe.model"]


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_file_is_named(tmp_path: Path, pieces: bytes, name: str) -> None:
    write(tmp_path / "a", NLLB, {"sentencepiece.bpe.model": pieces})
    (tmp_path / "a" / name).unlink()
    with pytest.raises(WeightsError, match=name):
        family(tmp_path / "a")


DAMAGED = {
    "config.json": b"[]",
    "shared_vocabulary.json": b"{",
    "sentencepiece.bpe.model": b"no model",
}


@pytest.mark.parametrize(("name", "data"), DAMAGED.items(), ids=DAMAGED)
def test_a_damaged_file_is_named(tmp_path: Path, pieces: bytes, name: str, data: bytes) -> None:
    write(tmp_path / "a", NLLB, {"sentencepiece.bpe.model": pieces})
    (tmp_path / "a" / name).write_bytes(data)
    with pytest.raises(WeightsError, match=name):
        family(tmp_path / "a")


LICENCES = {
    "of the hub": ("---\nlicense: cc-by-nc-4.0\ntags: [a]\n---\n", "CC-BY-NC-4.0"),
    "of other capitals": ("---\nlicense: apache-2.0\n---\n", "Apache-2.0"),
    "of Windows": ("---\r\nlicense: mit\r\n---\r\n", "MIT"),
    "with another name": ("---\nlicense: other\n---\n", None),
    "not at the head": ("# A model\n---\nlicense: mit\n---\n", None),
    "no YAML": ("---\nlicense: [\n---\n", None),
    "no text": ("---\nlicense: 7\n---\n", None),
    "none": ("", None),
}


@pytest.mark.parametrize(("readme", "licence"), LICENCES.values(), ids=LICENCES)
def test_a_readme_tells_the_licence(readme: str, licence: str | None) -> None:
    assert licence_in(readme) == licence


BAD_OPTIONS = {
    "source_languages": {"source_languages": ("english",)},
    "codes": {"codes": {"zh_Hant": "zho_Hant"}},
    "repetition_penalty": {"repetition_penalty": 0.5},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": -1},
    "max_batch_tokens": {"max_batch_tokens": 0},
}


@pytest.mark.parametrize(("name", "options"), BAD_OPTIONS.items(), ids=BAD_OPTIONS)
def test_a_bad_option_is_named(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=name):
        Options(**options)
