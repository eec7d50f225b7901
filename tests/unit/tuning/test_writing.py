"""The tuned configuration: valid, with only the tuned keys changed, comments and all."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from deployments.config.files import load
from models.errors import ConfigError
from tuning.space import Candidate, policy_of, present
from tuning.writing import changes, write

ROOT = Path(__file__).parents[3]
SHIPPED = [ROOT / "serve_config.yaml", ROOT / "deploy" / "serve_config.gpu.yaml"]
BARE = """\
proxy_location: Disabled
applications:
- import_path: deployments.app:build
  args: {models: {speaker: {engine: tests.support.fakes:SleepSpeaker}}}  # all in one line
"""
SHARED = """\
proxy_location: Disabled
applications:
  - import_path: deployments.app:build
    args:
      models:
        a: &model
          engine: tests.support.fakes:SleepSpeaker # of both
          replicas: 1
        b: *model
    deployments:
      - name: Ingress
        user_config:
          batching: {a: &policy {max_batch_size: 4}, b: *policy}
"""


def tuned(source: Path, name: str, output: Path, **settings: float) -> Candidate:
    """Write the file with these settings of a model; what it was before."""
    config = load(source)
    before = present(config, list(config.applications[0].args.models))
    after = before.with_(name, **settings)
    write(source, config, changes(config, before, after), output)
    return after


def kept(folder: Path, text: str) -> Path:
    path = folder / "serve_config.yaml"
    path.write_text(text)
    return path


def changed_lines(before: Path, after: Path) -> list[str]:
    diff = difflib.ndiff(before.read_text().splitlines(), after.read_text().splitlines())
    return [line for line in diff if line[0] in "+-"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_changes_in_the_tuned_keys_alone(path: Path, tmp_path: Path) -> None:
    output = tmp_path / "tuned.yaml"
    tuned(path, "nmt", output, max_batch_size=7, max_queue_delay_ms=2.5, replicas=3)
    minus = [line for line in changed_lines(path, output) if line.startswith("-")]
    plus = [line.split() for line in changed_lines(path, output) if line.startswith("+")]
    assert len(minus) == 1  # the batch policy's line; replicas stood nowhere
    assert minus[0].split()[1] == "nmt:"
    assert ["+", "replicas:", "3"] in plus
    policy = re.sub(r"(max_batch_size: )\d+", r"\g<1>7", minus[0])
    policy = re.sub(r"(max_queue_delay_ms: )[\d.]+", r"\g<1>2.5", policy)
    assert ["+", *policy.split()[1:]] in plus
    assert len(plus) == 3  # with the threads, which would depend on the replicas


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_tuned_file_says_what_was_chosen(path: Path, tmp_path: Path) -> None:
    output = tmp_path / "tuned.yaml"
    after = tuned(path, "asr", output, max_batch_size=3, max_queue_delay_ms=0.0, threads=4)
    assert present(load(output), list(load(output).applications[0].args.models)) == after


def test_what_is_not_changed_is_written_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "tuned.yaml"
    tuned(SHIPPED[0], "nmt", output)
    assert output.read_text() == SHIPPED[0].read_text()


def test_a_file_may_be_tuned_in_its_place(tmp_path: Path) -> None:
    path = kept(tmp_path, BARE)
    tuned(path, "speaker", path, max_batch_size=2)
    assert policy_of(load(path), "speaker").max_batch_size == 2
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_missing_is_made(tmp_path: Path) -> None:
    output = tmp_path / "tuned.yaml"
    tuned(kept(tmp_path, BARE), "speaker", output, max_batch_size=32, replicas=2)
    assert "# all in one line" in output.read_text()
    assert load(output).applications[0].args.models["speaker"].replicas == 2
    assert policy_of(load(output), "speaker").max_batch_size == 32


def test_what_others_share_stays_theirs(tmp_path: Path) -> None:
    output = tmp_path / "tuned.yaml"
    after = tuned(kept(tmp_path, SHARED), "a", output, max_batch_size=9, replicas=2)
    assert present(load(output), ["a", "b"]) == after
    assert after.of("b") == present(load(kept(tmp_path, SHARED)), ["b"]).of("b")


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """A file that changed since it was read."""
    path, output = kept(tmp_path, BARE), tmp_path / "tuned.yaml"
    output.write_text("before")
    config = load(path)
    before = present(config, ["speaker"])
    path.write_text(BARE.replace("tests.support.fakes:SleepSpeaker", "ge2e"))
    with pytest.raises(ConfigError, match=r"serve_config\.yaml"):
        write(path, config, changes(config, before, before.with_("speaker", replicas=2)), output)
    assert output.read_text() == "before"
