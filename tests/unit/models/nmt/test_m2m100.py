"""M2M100 around its network: the tokenizer, checks of items, calls that rows share, files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from models.errors import (
    DragomanError,
    InvalidRequest,
    TooLarge,
    UnknownLanguage,
    UnsupportedPair,
    WeightsError,
)
from models.nmt.m2m100.convert import read_positions
from models.nmt.m2m100.engine import Options
from models.nmt.m2m100.rows import POSITIONS, Row, Translator
from models.nmt.m2m100.tokenizer import LANGUAGES, M2m100Tokenizer
from models.nmt.search import BatchOptions, Search
from models.runtime import ItemError
from models.types import NmtItem, Translation
from models.weights.source import resolve
from tests.support.published.m2m100 import SENTENCES, write_tokenizer

ITEM = NmtItem(SENTENCES["en"], "en", "pt")
CONFIG: dict[str, Any] = {
    "model_type": "m2m_100",
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "activation_function": "relu",
    "d_model": 32,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("m2m100")
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> M2m100Tokenizer:
    return M2m100Tokenizer.load(resolve(f"path:{folder}"))


class Echo:
    """Stands for a model: it translates each row to its own text, and remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, Search]] = []

    def __call__(self, rows: Sequence[Row], search: Search) -> list[list[int]]:
        self.calls.append((len(rows), search))
        return [row.source[1:-1][: search.max_tokens] for row in rows]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def translate(tokenizer: M2m100Tokenizer, echo: Echo) -> Translator:
    return Translator(tokenizer, BatchOptions(), echo)


def error_of(result: Translation | ItemError) -> DragomanError:
    assert isinstance(result, ItemError)
    return result.error


def texts(results: Sequence[Translation | ItemError]) -> list[str]:
    return [result.text for result in results if isinstance(result, Translation)]


# ---- the tokenizer ----------------------------------------------------------------------


@pytest.mark.parametrize("language", SENTENCES)
def test_a_text_survives_its_tokens(tokenizer: M2m100Tokenizer, language: str) -> None:
    assert tokenizer.decode(tokenizer.encode(SENTENCES[language])) == SENTENCES[language]


def test_languages_follow_the_vocabulary(tokenizer: M2m100Tokenizer, folder: Path) -> None:
    vocabulary = json.loads((folder / "vocab.json").read_text())
    ids = [tokenizer.language(code, "source_language") for code in LANGUAGES]
    assert ids == list(range(len(vocabulary), len(vocabulary) + 100))


def test_there_are_a_hundred_languages() -> None:
    assert len(set(LANGUAGES)) == len(LANGUAGES) == 100


@pytest.mark.parametrize("text", ["</s>", "__pt__", "<s>", "<pad>", "a</s>b"])
def test_a_special_token_that_is_spelt_is_text(tokenizer: M2m100Tokenizer, text: str) -> None:
    special = {tokenizer.end, tokenizer.padding, 0, tokenizer.language("pt", "target_language")}
    assert not special & set(tokenizer.encode(text))


def test_special_tokens_leave_no_trace_in_a_text(tokenizer: M2m100Tokenizer) -> None:
    english = tokenizer.language("en", "source_language")
    ids = [english, *tokenizer.encode("station"), tokenizer.end, tokenizer.size + 1]
    assert tokenizer.decode(ids) == "station"


def test_an_unknown_letter_is_one_unknown_token(tokenizer: M2m100Tokenizer) -> None:
    unknown = tokenizer.ids(["<unk>"])
    assert tokenizer.encode("\u2603")[-1:] == unknown


def test_spare_rows_have_names(tokenizer: M2m100Tokenizer) -> None:
    names = tokenizer.all_tokens(tokenizer.size + 2)
    assert names[-3:] == ["__zu__", "madeupword0", "madeupword1"]


def test_a_model_with_fewer_rows_than_tokens_is_refused(tokenizer: M2m100Tokenizer) -> None:
    with pytest.raises(WeightsError, match=f"has {tokenizer.size - 1} tokens"):
        tokenizer.all_tokens(tokenizer.size - 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="cut"),
        pytest.param("[]", id="list"),
        pytest.param('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 4}', id="gap"),
        pytest.param('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": "3"}', id="text-for-id"),
        pytest.param('{"<s>": 0, "<pad>": 1, "</s>": 2}', id="no-unknown"),
    ],
)
def test_a_bad_vocabulary_is_refused(folder: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(WeightsError, match="not a vocabulary"):
        M2m100Tokenizer(folder / "sentencepiece.bpe.model", tmp_path / "vocab.json")


def test_a_bad_sentencepiece_model_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"x\.model"):
        M2m100Tokenizer(tmp_path / "x.model", folder / "vocab.json")


