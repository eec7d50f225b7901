"""Model cards: the licence that their head names."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.weights.cards import SHOWN_CHARS, licence_of_folder
from models.weights.source import UNKNOWN_LICENCE, licence

CARDS = {
    "the hub's id": ("license: cc-by-nc-4.0", "CC-BY-NC-4.0"),
    "Apache": ('license: "apache-2.0"', "Apache-2.0"),
    "two": ("license: [mit, cc-by-nc-4.0]", "MIT, CC-BY-NC-4.0"),
    "another with a name": (
        "license: other\nlicense_name: coqui-public-model-license\nlicense_link: https://x.y",
        "coqui-public-model-license",
    ),
    "another with a link": (
        "license: other\nlicense_link: https://x.y/by-nc/4.0",
        "https://x.y/by-nc/4.0",
    ),
    "another without": ("license: other", None),
    "unknown": ("license: unknown", None),
    "none": ("language: en", None),
    "a null": ("license:", None),
    "a number": ("license: 4", "4"),
    "an object": ("license: {a: b}", "{'a': 'b'}"),
    "no YAML": ("license: [", None),
    "a day that is none": ("license: 2020-13-45", None),
    "a list": ("- license: mit", None),
    "a long one": ("license: " + "x" * 5000, "x" * SHOWN_CHARS),
}


@pytest.mark.parametrize(("head", "expected"), CARDS.values(), ids=CARDS)
def test_the_licence_of_a_card(tmp_path: Path, head: str, expected: str | None) -> None:
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# A model\n")
    assert licence_of_folder(tmp_path) == expected


@pytest.mark.parametrize("text", ["", "# A model\n", "---\nlicense: mit\n"], ids=repr)
def test_a_card_without_a_head_tells_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text)
    assert licence_of_folder(tmp_path) is None


def test_weights_in_a_folder_have_their_card_s_licence(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    assert licence(f"path:{tmp_path}", "MIT") == "CC-BY-NC-4.0"


def test_a_folder_without_a_card_has_what_is_taken_for_it(tmp_path: Path) -> None:
    assert (licence(f"path:{tmp_path}"), licence(f"path:{tmp_path}", "MIT")) == (
        UNKNOWN_LICENCE,
        "MIT",
    )
