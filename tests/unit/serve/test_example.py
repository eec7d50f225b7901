"""The command that the ready line offers fits the server that it is for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployments.config.files import ServeFile
from deployments.config.security import Tls
from deployments.serve.example import example, spoken_target
from tests.support.certificates import made
from tests.support.fakes import SLEEP
from tests.unit.doctor.test_running_server import serving


def model(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "pairs": [], "languages": [], **fields}


def voice(language: str) -> dict[str, Any]:
    return {"id": f"voice-{language}", "language": language}


SPEECH = [model("vad"), model("asr"), model("tts")]
PAIRED = model("nmt", pairs=[["en", "pt"], ["pt", "en"]])
TARGETS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]] = {
    "a pair": ([*SPEECH, PAIRED], [voice("en"), voice("pt")], "pt"),
    "any two": ([*SPEECH, model("nmt", languages=["en", "de", "fr"])], [voice("fr")], "fr"),
    "no voice of the target": ([*SPEECH, PAIRED], [voice("en"), voice("fr")], None),
    "no pair": ([*SPEECH, model("nmt", pairs=[["pt", "en"]])], [voice("en"), voice("pt")], None),
    "no recognition": ([model("vad"), model("tts"), PAIRED], [voice("pt")], None),
}


@pytest.mark.parametrize(("models", "voices", "target"), TARGETS.values(), ids=TARGETS)
def test_the_target_is_one_that_is_translated_and_spoken(
    models: list[Mapping[str, Any]], voices: list[Mapping[str, Any]], target: str | None
) -> None:
    assert spoken_target(models, voices) == target


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installed command beside this Python, in a folder that is not on the PATH."""
    bin_ = tmp_path / "my env" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "dragoman").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(bin_ / "python"))
    return bin_ / "dragoman"


def offered(answers: Mapping[str, tuple[int, Any]]) -> tuple[str, list[str] | None]:
    """The address of a server that answers so, and the words of its example."""
    with serving({"/health/ready": (200, {}), **answers}) as url:
        port = int(url.rpartition(":")[2])
        args = {"models": {"speaker": {"engine": SLEEP}}, "ingress": {"port": port}}
        application = {"import_path": "deployments.app:build", "args": args}
        content = {"proxy_location": "Disabled", "applications": [application]}
        command = example(ServeFile.model_validate(content), {})
    return url, None if command is None else shlex.split(command)


def test_speech_is_translated_where_the_models_can(program: Path) -> None:
    listed = (200, {"data": [*SPEECH, PAIRED]})
    url, words = offered({"/v1/models": listed, "/v1/audio/voices": (200, {"data": [voice("pt")]})})
    assert words is not None
    clip = Path(words.pop(4))
    assert words == [str(program), "--url", url, "translate", "--to", "pt", "-o", "out.wav"]
    assert clip.is_absolute()
    assert clip.exists()


REFUSALS = {
    "keys": (401, {"error": {"message": "a key is needed"}}),
    "no speech": (200, {"data": [model("speaker")]}),
}


@pytest.mark.parametrize("listed", REFUSALS.values(), ids=REFUSALS)
def test_else_it_asks_whether_the_server_is_ready(program: Path, listed: tuple[int, Any]) -> None:
    url, words = offered({"/v1/models": listed, "/v1/audio/voices": (200, {"data": []})})
    assert words == [str(program), "--url", url, "ready"]


def test_a_command_on_the_path_goes_by_its_name(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    _, words = offered({"/v1/models": REFUSALS["keys"]})
    assert words is not None
    assert words[0] == "dragoman"


def test_without_the_client_there_is_no_command(program: Path) -> None:
    program.unlink()
    assert offered({})[1] is None


@contextmanager
def over_tls(tls: Tls) -> Iterator[ServeFile]:
    """A server with that certificate, which is ready; its configuration."""
    with serving({"/health/ready": (200, {})}, tls) as url:
        args = {
            "models": {"speaker": {"engine": SLEEP}},
            "ingress": {"port": int(url.rpartition(":")[2]), "tls": tls.model_dump()},
            "security": {"keys": [{"name": "ann", "hash": "0" * 64, "scopes": ["infer"]}]},
        }
        application = {"import_path": "deployments.app:build", "args": args}
        content = {"proxy_location": "Disabled", "applications": [application]}
        yield ServeFile.model_validate(content)


def test_the_certificate_is_trusted_by_the_command(program: Path, tmp_path: Path) -> None:
    tls = made(tmp_path, signs_itself_for="127.0.0.1")
    with over_tls(tls) as config:
        command = example(config, {})
    trust = f"SSL_CERT_FILE={tls.certificate}"
    assert command is not None
    assert shlex.split(command) == [trust, str(program), "--url", config.url, "ready"]


def test_a_certificate_for_other_names_leaves_no_command(program: Path, tmp_path: Path) -> None:
    with over_tls(made(tmp_path)) as config:
        assert example(config, {}) is None
