"""The folder of a run and Ray's token are private, and Ray takes no commands of strangers."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.serve.private_files import (
    LONGEST_BASE_BYTES,
    LONGEST_FOLDER_BYTES,
    check_auth,
    guard_token,
    make_run_folder,
)
from deployments.telemetry.log import logger
from models.errors import ConfigError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


class TestFolder:
    def test_nobody_else_can_read_it(self, short_folder: Path) -> None:
        folder = make_run_folder({"TMPDIR": str(short_folder)})
        assert (mode(folder), folder.parent) == (0o700, short_folder)

    def test_each_run_has_its_own(self, short_folder: Path) -> None:
        outer = {"RAY_TMPDIR": str(short_folder), "TMPDIR": "/nowhere"}
        made = {make_run_folder(outer), make_run_folder(outer)}
        assert {len(made), *(folder.parent for folder in made)} == {2, short_folder}

    @pytest.mark.parametrize(
        "base",
        [
            pytest.param("/" + "x" * LONGEST_BASE_BYTES, id="in letters"),
            pytest.param(
                os.fsdecode(b"/" + b"\xc3\xa4" * (LONGEST_BASE_BYTES // 2 + 1)), id="bytes"
            ),
        ],
    )
    def test_where_sockets_have_no_room_it_is_elsewhere(self, base: str) -> None:
        folder = make_run_folder({"TMPDIR": base})
        folder.rmdir()
        assert folder.parent == Path("/tmp")
        assert len(os.fsencode(folder)) <= LONGEST_FOLDER_BYTES

    def test_a_long_one_of_the_caller_s_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"RAY_TMPDIR: /x+ is too long"):
            make_run_folder({"RAY_TMPDIR": "/" + "x" * 40})

    def test_one_that_cannot_be_made_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"RAY_TMPDIR: no folder can be made in /nowhere"):
            make_run_folder({"RAY_TMPDIR": "/nowhere"})

    @pytest.fixture
    def short_folder(self) -> Iterator[Path]:
        """Make a folder of the test's own, whose name is short enough for sockets."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            yield Path(folder)

    def test_a_relative_one_is_found_from_every_folder(
        self, short_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(short_folder)
        assert make_run_folder({"TMPDIR": "."}).is_absolute()


class TestToken:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("HOME", str(tmp_path))
        return tmp_path

    def test_it_is_made_for_its_owner_alone(self, home: Path) -> None:
        guard_token({})
        token = home / ".ray" / "auth_token"
        assert (mode(token), mode(token.parent), len(token.read_text())) == (0o600, 0o700, 64)

    def test_one_that_is_there_stays_and_is_closed_to_others(self, home: Path) -> None:
        token = home / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text("secret")
        token.chmod(0o644)
        guard_token({"RAY_AUTH_MODE": "token"})
        assert (mode(token), token.read_text()) == (0o600, "secret")

    def test_one_in_another_place_is_closed_to_others(self, home: Path) -> None:
        token = home / "token"
        token.write_text("secret")
        token.chmod(0o640)
        guard_token({"RAY_AUTH_TOKEN_PATH": str(token)})
        assert (mode(token), (home / ".ray").exists()) == (0o600, False)

    @pytest.mark.parametrize(
        "outer", [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "secret"}], ids=["off", "named"]
    )
    def test_none_is_made_where_none_is_read(self, home: Path, outer: dict[str, str]) -> None:
        guard_token(outer)
        assert not (home / ".ray").exists()


OFF = {"RAY_AUTH_MODE": "disabled"}
EVERYWHERE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}


class TestAuth:
    @pytest.mark.parametrize(
        ("outer", "host", "says"),
        [
            pytest.param(OFF, "0.0.0.0", "ingress.host is 0.0.0.0", id="listens to all"),
            pytest.param(OFF, "::", "ingress.host is ::", id="all of IPv6"),
            pytest.param(OFF, "gpu-1", "ingress.host is gpu-1", id="a name"),
            pytest.param(
                {**OFF, "RAY_ADDRESS": "10.0.0.1:6379"},
                "127.0.0.1",
                "RAY_ADDRESS is 10.0.0.1:6379",
                id="a real cluster",
            ),
            pytest.param(
                {**OFF, "RAY_ADDRESS": "auto"}, "127.0.0.1", "RAY_ADDRESS is auto", id="any cluster"
            ),
            pytest.param(
                {**OFF, **EVERYWHERE}, "127.0.0.1", "on every interface", id="ray listens to all"
            ),
            pytest.param({"RAY_AUTH_MODE": ""}, "0.0.0.0", "ingress.host is 0.0.0.0", id="empty"),
        ],
    )
    def test_commands_without_a_token_are_refused(
        self, outer: dict[str, str], host: str, says: str
    ) -> None:
        with pytest.raises(ConfigError, match=f"RAY_AUTH_MODE: .*{says}; unset it"):
            check_auth(outer, host)

    @pytest.mark.parametrize(
        "outer",
        [
            pytest.param({}, id="not named"),
            pytest.param({"RAY_AUTH_MODE": "token"}, id="token"),
            pytest.param({"RAY_AUTH_MODE": "Token", **EVERYWHERE}, id="a cluster is asked for"),
        ],
    )
    def test_with_a_token_it_may_listen_anywhere(self, outer: dict[str, str]) -> None:
        check_auth(outer, "0.0.0.0")

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
    def test_on_loopback_it_is_said(
        self, host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(logger, "handlers", [caplog.handler])
        caplog.set_level(logging.INFO)
        check_auth({**OFF, "RAY_ADDRESS": "127.0.0.1:6379"}, host)
        assert "RAY_AUTH_MODE: with 'disabled' whoever reaches a port of Ray" in caplog.text
