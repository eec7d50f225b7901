"""Make and read tokens that are handed on: client secrets for browsers, and tokens to listen.

A token is signed and holds all that it says, so every ingress takes it, and nobody stores it. Its
signature covers the hash of its owner's key: a key that is taken away takes its tokens along.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deployments.security.key_limits import Caller, Clock
from deployments.security.keys import KnownKeys
from models.errors import Unauthorized

Kind = Literal["translation", "transcription", "listen"]
PREFIXES: Mapping[str, bytes] = {
    "translation": b"ek_",
    "transcription": b"ek_",
    "listen": b"lt_",
}
OPENS: Mapping[Kind, frozenset[tuple[str, str]]] = {  # the routes that a token opens, and no other
    "translation": frozenset({("GET", "/v1/realtime/translations")}),
    "transcription": frozenset({("GET", "/v1/realtime")}),
    "listen": frozenset(
        {
            ("GET", "/v1/realtime/translations"),
            ("GET", "/v1/realtime/follow"),
            ("GET", "/v1/realtime/languages"),
        }
    ),
}
MAX_TOKEN_BYTES = 6_144  # one line of a head has at most 8 KiB
SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """The content of a token.

    Attributes:
        owner: name of the key that made it; empty: there are no keys.
        expires_at: seconds since the epoch.
        says: the session that it opens or listens to.
    """

    kind: Kind
    owner: str
    expires_at: int
    says: Mapping[str, Any]


def is_token(credential: bytes) -> bool:
    """Tell a token from a key."""
    return credential.startswith((b"ek_", b"lt_"))


class Tokens:
    """Make tokens for callers, and read them.

    Args:
        signing_key: the same on every ingress of a server.
        known_keys: whose owners may make tokens.
        unix_clock: tells seconds since the epoch.
    """

    def __init__(
        self, signing_key: bytes, known_keys: KnownKeys, unix_clock: Clock = time.time
    ) -> None:
        self._signing_key = signing_key
        self._known_keys = known_keys
        self._unix_clock = unix_clock

    def make(self, kind: Kind, owner: str, lasts_s: int, says: Mapping[str, Any]) -> Token:
        """Make a token that lasts from now on; ``owner`` is empty where there are no keys."""
        return Token(kind, owner, math.ceil(self._unix_clock()) + lasts_s, says)

    def text(self, token: Token) -> str:
        """Return a token as it is sent."""
        said = [token.kind, token.owner, token.expires_at, token.says]
        body = json.dumps(said, separators=(",", ":")).encode()
        signed = self._signature(body, self._known_keys.named(token.owner)) + body
        text = base64.urlsafe_b64encode(signed).rstrip(b"=")
        return (PREFIXES[token.kind] + text).decode()

    def read(self, credential: bytes) -> tuple[Token, Caller | None]:
        """Return what a token says, and its owner; None: there are no keys.

        Raises:
            Unauthorized: it was not made here, its owner has another key by now, or it is over.
        """
        unknown = Unauthorized("the token is not known here", param="authorization")
        if len(credential) > MAX_TOKEN_BYTES:
            raise unknown
        try:
            signed = base64.urlsafe_b64decode(credential[3:] + b"==")
            kind, owner, expires_at, says = json.loads(signed[SIGNATURE_BYTES:])
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise unknown from None
        if not isinstance(owner, str) or kind not in get_args(Kind):
            raise unknown
        caller = self._known_keys.named(owner)
        expected = self._signature(signed[SIGNATURE_BYTES:], caller)
        if not hmac.compare_digest(signed[:SIGNATURE_BYTES], expected):
            raise unknown
        if (caller is None) == bool(self._known_keys) or PREFIXES[kind] != credential[:3]:
            raise unknown
        if expires_at <= self._unix_clock():
            raise Unauthorized("the token is over: ask for another", param="authorization")
        return Token(kind, owner, expires_at, says), caller

    def _signature(self, body: bytes, caller: Caller | None) -> bytes:
        digest = b"" if caller is None else caller.digest
        return hmac.digest(self._signing_key, digest + b"\0" + body, hashlib.sha256)
