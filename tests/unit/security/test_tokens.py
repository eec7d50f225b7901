"""Tokens: signed, bound to their owner's key and to a time."""

from __future__ import annotations

import base64

import pytest

from deployments.config.security import Key, Security
from deployments.security.keys import KnownKeys, new_key
from deployments.security.tokens import MAX_TOKEN_BYTES, Tokens
from models.errors import Unauthorized

_, HASH = new_key()
_, OTHER_HASH = new_key()
SIGNING = b"s" * 32


def tokens(digest: str | None = HASH, now_s: float = 1_000.0, signing: bytes = SIGNING) -> Tokens:
    keys = () if digest is None else (Key(name="ann", hash=digest, scopes=("infer",)),)
    return Tokens(signing, KnownKeys(Security(keys=keys)), lambda: now_s)


def made(by: Tokens, owner: str = "ann") -> bytes:
    return by.text(by.make("translation", owner, 60, {"model": "asr"})).encode()


def test_a_token_says_what_it_was_made_with() -> None:
    token, caller = tokens().read(made(tokens()))
    assert (token.kind, token.owner, token.says) == ("translation", "ann", {"model": "asr"})
    assert caller is not None
    assert caller.name == "ann"


def test_it_is_over_after_its_time() -> None:
    value = made(tokens())
    tokens(now_s=1_059.0).read(value)
    with pytest.raises(Unauthorized, match="over"):
        tokens(now_s=1_060.0).read(value)


@pytest.mark.parametrize(
    "reader",
    [tokens(signing=b"t" * 32), tokens(OTHER_HASH), tokens(None)],
    ids=["another server", "the key was replaced", "there are no keys any more"],
)
def test_it_is_unknown_where_its_key_or_server_is_another(reader: Tokens) -> None:
    with pytest.raises(Unauthorized, match="not known"):
        reader.read(made(tokens()))


def test_a_token_made_without_keys_is_unknown_once_there_are_some() -> None:
    with pytest.raises(Unauthorized, match="not known"):
        tokens().read(made(tokens(None), owner=""))


@pytest.mark.parametrize("place", [3, 20, 50, -2], ids=["begin", "signature", "body", "end"])
def test_a_changed_token_is_unknown(place: int) -> None:
    value = bytearray(made(tokens()))
    value[place] = ord("A") if value[place] != ord("A") else ord("B")
    with pytest.raises(Unauthorized, match="not known"):
        tokens().read(bytes(value))


@pytest.mark.parametrize(
    "value",
    [
        b"ek_",
        b"lt_",
        b"ek_\xff\xfe",
        b"ek_" + b"A" * (MAX_TOKEN_BYTES + 1),
        b"ek_" + base64.urlsafe_b64encode(b"0" * 32 + b"[" * 3_000),
        b"ek_" + base64.urlsafe_b64encode(b"0" * 32 + b'["translation"]'),
        b"ek_" + base64.urlsafe_b64encode(b"0" * 32 + b'[[], 5, "x", {}]'),
        b"ek_" + base64.urlsafe_b64encode(b"0" * 32 + b'[[], "ann", "x", {}]'),
        b"ek_" + base64.urlsafe_b64encode(b"0" * 32 + b"7"),
    ],
    ids=["empty", "no listener", "bytes", "long", "deep", "short", "types", "kind", "number"],
)
def test_what_is_no_token_is_unknown(value: bytes) -> None:
    with pytest.raises(Unauthorized, match="not known"):
        tokens().read(value)


def test_a_client_secret_is_no_token_to_listen() -> None:
    value = b"lt_" + made(tokens())[3:]
    with pytest.raises(Unauthorized, match="not known"):
        tokens().read(value)
