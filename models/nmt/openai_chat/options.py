"""Options of the engine that asks an OpenAI-compatible service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from models.text.languages import language_code

# Languages that the large models of today translate well.
LANGUAGES = (
    *("en", "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "es", "et", "fa", "fi", "fr", "he"),
    *("hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro"),
    *("ru", "sk", "sl", "sr", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur", "vi", "zh"),
)
MAX_TIMEOUT_S = 240.0  # a replica is replaced when one batch holds it for 300 s
MAX_CONCURRENCY, MAX_RETRIES = 256, 10


@dataclass(frozen=True, slots=True)
class Options:
    """Set which service translates, and how it is asked. Its address, its key and its model come
    from this file alone: no call that loads a model can change them."""

    url: str
    """Base address of the service, such as https://api.example.com/v1; /chat/completions is put
    behind it. Texts of callers are sent there. https, unless its host is this machine."""
    model: str
    """Name of the model, as the service knows it."""
    key_variable: str | None = None
    """Name of the environment variable that holds the service's key. null: no key is sent."""
    allow_http: bool = False
    """Send texts and the key unencrypted to a host that is not this machine."""
    languages: tuple[str, ...] = LANGUAGES
    """Languages between any two of which it translates (ISO 639-1, else 639-3)."""
    concurrency: int = 8
    """Most calls of one replica at once, and most texts of one batch, from 1 to 256."""
    timeout_s: float = 60.0
    """Most seconds of one batch, all tries together; at most 240."""
    connect_timeout_s: float = 5.0
    """Most seconds until a connection is there."""
    read_timeout_s: float = 30.0
    """Most seconds without a byte of the answer."""
    retries: int = 2
    """Most tries after the first, from 0 to 10, where the service is busy (429), fails (5xx), or
    cannot be reached."""
    temperature: float | None = 0.0
    """Temperature of the sampling. null: none is sent, as some models take none."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Name of the field that bounds an answer."""
    max_answer_tokens: int = 2048
    """Most tokens of an answer, with what the model thinks to itself."""
    max_source_chars: int = 4000
    """Most characters of one text; a longer text is refused."""
    max_length_factor: float = 8.0
    """Most characters of a translation for each of its source, and 200 beside; a longer answer is
    no translation, and refused."""
    json_answer: bool = False
    """Ask for an answer in JSON (response_format), for models that put words around translations.
    """
    licence: str = "terms of the service"
    """Licence under which the service's translations may be used, as /v1/models shows it."""

    def __post_init__(self) -> None:
        _check_url(self.url, allow_http=self.allow_http)
        if not self.model:
            raise ValueError("model: a name is needed")
        if len(set(self.languages)) < 2:
            raise ValueError("languages: at least two are needed")
        for language in self.languages:
            if language_code(language) != language:
                raise ValueError(f"languages: {language!r} is no ISO 639-1 code, such as en")
        _check_range("concurrency", self.concurrency, 1, MAX_CONCURRENCY)
        _check_range("retries", self.retries, 0, MAX_RETRIES)
        _check_range("max_answer_tokens", self.max_answer_tokens, 1, math.inf)
        _check_range("max_source_chars", self.max_source_chars, 1, math.inf)
        _check_range("max_length_factor", self.max_length_factor, 1, 1000)
        for name in ("timeout_s", "connect_timeout_s", "read_timeout_s"):
            if not 0 < getattr(self, name) <= MAX_TIMEOUT_S:
                raise ValueError(f"{name}: above 0 and at most {MAX_TIMEOUT_S:g}")
        if self.temperature is not None:
            _check_range("temperature", self.temperature, 0, 2)
        if not self.licence:
            raise ValueError("licence: a text is needed")

    @property
    def endpoint(self) -> str:
        return f"{self.url.rstrip('/')}/chat/completions"

    @property
    def host(self) -> str:
        """Return the host that texts are sent to, with its port where the address names one."""
        return urlsplit(self.url).netloc


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        bounds = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{name}: {bounds}")


def _check_url(url: str, *, allow_http: bool) -> None:
    """Refuse an address that is none, or that texts must not be sent to; it is never repeated."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("url: no address, such as https://api.example.com/v1") from None
    if any(sign.isspace() or not sign.isprintable() for sign in url) or not parts.hostname:
        raise ValueError("url: no address, such as https://api.example.com/v1")
    if parts.scheme not in ("http", "https"):
        raise ValueError("url: https://, or http:// to this machine")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: a key belongs into the environment, see key_variable")
    if parts.query or parts.fragment:
        raise ValueError("url: it ends before a ? or a #")
    if parts.scheme == "http" and not (allow_http or _is_this_machine(parts)):
        raise ValueError("url: https, as texts leave the machine; or set allow_http")


def _is_this_machine(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
