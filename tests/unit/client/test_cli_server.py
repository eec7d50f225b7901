"""The options of the server, and the commands that ask about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from dragoman_client.cli import app
from tests.support import fake_api
from tests.support.fake_api import ok, serving
from tests.unit.client.dragoman import run

READY = {"ready": True, "models": {"asr": "ready"}}
LOADING = {"ready": False, "models": {"asr": "loading"}}
FROM_EN = ["--from", "en", "--to", "pt"]


def test_a_transcription_names_model_and_prompt(wav: Path) -> None:
    server = serving(httpx.Response(200, text="Hi"))
    run(server, "transcribe", wav, "--model", "whisper-1", "--prompt", "Ann.", "--language", "pt")
    sent = server.fields()
    assert (sent["model"], sent["prompt"], sent["language"]) == ("whisper-1", "Ann.", "pt")


@pytest.mark.parametrize("command", [["voices"], ["ready"], ["text", "Hi", *FROM_EN]])
def test_headers_go_with_every_command(command: list[str]) -> None:
    server = serving(httpx.Response(500))
    run(server, "--header", "Authorization: Bearer a:b", "--header", "x-priority:1", *command)
    (sent,) = server.headers
    assert (sent["authorization"], sent["x-priority"]) == ("Bearer a:b", "1")


def test_subtitles_without_a_file_are_printed(wav: Path) -> None:
    server = serving(httpx.Response(200, text="1\n..."))
    result = run(server, "translate", wav, "--to", "pt", "--format", "srt")
    assert result.stdout == "1\n...\n"


# ---- the server -----------------------------------------------------------------------


def test_models_say_what_was_asked_what_was_got_and_why() -> None:
    result = run(serving(ok({"data": [fake_api.MODEL]})), "models")
    assert result.stdout.splitlines() == [
        "id\tkind\tengine\tasked\truns on\twhy\treplicas\tbatches\tmean batch\tlive lag\tlicence",
        "asr\tasr\tfaster_whisper\tauto\tcpu\tno driver was found\t2\t4\t2.5\t\tMIT",
    ]


def test_models_say_how_late_live_sessions_are() -> None:
    row = {**fake_api.MODEL, "live_lag_p95_s": 1.234}
    result = run(serving(ok({"data": [row]})), "models")
    assert result.stdout.splitlines()[1].endswith("\t2.5\t1.23 s\tMIT")


def test_models_say_which_forbid_commercial_use() -> None:
    row = {**fake_api.MODEL, "licence": "CPML", "commercial_use": False}
    result = run(serving(ok({"data": [row]})), "models")
    assert result.stdout.splitlines()[1].endswith("\tCPML (not for commerce)")


def test_models_as_json() -> None:
    result = run(serving(ok({"data": [fake_api.MODEL]})), "models", "--json")
    assert json.loads(result.stdout)[0]["device"]["requested"] == "auto"


def test_voices() -> None:
    result = run(serving(ok({"data": [fake_api.VOICE]})), "voices")
    assert result.stdout.splitlines()[1] == "pt-kumo\tpt\tkokoro\ttts-pt\t24000"


@pytest.mark.parametrize(
    ("status", "body", "exit_code"),
    [pytest.param(200, READY, 0, id="ready"), pytest.param(503, LOADING, 1, id="loading")],
)
def test_ready_says_it_by_its_exit_code(status: int, body: dict[str, Any], exit_code: int) -> None:
    result = run(serving(httpx.Response(status, json=body)), "ready")
    assert result.exit_code == exit_code
    assert result.stdout.splitlines() == ["model\tstate", f"asr\t{body['models']['asr']}"]


def test_ready_waits_if_told_to() -> None:
    assert run(serving(httpx.Response(200, json=READY)), "ready", "--wait", "60").exit_code == 0


@pytest.mark.parametrize(
    ("args", "env"),
    [
        pytest.param(["--url", "http://gpu:9/x"], {}, id="option"),
        pytest.param([], {"DRAGOMAN_URL": "http://gpu:9/x"}, id="environment"),
        pytest.param(
            ["--url", "http://gpu:9/x"], {"DRAGOMAN_URL": "http://no"}, id="option outweighs"
        ),
    ],
)
def test_the_server_is_named(args: list[str], env: dict[str, str]) -> None:
    server = serving(httpx.Response(200, json=READY))
    run(server, *args, "ready", env=env)
    assert str(server.requests[0].url) == "http://gpu:9/x/health/ready"


def test_the_timeout_is_told_to_the_server() -> None:
    server = serving(ok({"data": []}))
    run(server, "--timeout", "600", "voices")
    assert 500_000 < int(server.headers[0]["x-timeout-ms"]) <= 599_750


# ---- doctor ---------------------------------------------------------------------------


def test_doctor_prints_the_findings_with_their_fixes() -> None:
    result = run(serving(ok(fake_api.DIAGNOSIS)), "doctor")
    assert result.stdout.splitlines() == [
        "status\tcheck\tfound\tfix",
        "failed\tdriver\tnone\tinstall it",
        "ok\ttorch\t2.13.0\t",
        "",
        "host: 1 failed, the first at driver: none",
    ]


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        pytest.param("ok", 0, id="ok"),
        pytest.param("warning", 0, id="warning"),
        pytest.param("failed", 1, id="failed"),
    ],
)
def test_doctor_fails_if_something_failed(status: str, exit_code: int) -> None:
    result = run(serving(ok({**fake_api.DIAGNOSIS, "status": status})), "doctor")
    assert result.exit_code == exit_code


def test_doctor_as_json() -> None:
    result = run(serving(ok(fake_api.DIAGNOSIS)), "doctor", "--json")
    assert json.loads(result.stdout) == fake_api.DIAGNOSIS


@pytest.mark.parametrize(
    ("command", "offers"), [("say", False), ("translate", True)], ids=["say", "translate"]
)
def test_the_speakers_own_voice_is_offered_where_there_is_a_speaker(
    command: str, offers: bool
) -> None:
    commands = typer.main.get_group(app).commands
    (voice,) = (param for param in commands[command].params if param.name == "voice")
    assert ("source" in str(getattr(voice, "help", ""))) is offers
