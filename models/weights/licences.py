"""Tell which licences of weights forbid commercial use, and refuse those that nobody accepted.

A licence is named as it comes: by its SPDX id, as hub cards spell it, or in words; several stand
with commas, semicolons or "and" between them, and alternatives with " OR ". A licence that is not
known here is told as unknown and does not stop a start: most weights are of people's own making or
lie in a folder that says nothing, and a refusal of all of these would be accepted unread.
"""

from __future__ import annotations

import re

from models.errors import ConfigError

# In a licence's name whose other characters than letters and digits were made hyphens.
_FORBIDS = re.compile(
    r"""
    (^|-)(cc-?)?by-?((sa|nd)-?)*nc(-?(sa|nd))*(?![a-z])   # CC-BY-NC-4.0, by-nc-sa, ccbync
    | (^|-)cc-?nc(?![a-z])
    | non-?commercial | (no|not-for|forbids|prohibits)-(any-)?commercial-(use|purpose)
    | (^|-)cpml(-|$) | coqui-(public-)?model
    | (^|-)(amlr|mnpl|mrl|nscl)(-|$)                      # Apple, Mistral (two), NVIDIA
    | (^|-)(h|intel|qwen|qianwen|mistral|fish-audio)-research(-|$)
    | (^|-)research(-use|-only|-model|-purposes?)*-(only|licen[cs]e|agreement)
    | (academic|evaluation|personal|private|educational)-(use-)?only
    | deepfloyd | polyform-(strict|personal)
    """,
    re.VERBOSE,
)
_PERMITS = re.compile(
    r"""
    (mit|mit-0|isc|zlib|wtfpl|unlicense|0bsd|postgresql|public-domain|openrail(-m)?)
    | (apache|mpl|[al]?gpl|gnu-[al]?gpl|eupl|epl|afl|artistic|bsd|bsl|ofl|ecl|osl)
      (-?v?[0-9]+)*(-clause)?(-only|-or-later|-licen[cs]e)?
    | (apache|mit|bsd)-licen[cs]e(-version)?(-[0-9]+)*
    | cc-?(0|zero)(-[0-9]+)* | cc-?by(-(sa|nd))?(-[0-9]+)*(-[a-z]{2})?
    | (bigscience|creativeml|bigcode)-openrail-m | cdla-permissive(-[0-9]+)* | odc-by(-[0-9]+)*
    """,
    re.VERBOSE,
)
_CREATIVE_COMMONS = re.compile(r"by-nc(?:-(?:nd|sa))?")
_CPML = re.compile(r"(^|-)cpml(-|$)|coqui-(public-)?model")


def forbids_commerce(licence: str) -> bool:
    """Tell whether a licence is known to forbid commercial use, in each of its alternatives."""
    return commercial_use(licence) is False


def commercial_use(licence: str) -> bool | None:
    """Tell whether a licence allows commercial use. None: it is not known here.

    A licence that sets other conditions, such as to name its author, allows it.
    """
    allowed = [_allows(each) for each in re.split(r"\s+OR\s+", licence)]
    return True if True in allowed else None if None in allowed else False


def check_accepted(name: str, weights: str, licence: str, *, is_accepted: bool) -> None:
    """Refuse weights whose licence forbids commercial use, unless the configuration accepts it.

    Args:
        name: the model's.
        weights: where they are, as the configuration says it.
        licence: theirs.
        is_accepted: whether the configuration does.

    Raises:
        ConfigError: names the model, the licence, where to read it, and the line to add.
    """
    if is_accepted or not forbids_commerce(licence):
        return
    raise ConfigError(
        f"models.{name}.accept_license: the weights {weights} are under {licence}, which forbids "
        f"commercial use; read it {where_to_read(licence, weights)}, and if what you do keeps to "
        f"it, write `accept_license: true` under models.{name} in the configuration"
    )


def where_to_read(licence: str, weights: str) -> str:
    """Say where the text of a licence is."""
    plain = _plain(licence)
    kind = _CREATIVE_COMMONS.search(plain)
    if kind is not None:
        version = re.search(r"[1-4]\.[05]", licence)
        return (
            f"at https://creativecommons.org/licenses/{kind[0]}/{version[0] if version else '4.0'}/"
        )
    if _CPML.search(plain):
        return "at https://huggingface.co/coqui/XTTS-v2/blob/main/LICENSE.txt"
    scheme, _, rest = weights.partition(":")
    if scheme == "hf":
        return f"at https://huggingface.co/{rest.partition('@')[0]}"
    return "where the weights came from"


def _allows(licence: str) -> bool | None:
    if _FORBIDS.search(_plain(licence)):
        return False
    parts = [part for part in re.split(r"[,;]|\b(?:and|AND)\b", licence) if part.strip()]
    return True if parts and all(map(_permits, parts)) else None


def _permits(part: str) -> bool:
    """Tell whether a part of a licence permits commerce, such as ``data CC0`` or ``X (MIT)``."""
    before, _, inside = part.partition("(")
    spelled = {_plain(before), _plain(before).removeprefix("data-"), _plain(inside)}
    return any(_PERMITS.fullmatch(each) for each in spelled)


def _plain(licence: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", licence.lower()).strip("-")
