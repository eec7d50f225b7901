"""The command dub."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support import fake_api
from tests.support.fake_api import serving
from tests.unit.client.dragoman import run

FILM = httpx.Response(
    200,
    content=b"film",
    headers={**fake_api.SPOKEN_HEADERS, "content-type": "video/mp4", "x-warnings": "dub_shifted"},
)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    path.write_bytes(b"a film")
    return path


def test_a_film_is_dubbed_beside_its_source(film: Path) -> None:
    result = run(serving(FILM), "dub", film, "--to", "pt")
    assert film.with_name("film.pt.mp4").read_bytes() == b"film"
    assert result.stdout.splitlines() == [
        "transcript (en): Good day.",
        "translation (pt): Olá, São João.",
    ]
    assert "warning: dub_shifted" in result.stderr


def test_every_option_is_sent(film: Path) -> None:
    server = serving(FILM)
    options = ["--from", "en", "--voice", "source", "--background", "duck", "--subtitles"]
    run(server, "dub", film, "--to", "pt", *options, "--bilingual", "-o", film.with_name("a.mkv"))
    assert server.fields() == {
        "target_language": "pt",
        "source_language": "en",
        "voice": "source",
        "response_format": "mkv",
        "fit": "duration",
        "background": "duck",
        "subtitles": "true",
        "bilingual": "true",
    }


@pytest.mark.parametrize(
    ("name", "response_format"),
    [
        pytest.param("a.mkv", "mkv", id="its-own"),
        pytest.param("a.mov", "mp4", id="mov"),
        pytest.param("a.mp3", "mp3", id="sound"),
        pytest.param("a.amr", "wav", id="another-kind"),
    ],
)
def test_the_format_is_that_of_the_source(tmp_path: Path, name: str, response_format: str) -> None:
    source, server = tmp_path / name, serving(FILM)
    source.write_bytes(b"a")
    run(server, "dub", source, "--to", "pt")
    assert server.fields()["response_format"] == response_format
    assert (tmp_path / f"a.pt.{response_format}").exists()


def test_a_film_without_speech_is_not_written(film: Path) -> None:
    result = run(serving(httpx.Response(204)), "dub", film, "--to", "pt")
    assert (result.exit_code, list(film.parent.iterdir())) == (0, [film])
    assert "no speech" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--format", "wav", "--subtitles"], "is for a film", id="subtitles-of-sound"),
        pytest.param(["--bilingual"], "needs --subtitles", id="bilingual-alone"),
        pytest.param(["-o", "film.avi"], "must end in one of", id="extension"),
    ],
)
def test_a_wrong_command_line_is_refused(film: Path, options: list[str], words: str) -> None:
    server = serving(FILM)
    result = run(server, "dub", film, "--to", "pt", *options)
    assert (result.exit_code, server.requests) == (2, [])
    assert words in " ".join(result.stderr.replace("│", " ").split())
