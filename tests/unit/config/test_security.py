"""Who may ask, as the configuration says it: what is wrong names its field and stops the start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.load_rules import check_load
from deployments.cli.key import app
from deployments.config.schema import AppConfig, ModelConfig
from deployments.config.security import Key, LoadAllow, Security, is_loopback
from models.errors import LoadNotAllowed
from tests.support.fakes import FAKE_VAD, SLEEP

HASH = "0" * 64
KEY = {"name": "ann", "hash": HASH, "scopes": ["infer"]}
MODELS = {"speaker": {"engine": SLEEP}}


def configured(host: str, **security: Any) -> AppConfig:
    args = {"models": MODELS, "ingress": {"host": host}, "security": security}
    return AppConfig.model_validate(args)


REACHED = ["0.0.0.0", "::", "10.0.0.5", "dragoman.internal", "2001:db8::1"]


@pytest.mark.parametrize("host", REACHED)
def test_a_server_that_others_reach_needs_keys(host: str) -> None:
    with pytest.raises(ValidationError, match=r"ingress\.host: .* security\.open: true"):
        configured(host)


@pytest.mark.parametrize("host", REACHED)
@pytest.mark.parametrize("security", [{"open": True}, {"keys": [KEY]}], ids=["open", "keys"])
def test_keys_or_a_word_let_it_be_reached(host: str, security: dict[str, Any]) -> None:
    assert configured(host, **security).ingress.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    assert configured(host).ingress.host == host


WRONG = {
    "a proxy and no keys": ({"public_url": "https://a.example"}, r"security\.public_url"),
    "keys, and everybody": ({"keys": [KEY], "open": True}, "open: "),
    "the key itself": ({"keys": [{**KEY, "hash": "secret"}]}, r"keys\.0\.hash"),
    "a name that is no label": ({"keys": [{**KEY, "name": 'a"b'}]}, r"keys\.0\.name"),
    "an unknown scope": ({"keys": [{**KEY, "scopes": ["root"]}]}, r"keys\.0\.scopes\.0"),
    "no scope": ({"keys": [{**KEY, "scopes": []}]}, r"keys\.0\.scopes"),
    "one name twice": ({"keys": [KEY, {**KEY, "hash": "1" * 64}]}, r"keys\.1\.name"),
    "one hash twice": ({"keys": [KEY, {**KEY, "name": "bob"}]}, r"keys\.1\.hash"),
    "every origin": ({"origins": ["*"]}, r"origins\.0"),
    "an origin with a path": ({"origins": ["https://a.example/x"]}, r"origins\.0"),
    "a limit of all ingresses": ({"keys": [{**KEY, "max_concurrent": 1}]}, "max_concurrent"),
}


@pytest.mark.parametrize(("security", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(security: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        configured("127.0.0.1", **security)
    assert refused.match(says)


# ---- a new key ---------------------------------------------------------------------------


def test_a_new_key_comes_with_its_lines_for_the_configuration() -> None:
    import hashlib

    import yaml

    told = CliRunner().invoke(app, ["new", "--name", "ann", "--scopes", "infer, admin"])
    key = next(line for line in told.stdout.splitlines() if not line.startswith("#"))
    (row,) = yaml.safe_load(told.stdout.partition(f"{key}\n")[2])
    assert Key.model_validate(row).scopes == ("infer", "admin")
    assert row["hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert told.exit_code == 0


def test_a_key_of_no_scope_is_not_made() -> None:
    told = CliRunner().invoke(app, ["new", "--name", "ann", "--scopes", "root"])
    assert told.exit_code == 2
    assert "scopes.0" in told.output


# ---- what a load may change ----------------------------------------------------------------

BASE = ModelConfig(
    engine=SLEEP, weights="path:/srv/a", replicas=2, options={"base_ms": 5.0, "item_ms": 1.0}
)
ALLOW = LoadAllow(
    weights=("path:/srv/weights/*", "hf:ann/*@*"),
    engines=("silero",),
    options=("base_ms",),
    max_replicas=4,
)
LOADS: dict[str, tuple[dict[str, Any], LoadAllow, str | None]] = {
    "nothing": ({}, LoadAllow(), None),
    "what the file says": (
        {"weights": "path:/srv/a", "engine": SLEEP, "replicas": 2, "options": BASE.options},
        LoadAllow(),
        None,
    ),
    "fewer replicas": ({"replicas": 1}, LoadAllow(), None),
    "threads and device": ({"threads": 2, "device": "cpu"}, LoadAllow(), None),
    "other weights": ({"weights": "hf:eve/model@main"}, LoadAllow(), "weights"),
    "another engine": ({"engine": "silero"}, LoadAllow(), "engine"),
    "256 replicas": ({"replicas": 256}, LoadAllow(), "replicas"),
    "another option": ({"options": {"base_ms": 9.0}}, LoadAllow(), "options.base_ms"),
    "weights that are named": ({"weights": "path:/srv/weights/b"}, ALLOW, None),
    "weights of a namer": ({"weights": "hf:ann/model@main"}, ALLOW, None),
    "weights beside them": ({"weights": "path:/srv/weights-b"}, ALLOW, "weights"),
    "weights that climb out": ({"weights": "path:/srv/weights/../../etc"}, ALLOW, "weights"),
    "weights that are no text": ({"weights": 7}, ALLOW, "weights"),
    "an engine that is named": ({"engine": "silero"}, ALLOW, None),
    "a class": ({"engine": FAKE_VAD}, ALLOW, "engine"),
    "as many as are allowed": ({"replicas": 4}, ALLOW, None),
    "one more": ({"replicas": 5}, ALLOW, "replicas"),
    "an option that is named": ({"options": {**BASE.options, "base_ms": 9.0}}, ALLOW, None),
    "an option that is not": ({"options": {**BASE.options, "item_ms": 9.0}}, ALLOW, "item_ms"),
}


@pytest.mark.parametrize(("changes", "allow", "refused"), LOADS.values(), ids=LOADS)
def test_a_load_changes_what_the_list_allows(
    changes: dict[str, Any], allow: LoadAllow, refused: str | None
) -> None:
    if refused is None:
        check_load(ModelOverride(changes), BASE, allow)
        return
    with pytest.raises(LoadNotAllowed, match=refused):
        check_load(ModelOverride(changes), BASE, allow)


SERVICE = ModelConfig(
    engine="openai-chat",
    options={"url": "https://example.org/v1", "model": "a", "key_variable": "A_KEY"},
)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "https://eve.example/v1"),
        ("model", "b"),
        ("key_variable", "ANOTHER_SECRET"),
        ("allow_http", True),
    ],
)
def test_no_load_changes_where_texts_are_sent(option: str, value: Any) -> None:
    allow = LoadAllow(options=("url", "model", "key_variable", "allow_http"))
    changes = {"options": {**SERVICE.options, option: value}}
    with pytest.raises(LoadNotAllowed, match=f"{option} is taken from the configuration's file"):
        check_load(ModelOverride(changes), SERVICE, allow)


def test_a_load_that_leaves_them_as_they_are() -> None:
    changes = {"options": {**SERVICE.options, "retries": 5}}
    check_load(ModelOverride(changes), SERVICE, LoadAllow(options=("retries",)))


def test_names_are_compared_in_small_letters() -> None:
    security = Security(open=True, hosts=("Node7.", "[::1]"), public_url="https://a.example:8443")
    assert security.names == {"node7", "::1", "a.example"}
