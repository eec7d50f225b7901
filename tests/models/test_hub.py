"""The hub through a stand-in: what is downloaded, resumed, refused, and done without network.

In a process of its own each: the hub's client reads its environment when it is imported.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import WeightsError
from tests.support.hub import COMMIT, Hub, digest, serve, serve_file
from tests.support.processes import spawn

REPOSITORY = "someone/model"
HUB_FILES = {"config.json": b"{}", "onnx/model.bin": bytes(range(256)) * 40}
WHISPER = "someone/whisper"
WHISPER_FILES = {
    "config.json": b"{}",
    "flax_model.msgpack": b"not for this engine",
    "model.bin": bytes(range(256)) * 40,
    "tokenizer.json": b"[]",
    "vocabulary.txt": b"a",
}
NEEDED = sorted(WHISPER_FILES.keys() - {"flax_model.msgpack"})


class TestResolve:
    @pytest.fixture
    def hub(self) -> Iterator[Hub]:
        with serve(Hub({REPOSITORY: HUB_FILES})) as running:
            yield running

    def test_a_snapshot_is_downloaded(self, hub: Hub, tmp_path: Path) -> None:
        path = resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert path.read_bytes() == HUB_FILES["onnx/model.bin"]
        assert hub.downloads() == [f"{REPOSITORY}/{name}" for name in sorted(HUB_FILES)]

    def test_a_snapshot_is_downloaded_once(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        hub.requests.clear()
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert hub.downloads() == []

    def test_a_snapshot_is_found_offline(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        hub.requests.clear()
        path = resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", HF_HUB_OFFLINE="1")
        assert path.read_bytes() == HUB_FILES["onnx/model.bin"]
        assert hub.requests == []

    def test_a_cached_revision_is_not_asked_for(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        hub.requests.clear()
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert hub.requests == []

    def test_a_cached_commit_is_not_asked_for(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@{COMMIT}")
        hub.requests.clear()
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@{COMMIT}")
        assert hub.requests == []

    def test_only_the_files_of_the_patterns_are_downloaded(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", files=("onnx/*",))
        assert hub.downloads() == [f"{REPOSITORY}/onnx/model.bin"]

    def test_a_part_of_a_snapshot_is_enough_offline(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", files=("onnx/*",))
        path = resolve_in_process(
            hub, tmp_path, f"hf:{REPOSITORY}@v1", files=("onnx/*",), HF_HUB_OFFLINE="1"
        )
        assert path.read_bytes() == HUB_FILES["onnx/model.bin"]

    def test_offline_a_part_is_no_whole_snapshot(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", files=("onnx/*",))
        with pytest.raises(WeightsError, match="dragoman fetch"):
            resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", HF_HUB_OFFLINE="1")

    def test_what_a_part_lacks_is_downloaded(self, hub: Hub, tmp_path: Path) -> None:
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", files=("onnx/*",))
        hub.requests.clear()
        resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert hub.downloads() == [f"{REPOSITORY}/config.json"]

    def test_a_transfer_that_breaks_is_resumed(self, tmp_path: Path) -> None:
        content = bytes(24 << 20)  # the hub's client keeps whole chunks of 10 MiB
        with serve(Hub({REPOSITORY: {"onnx/model.bin": content}})) as hub:
            hub.cuts["onnx/model.bin"] = 1
            path = resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert path.read_bytes() == content
        assert hub.ranges == [f"onnx/model.bin bytes={10 << 20}-"]

    def test_a_commit_is_a_revision(self, hub: Hub, tmp_path: Path) -> None:
        assert COMMIT in str(resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@{COMMIT}"))

    def test_a_missing_repository_is_named(self, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"hf:someone/else@v1.*Not Found"):
            resolve_in_process(hub, tmp_path, "hf:someone/else@v1")

    def test_offline_without_a_snapshot_is_an_error(self, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=f"hf:{REPOSITORY}@v1.*dragoman fetch"):
            resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", HF_HUB_OFFLINE="1")
        assert hub.requests == []

    def test_a_hub_that_is_down_is_an_error(self, hub: Hub, tmp_path: Path) -> None:
        hub.endpoint = "http://127.0.0.1:1"  # the port that nothing listens on
        with pytest.raises(WeightsError, match=f"hf:{REPOSITORY}@v1"):
            resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")

    def test_a_changed_file_on_the_hub_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"onnx/model\.bin has SHA-256"):
            resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", pin=digest(b"other"))

    def test_a_damaged_file_is_downloaded_again(self, hub: Hub, tmp_path: Path) -> None:
        damaged = resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        flip_a_bit(damaged)
        hub.requests.clear()
        path = resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1")
        assert path.read_bytes() == HUB_FILES["onnx/model.bin"]
        assert hub.downloads() == [f"{REPOSITORY}/onnx/model.bin"]

    def test_offline_a_damaged_file_is_named(self, hub: Hub, tmp_path: Path) -> None:
        flip_a_bit(resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1"))
        with pytest.raises(WeightsError, match=r"onnx/model\.bin is damaged.*HF_HUB_OFFLINE"):
            resolve_in_process(hub, tmp_path, f"hf:{REPOSITORY}@v1", HF_HUB_OFFLINE="1")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


RESOLVE = """
import sys
from models.weights import source
from models.errors import WeightsError
try:
    pins = {"onnx/model.bin": sys.argv[2]} if sys.argv[2] else {}
    print(source.resolve(sys.argv[1], pins, sys.argv[3:]).file("onnx/model.bin"))
except WeightsError as error:
    print("WeightsError", str(error).replace("\\n", " "))
