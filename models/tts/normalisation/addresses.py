"""Writes URLs, e-mail addresses and file names as people say them."""

from __future__ import annotations

import re
from re import Match
from urllib.parse import urlsplit

from models.tts.normalisation.vocabulary import Vocabulary

_EMAIL = re.compile(
    r"(?:mailto:)?(?<![\w.+-])([\w.+-]{1,64})@([^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){1,8})"
)
_TOP_LEVEL = (
    "com|org|net|gov|edu|mil|int|info|biz|io|dev|app|ai|cloud|tech|blog|shop|site|online|xyz|pt|br"
    "|uk|eu|fr|ca|au|jp|ch"
)
_URL = re.compile(
    r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"“”]+"
    rf"|(?<![\w@./-])(?:[a-z0-9][a-z0-9-]*\.)+(?:{_TOP_LEVEL})(?![\w-]|\.\w)(?:[/?#][^\s<>\"“”]*)?"
)
_BEHIND_URL = re.compile(r"[.,;:!?…'’)\]}*_~`]+$")
_FILE = re.compile(
    r"(?<![\w-])([\w-]{1,64})\.(pdf|docx?|xlsx?|pptx?|txt|md|csv|json|ya?ml|xml|html?|zip|tar|gz|png|jpe?g|gif"
    r"|svg|mp3|mp4|wav|flac|ogg|py|js|ts|java|cpp|sh|exe|log|ini|net)\b(?!\.\w)"
)
# A path worth saying: a few short words. Others tell a listener nothing.
_SAID_PATH = re.compile(r"(?:/[A-Za-z][\w-]{0,15}){1,3}/?")
_MARK = re.compile(r"[._@+:/-]")


def with_addresses_said(text: str, words: Vocabulary | None) -> str:
    """Write addresses in words; without a vocabulary a URL becomes its host."""
    if words is None:
        return _URL.sub(lambda match: _behind(match, _parts(match[0])[0]), text)
    text = _EMAIL.sub(lambda m: f"{_said(m[1], words)} {words.at} {_said(m[2], words)}", text)
    text = _URL.sub(lambda match: _behind(match, _said_url(match[0], words)), text)
    return _FILE.sub(lambda match: _said(match[0], words), text)


def _behind(match: Match[str], said: str) -> str:
    """Append to ``said`` the punctuation that follows the address without being a part of it."""
    tail = _BEHIND_URL.search(match[0])
    if tail is None or "(" in match[0]:  # the end belongs to the address
        return said
    return said + tail[0]


def _said_url(url: str, words: Vocabulary) -> str:
    host, port, path = _parts(url)
    said = _said(host, words)
    if port:
        said += f" {words.port} {port}"
    return f"{said} {_said(path, words).strip()}" if path else said


def _parts(url: str) -> tuple[str, str, str]:
    """Return host, port and path, each perhaps empty; of an invalid URL all is the host."""
    bare = _BEHIND_URL.sub("", url)
    try:
        split = urlsplit(bare if "://" in bare else f"//{bare}")
        host, port = split.hostname or bare, split.port
    except ValueError:
        return bare, "", ""
    is_said = not split.query and not split.fragment and _SAID_PATH.fullmatch(split.path)
    path = split.path.rstrip("/") if is_said else ""
    return host.removeprefix("www."), str(port or ""), path


def _said(address: str, words: Vocabulary) -> str:
    marks = {
        ".": words.dot,
        "@": words.at,
        "/": words.slash,
        "-": words.dash,
        "_": words.underscore,
        "+": words.symbols["+"],
        ":": " ",
    }
    return _MARK.sub(lambda match: f" {marks[match[0]]} ", address).replace("  ", " ").strip()
