"""HTTPS: checked before the start, served by the listener, trusted by this machine's own calls."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from deployments.config.files import Application, ServeFile
from deployments.config.ingress import IngressConfig
from deployments.config.schema import AppConfig, ModelConfig
from deployments.config.security import Tls
from deployments.http.middleware.admission import Admission
from deployments.http.server import Listener
from deployments.security import tls
from deployments.serve.ports import free_port
from models.errors import ConfigError
from tests.support.certificates import made
from tests.support.fakes import SLEEP
from tests.support.sockets import gated, hello


async def test_the_listener_serves_https_under_that_certificate_alone(tmp_path: Path) -> None:
    files, port = made(tmp_path), free_port()
    listener = Listener(gated(hello), "127.0.0.1", port, 60, files)
    listener.start()
    context = tls.own(files)
    assert context is not None
    async with httpx.AsyncClient(verify=context) as http:
        answer = await http.get(f"https://127.0.0.1:{port}/")
    other = tls.own(made(tmp_path, "other"))
    assert other is not None
    async with httpx.AsyncClient(verify=other) as stranger:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await stranger.get(f"https://127.0.0.1:{port}/")
    await listener.stop(Admission(8), 10.0)
    assert answer.text == "hello 0"


def test_a_certificate_and_its_key_are_right(tmp_path: Path) -> None:
    tls.check(made(tmp_path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = made(tmp_path).model_copy(update={"key": str(tmp_path / "none.key")})
    with pytest.raises(ConfigError, match=r"ingress\.tls\.key: .*none\.key: No such file"):
        tls.check(files)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    files = made(tmp_path).model_copy(update={"key": made(tmp_path, "other").key})
    with pytest.raises(ConfigError, match=r"ingress\.tls: "):
        tls.check(files)


def test_a_key_with_a_password_is_refused_without_a_question(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="encrypted"):
        tls.check(made(tmp_path, password=b"secret"))


@pytest.mark.parametrize(
    ("host", "encrypted", "url"),
    [
        pytest.param("127.0.0.1", False, "http://127.0.0.1:8000", id="HTTP"),
        pytest.param("0.0.0.0", True, "https://127.0.0.1:8000", id="HTTPS"),
        pytest.param("::", True, "https://[::1]:8000", id="IPv6"),
    ],
)
def test_the_url_says_how_it_is_served(host: str, encrypted: bool, url: str) -> None:
    files = Tls(certificate="a.pem", key="a.key") if encrypted else None
    args = AppConfig.model_validate(
        {
            "models": {"speaker": ModelConfig(engine=SLEEP)},
            "ingress": IngressConfig(host=host, tls=files),
            "security": {"open": True},
        }
    )
    application = Application(import_path="deployments.app:build", args=args)
    assert ServeFile(proxy_location="Disabled", applications=[application]).url == url