"""


def resolve_in_process(
    hub: Hub,
    folder: Path,
    reference: str,
    *,
    pin: str = "",
    files: tuple[str, ...] = (),
    **environment: str,
) -> Path:
    """The path of ``onnx/model.bin`` of ``reference``, found by another process."""
    process = spawn(
        "-c",
        RESOLVE,
        reference,
        pin,
        *files,
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(folder / "hub"),
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        **environment,
    )
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    if output.startswith("WeightsError"):
        raise WeightsError(output)
    return Path(output.strip())


class TestFetch:
    """In a process of its own each: the hub's client reads its environment when imported."""

    @pytest.fixture
    def hub(self) -> Iterator[Hub]:
        with serve(Hub({WHISPER: WHISPER_FILES})) as running:
            yield running

    @pytest.fixture
    def config(self, tmp_path: Path) -> Path:
        asr = {"engine": "whisper", "weights": f"hf:{WHISPER}@{COMMIT}"}
        return serve_file(tmp_path, asr=asr)

    def test_only_what_the_engine_reads_is_downloaded(self, hub: Hub, config: Path) -> None:
        assert fetch_in_process(hub, config).returncode == 0
        assert hub.downloads() == [f"{WHISPER}/{name}" for name in NEEDED]

    def test_what_was_fetched_is_there_offline(self, hub: Hub, config: Path) -> None:
        fetch_in_process(hub, config)
        hub.requests.clear()
        assert fetch_in_process(hub, config, HF_HUB_OFFLINE="1").returncode == 0
        assert hub.requests == []

    def test_a_wrong_pin_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        pins = {"model.bin": digest(b"other")}
        asr = {"engine": "whisper", "weights": f"hf:{WHISPER}@v1", "sha256": pins}
        result = fetch_in_process(hub, serve_file(tmp_path, asr=asr))
        assert (result.returncode, "model.bin has SHA-256" in result.stderr) == (1, True)

    def test_a_killed_fetch_goes_on_with_the_files_that_are_not_whole(
        self, hub: Hub, config: Path
    ) -> None:
        hub.stalls.add("model.bin")
        with start(hub, config) as first:
            assert hub.stalled.wait(60)
            first.kill()
        whole = {path.name for path in config.with_name("hub").rglob("snapshots/*/*")}
        hub.stalls.clear()
        hub.requests.clear()
        result = fetch_in_process(hub, config, "--json")
        files = {file["name"]: file["sha256"] for file in json.loads(result.stdout)[0]["files"]}
        assert files == {name: digest(WHISPER_FILES[name]) for name in NEEDED}
        fetched = {path.rpartition("/")[2] for path in hub.downloads()}
        assert "model.bin" in fetched
        assert not fetched & whole


class TestCheck:
    """Before a start: what the hub has is fetched by the start itself."""

    @pytest.fixture
    def hub(self) -> Iterator[Hub]:
        with serve(Hub({WHISPER: WHISPER_FILES})) as running:
            yield running

    def test_what_the_hub_has_is_not_downloaded(self, hub: Hub, tmp_path: Path) -> None:
        assert check(hub, tmp_path, f"hf:{WHISPER}@v1")[0] == 0
        assert f"GET /api/models/{WHISPER}/revision/v1" in hub.requests
        assert hub.downloads() == []

    def test_what_the_hub_has_not_is_an_error(self, hub: Hub, tmp_path: Path) -> None:
        code, said = check(hub, tmp_path, "hf:someone/else@v1")
        assert code == 2
        assert "models.asr.weights: hf:someone/else@v1: the hub has none" in said

    def test_a_hub_that_cannot_be_asked_is_a_warning(self, hub: Hub, tmp_path: Path) -> None:
        hub.endpoint = "http://127.0.0.1:1"
        code, said = check(hub, tmp_path, f"hf:{WHISPER}@v1")
        assert code == 0
        assert f"models.asr.weights: hf:{WHISPER}@v1: the hub cannot be asked" in said


def check(hub: Hub, folder: Path, reference: str) -> tuple[int, str]:
    """The exit code of ``dragoman check``, and what it says."""
    config = serve_file(folder, asr={"engine": "whisper", "weights": reference})
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hub")}
    process = spawn("-m", "deployments.cli", "check", "--config", str(config), **environment)
    _, said = process.communicate()
    return process.returncode, said


def start(hub: Hub, config: Path, *args: str, **environment: str) -> subprocess.Popen[str]:
    """``dragoman fetch`` against the stand-in, in another process."""
    return spawn(
        "-m",
        "deployments.cli",
        "fetch",
        "--config",
        str(config),
        *args,
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(config.with_name("hub")),
        **environment,
    )


def fetch_in_process(
    hub: Hub, config: Path, *args: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    with start(hub, config, *args, **environment) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


class TestLicence:
    CARD = b"---\nlicense: cc-by-nc-4.0\n---\n# A model\n"

    @pytest.fixture
    def hub(self) -> Iterator[Hub]:
        with serve(Hub({WHISPER: {**WHISPER_FILES, "README.md": self.CARD}})) as running:
            yield running

    def test_the_hub_tells_it_before_anything_is_downloaded(self, hub: Hub, tmp_path: Path) -> None:
        code, said = check(hub, tmp_path, f"hf:{WHISPER}@v1")
        assert (code, hub.downloads()) == (2, [])
        assert "models.asr.accept_license" in said

    def test_the_card_that_tells_it_comes_with_the_weights(self, hub: Hub, tmp_path: Path) -> None:
        asr = {"engine": "whisper", "weights": f"hf:{WHISPER}@v1"}
        assert fetch_in_process(hub, serve_file(tmp_path, asr=asr)).returncode == 0
        code, said = check(hub, tmp_path, f"hf:{WHISPER}@v1")
        assert (code, "under CC-BY-NC-4.0, which forbids commercial use" in said) == (2, True)
