"""Licences: which forbid commercial use, where each can be read, and who must accept them."""

from __future__ import annotations

import pytest

from models.errors import ConfigError
from models.weights.licences import (
    check_accepted,
    commercial_use,
    forbids_commerce,
    where_to_read,
)
from models.weights.source import PACKAGE_LICENCES, UNKNOWN_LICENCE

FORBIDDING = [
    *("CC-BY-NC-4.0", "cc-by-nc-sa-4.0", "CC BY-NC-ND 4.0", "cc_by_nc_nd", "CC-BY-NCSA", "by-nc"),
    "CC-BY-NC-ND-4.0 (as published)",
    "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "Attribution-NonCommercial 4.0 International",
    *("CPML", "coqui-public-model-license", "Coqui Public Model Licence", "coqui-model-license"),
    *("PolyForm-Noncommercial-1.0.0", "fair-noncommercial-research-license"),
    *("Non-Commercial", "not for commercial use", "for research purposes only"),
    *("apple-amlr", "h-research", "intel-research", "Tongyi Qianwen Research License"),
    "MIT, data CC BY-NC-SA 4.0; phonemes by piper-tts (GPL-3.0)",
    "CC-BY-NC-4.0 OR CPML",
]
PERMITTING = [
    *("MIT", "mit", "Apache-2.0", "Apache License 2.0", "BSD-3-Clause", "MPL-2.0", "ISC"),
    *("GPL-3.0", "GPL-3.0-or-later", "CC0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-ND-4.0"),
    "MIT, data CC0; phonemes by piper-tts (GPL-3.0)",
    "Apache-2.0; phonemes by piper-tts (GPL-3.0)",
    "MIT OR CC-BY-NC-4.0",
]
UNKNOWN = [
    *(UNKNOWN_LICENCE, "none", "other", "llama3", "by NCSOFT", "MIT, data by Google Research", ""),
    f"MIT, {UNKNOWN_LICENCE}",
    "llama3 OR CC-BY-NC-4.0",
]


@pytest.mark.parametrize("licence", FORBIDDING)
def test_what_forbids_commerce_is_known_however_it_is_spelled(licence: str) -> None:
    assert (forbids_commerce(licence), commercial_use(licence)) == (True, False)


@pytest.mark.parametrize("licence", PERMITTING)
def test_what_permits_commerce_is_known(licence: str) -> None:
    assert (forbids_commerce(licence), commercial_use(licence)) == (False, True)


@pytest.mark.parametrize("licence", UNKNOWN)
def test_what_is_not_known_is_neither(licence: str) -> None:
    assert (forbids_commerce(licence), commercial_use(licence)) == (False, None)


@pytest.mark.parametrize("licence", sorted(set(PACKAGE_LICENCES.values())))
def test_all_that_ships_may_be_used_in_commerce(licence: str) -> None:
    assert commercial_use(licence) is True


def test_a_refusal_names_the_model_the_licence_and_the_line_to_add() -> None:
    with pytest.raises(ConfigError) as caught:
        check_accepted("tts", "path:/srv/x", "CC-BY-NC-ND-4.0", is_accepted=False)
    assert str(caught.value) == (
        "models.tts.accept_license: the weights path:/srv/x are under CC-BY-NC-ND-4.0, which "
        "forbids commercial use; read it at https://creativecommons.org/licenses/by-nc-nd/4.0/, "
        "and if what you do keeps to it, write `accept_license: true` under models.tts in the "
        "configuration"
    )


@pytest.mark.parametrize(
    ("licence", "is_accepted"),
    [
        pytest.param("CPML", True, id="accepted"),
        pytest.param("MIT", False, id="permits commerce"),
        pytest.param(UNKNOWN_LICENCE, False, id="unknown"),
    ],
)
def test_what_need_not_be_refused_is_not(licence: str, is_accepted: bool) -> None:
    check_accepted("tts", "path:/srv/x", licence, is_accepted=is_accepted)


@pytest.mark.parametrize(
    ("licence", "weights", "expected"),
    [
        ("CPML", "hf:a/b@c", "at https://huggingface.co/coqui/XTTS-v2/blob/main/LICENSE.txt"),
        ("cc-by-nc-2.0", "hf:a/b@c", "at https://creativecommons.org/licenses/by-nc/2.0/"),
        ("h-research", "hf:a/b@c", "at https://huggingface.co/a/b"),
        ("h-research", "path:/srv/x", "where the weights came from"),
    ],
    ids=["cpml", "creative commons", "the hub", "a folder"],
)
def test_where_a_licence_can_be_read(licence: str, weights: str, expected: str) -> None:
    assert where_to_read(licence, weights) == expected
