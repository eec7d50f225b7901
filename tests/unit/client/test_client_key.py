"""A key on its way from the user to the server, and nowhere else."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path

import httpx
import pytest

import load_test
from dragoman_client import AsyncClient, Client, Retry
from dragoman_client.cli import app
from dragoman_client.console import ServerOptions
from tests.support import commands
from tests.support.fake_api import ok, refusal, serving
from tests.unit.client.test_load_test import Server

VOICES: dict[str, list[str]] = {"data": []}
KEY = "s3cr3t-key_of-ann"
SENT = f"Bearer {KEY}"


@pytest.mark.parametrize("client", [Client, AsyncClient], ids=["sync", "async"])
async def test_a_client_sends_its_key(client: type[Client] | type[AsyncClient]) -> None:
    server = serving(ok(VOICES))
    made = client("http://127.0.0.1:1", key=KEY, transport=server.transport)
    asked = made.voices()
    if not isinstance(asked, list):
        await asked
    assert server.headers[0]["authorization"] == SENT
    assert KEY not in repr(made) + repr(vars(made))


@pytest.mark.parametrize("key", ["", "a b", "a\r\nb", "é"], ids=["empty", "a space", "lines", "é"])
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match=r"^key must be printable ASCII without spaces$"):
        Client(key=key)


WAYS = {
    "an option": (["--key", KEY, "voices"], {}),
    "a variable": (["voices"], {"DRAGOMAN_KEY": KEY}),
    "a header that goes first": (
        ["--key", "other", "--header", f"Authorization: {SENT}", "voices"],
        {},
    ),
}


@pytest.mark.parametrize(("args", "env"), WAYS.values(), ids=WAYS)
def test_a_command_sends_its_key(args: list[str], env: dict[str, str]) -> None:
    server = serving(ok(VOICES))
    make_client = partial(Client, transport=server.transport, retry=Retry(attempts=1))
    result = commands.run(app, *args, obj=make_client, env=env)
    assert (result.exit_code, server.headers[0]["authorization"]) == (0, SENT)
    assert KEY not in result.output


def test_a_command_that_fails_tells_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serving(refusal(401, "invalid_api_key", "the key is not known here"))
    make_client = partial(Client, transport=server.transport, retry=Retry(attempts=2))
    result = commands.run(app, "--key", KEY, "voices", obj=make_client)
    assert "the key is not known here (401 invalid_api_key" in result.stderr
    assert KEY not in result.output + caplog.text
    options = ServerOptions("http://x", 1.0, {"authorization": SENT}, Client)
    assert KEY not in repr(options)


def test_a_wrong_key_on_the_command_line_is_not_repeated() -> None:
    result = commands.run(app, "--key", f"{KEY} é", "voices")
    assert (result.exit_code, KEY in result.output) == (2, False)


def test_the_load_test_sends_a_key_and_reports_none(tmp_path: Path) -> None:
    sent: list[str] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return server(request)

    server, path = Server(), tmp_path / "load.json"
    args = ["--key", KEY, "--requests", "2", "--callers", "1", "--json", str(path)]
    result = commands.run(load_test.app, *args, obj=httpx.MockTransport(keep))
    assert (result.exit_code, set(sent)) == (0, {SENT})
    assert KEY not in result.output + path.read_text()
    assert json.loads(path.read_text())["settings"]["callers"] == "1"
