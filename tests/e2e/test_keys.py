"""Keys and HTTPS on a real server of two ingresses: who may ask, what is counted, what is said."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import httpx
import pytest

from deployments.config.files import load
from deployments.config.security import SCOPES
from deployments.security import tls
from deployments.security.keys import new_key
from dragoman_client import Client
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.certificates import made
from tests.support.server import Running, config_on_a_free_port, eventually, fakes_config, running

SECRETS = {scope: new_key() for scope in SCOPES}
REQUESTS = 20  # each over a connection of its own, so that both ingresses have some
KEPT = {"authorization": f"Bearer {SECRETS['metrics'][0]}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, config = tmp_path_factory.mktemp("keys"), fakes_config()
    args = config["applications"][0]["args"]
    for name in ("nmt", "asr"):
        args["models"][name]["options"] = {"base_ms": 1.0}
    args["ingress"] = {"replicas": 2, "tls": made(folder).model_dump()}
    args["security"] = {
        "keys": [
            {"name": scope, "hash": digest, "scopes": [scope]}
            for scope, (_, digest) in SECRETS.items()
        ]
    }
    with running(config_on_a_free_port(folder, config)) as server:
        yield server


@pytest.fixture(scope="module")
def trust(server: Running) -> ssl.SSLContext:
    context = tls.own(load(server.config_path).applications[0].args.ingress.tls)
    assert context is not None
    return context


def test_the_launcher_says_where_it_is_served(server: Running) -> None:
    assert server.url.startswith("https://127.0.0.1:")


def test_no_command_is_offered_that_would_not_work(server: Running) -> None:
    """The certificate is for a public name, and not for the address of this machine."""
    assert re.search(
        r"ready at \S+, every model warm after \d+ s$", "".join(server.log), re.MULTILINE
    )


def test_a_client_with_a_key_is_answered(server: Running, trust: ssl.SSLContext) -> None:
    transport = httpx.HTTPTransport(verify=trust)
    with Client(server.url, key=SECRETS["infer"][0], transport=transport) as client:
        (translated,) = client.translate_text(["Hello."], "en", "pt")
    assert translated.text == "pt: Hello."


def test_what_a_key_uses_is_counted_over_all_ingresses(
    server: Running, trust: ssl.SSLContext
) -> None:
    def used() -> float:
        text = httpx.get(f"{server.url}/metrics", headers=KEPT, verify=trust).text
        lines = (line.rpartition(" ") for line in text.splitlines())
        row = 'dragoman_key_requests_total{key="infer"}'
        return next(float(value) for name, _, value in lines if name == row)

    before, headers = used(), {"authorization": f"Bearer {SECRETS['infer'][0]}"}
    answers = [
        httpx.post(f"{server.url}{TEXT}", json=TEXT_OK, headers=headers, verify=trust, timeout=60)
        for _ in range(REQUESTS)
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert [used() - before for _ in range(5)] == [REQUESTS] * 5  # from either ingress


def test_refusals_reach_the_terminal_without_the_key(
    server: Running, trust: ssl.SSLContext
) -> None:
    headers = {"authorization": f"Bearer {SECRETS['infer'][0]}"}
    doctor = httpx.get(f"{server.url}/v1/doctor", headers=headers, verify=trust)
    assert doctor.status_code == 403
    told = "refused reason=insufficient_scope key=infer method=GET path=/v1/doctor"
    eventually(lambda: told in "".join(server.log), "the refusal is told")
    assert SECRETS["infer"][0] not in "".join(server.log)