# ---- items ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error_class", "param"),
    [
        pytest.param({"source_language": "xx"}, UnknownLanguage, "source_language", id="source"),
        pytest.param({"target_language": ""}, UnknownLanguage, "target_language", id="target"),
        pytest.param({"target_language": "en"}, UnsupportedPair, "target_language", id="same"),
        pytest.param({"beam_size": 0}, InvalidRequest, "beam_size", id="beam-0"),
        pytest.param({"beam_size": 11}, InvalidRequest, "beam_size", id="beam-11"),
        pytest.param({"length_penalty": -1.0}, InvalidRequest, "length_penalty", id="penalty"),
        pytest.param({"length_penalty": float("nan")}, InvalidRequest, "length_penalty", id="nan"),
        pytest.param({"max_tokens": 0}, InvalidRequest, "max_tokens", id="no-tokens"),
        pytest.param({"max_tokens": 1023}, InvalidRequest, "max_tokens", id="many-tokens"),
        pytest.param({"text": "a \ud800"}, InvalidRequest, "text", id="surrogate"),
        pytest.param({"text": "\u2603 " * POSITIONS}, TooLarge, "text", id="too-long"),
    ],
)
def test_a_bad_item_fails_alone(
    translate: Translator, changes: dict[str, Any], error_class: type[DragomanError], param: str
) -> None:
    before, failed, after = translate([ITEM, replace(ITEM, **changes), ITEM])
    assert before == after == Translation(ITEM.text, "en", "pt")
    error = error_of(failed)
    assert (type(error), error.param) == (error_class, param)


@pytest.mark.parametrize("text", ["", "   ", "\n"], ids=ascii)
def test_a_text_without_words_needs_no_model(translate: Translator, echo: Echo, text: str) -> None:
    assert translate([replace(ITEM, text=text)]) == [Translation("", "en", "pt")]
    assert not echo.calls


def test_max_source_tokens_counts_language_and_end(tokenizer: M2m100Tokenizer, echo: Echo) -> None:
    longest = len(tokenizer.encode(ITEM.text)) + 2
    results = [
        Translator(tokenizer, BatchOptions(max_source_tokens=bound), echo)([ITEM])[0]
        for bound in (longest, longest - 1)
    ]
    assert [isinstance(result, ItemError) for result in results] == [False, True]


def test_a_smaller_model_has_fewer_positions(tokenizer: M2m100Tokenizer, echo: Echo) -> None:
    (result,) = Translator(tokenizer, BatchOptions(), echo, positions=5)([ITEM])
    assert isinstance(error_of(result), TooLarge)


# ---- calls ------------------------------------------------------------------------------


def test_greedy_rows_share_a_call_whatever_else_they_ask(translate: Translator, echo: Echo) -> None:
    items = [
        replace(ITEM, max_tokens=5),
        replace(ITEM, max_tokens=70, length_penalty=2.0),
        replace(ITEM, target_language="zh", max_tokens=9),
    ]
    translate(items)
    assert echo.calls == [(3, Search(beam_size=1, length_penalty=1.0, max_tokens=70))]


def test_beams_share_a_call_when_their_search_is_the_same(
    translate: Translator, echo: Echo
) -> None:
    beam = replace(ITEM, beam_size=4, max_tokens=9)
    longer, other = replace(beam, max_tokens=10), replace(beam, length_penalty=0.5)
    items = [beam, longer, ITEM, replace(beam, source_language="de"), other]
    assert len(texts(translate(items))) == len(items)
    assert echo.calls[1:] == [
        (2, Search(4, 1.0, 9)),
        (1, Search(4, 1.0, 10)),
        (1, Search(4, 0.5, 9)),
    ]


def test_each_greedy_row_is_cut_to_its_own_bound(
    translate: Translator, tokenizer: M2m100Tokenizer
) -> None:
    short = texts(translate([replace(ITEM, max_tokens=3), ITEM]))
    assert short == [tokenizer.decode(tokenizer.encode(ITEM.text)[:3]), ITEM.text]


@pytest.mark.parametrize(
    ("snowmen", "bound"),  # each is two tokens; the language and the end are two more
    [(1, 64), (9, 64), (10, 128), (21, 192), (500, POSITIONS - 2)],
)
def test_the_own_bound_follows_the_source(
    translate: Translator, echo: Echo, snowmen: int, bound: int
) -> None:
    translate([replace(ITEM, text="\u2603 " * snowmen)])
    ((_, search),) = echo.calls
    assert search.max_tokens == bound


# ---- options and files --------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"max_batch_tokens": 0},
        {"max_source_tokens": 2},
        {"max_length_factor": 0.5},
        {"max_length_factor": float("nan")},
        {"compute_type": "int4"},
    ],
    ids=str,
)
def test_bad_options_name_their_field(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ValidationError, match=name):
        TypeAdapter(Options).validate_python(given)


@pytest.mark.parametrize(
    ("stated", "positions"),
    [({"max_position_embeddings": 77}, 77), ({}, POSITIONS)],
    ids=["stated", "as-published"],
)
def test_positions_are_read(tmp_path: Path, stated: dict[str, int], positions: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | stated))
    assert read_positions(tmp_path / "config.json") == positions


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "not a configuration", id="cut"),
        pytest.param("[]", "not a configuration", id="list"),
        pytest.param(json.dumps({}), "not a configuration", id="empty"),
        pytest.param(
            json.dumps({k: v for k, v in CONFIG.items() if k != "model_type"}),
            "not a configuration",
            id="no-type",
        ),
        pytest.param(json.dumps(CONFIG | {"model_type": "mbart"}), "model_type", id="another"),
        pytest.param(
            json.dumps(CONFIG | {"decoder_attention_heads": 8}), "decoder_attention", id="heads"
        ),
    ],
)
def test_a_network_of_another_kind_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=message):
        read_positions(tmp_path / "config.json")


@pytest.mark.process
def test_the_engine_is_light_to_import() -> None:
    code = "import models.nmt.m2m100.engine, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    heavy = {"torch", "transformers", "ctranslate2", "sentencepiece", "safetensors"}
    assert not heavy & set(done.stdout.split())
