"""Find the key that a request came with, and make new ones."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from deployments.config.security import Security
from deployments.security.key_limits import Caller, Clock
from deployments.telemetry.usage import AccessFigures, Usage
from models.errors import NoKey, Unauthorized

MAX_KEY_BYTES = 256  # of what is sent as a key; those that are made here have 43


class KnownKeys:
    """All keys of the configuration, with the figures of this process."""

    def __init__(
        self, security: Security, clock: Clock = time.monotonic, unix_clock: Clock = time.time
    ) -> None:
        self.figures = AccessFigures({key.name: Usage() for key in security.keys})
        # A place in this dictionary is found by a hash that nobody outside can predict, so that
        # the time of a look-up tells nothing about the digests in it.
        self._salt = secrets.token_bytes(32)
        self._by_name = {
            key.name: Caller(key, self.figures.usage[key.name], clock, unix_clock)
            for key in security.keys
        }
        self._callers = {self._place(each.digest): each for each in self._by_name.values()}

    def __bool__(self) -> bool:
        return bool(self._callers)

    def __repr__(self) -> str:
        return f"KnownKeys({', '.join(self.figures.usage)})"

    def named(self, name: str) -> Caller | None:
        """Return the owner of that name; None: there is none."""
        return self._by_name.get(name)

    def caller(self, authorization: bytes | None) -> Caller:
        """Return the owner of the key in a header ``Authorization``.

        Raises:
            Unauthorized: there is no key, or it is not known.
        """
        if authorization is None:
            message = "a key is needed: send it as the header Authorization: Bearer KEY"
            raise NoKey(message, param="authorization")
        scheme, _, sent = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            message = "the header Authorization must be like Bearer KEY"
            raise NoKey(message, param="authorization")
        return self.owner(sent.strip(b" "))

    def owner(self, key: bytes) -> Caller:
        """Return the owner of a key. Raises Unauthorized: it is not known."""
        if len(key) <= MAX_KEY_BYTES:
            digest = hashlib.sha256(key).digest()
            found = self._callers.get(self._place(digest))
            if found is not None and hmac.compare_digest(found.digest, digest):
                return found
        raise Unauthorized("the key is not known here", param="authorization")

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._salt).digest()


def new_key() -> tuple[str, str]:
    """Make a key; return it and its hash."""
    key = secrets.token_urlsafe(32)  # 256 bits
    return key, hashlib.sha256(key.encode()).hexdigest()
