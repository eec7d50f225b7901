"""The key that tokens are signed with: one for all ingress processes, whenever they start."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ray.experimental import internal_kv

from models.errors import ConfigError

SIGNING_KEY = "DRAGOMAN_SIGNING_KEY"  # of several servers behind one address
LEAST_CHARS, MADE_BYTES = 32, 32
NAMESPACE, PLACE = b"dragoman", b"signing_key"


def signing_key(environment: Mapping[str, str]) -> bytes:
    """Return the environment's key, or else the one that this cluster has made for itself.

    The cluster keeps it as long as it runs. A new key in each process would make a token good
    for one of them alone.

    Raises:
        ConfigError: the environment's is too short.
    """
    given = environment.get(SIGNING_KEY)
    if given:
        if len(given) < LEAST_CHARS:
            raise ConfigError(f"{SIGNING_KEY} must have at least {LEAST_CHARS} characters")
        return given.encode()
    kv: Any = internal_kv
    made = secrets.token_bytes(MADE_BYTES)
    kv._internal_kv_put(PLACE, made, overwrite=False, namespace=NAMESPACE)
    return bytes(kv._internal_kv_get(PLACE, namespace=NAMESPACE))
