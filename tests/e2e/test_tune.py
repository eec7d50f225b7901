"""The tuner on a real server of a model whose best batch is known by arithmetic."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import yaml

from deployments.config.files import load
from tests.support.fakes import SLEEP
from tests.support.server import ROOT, config_on_a_free_port, fakes_config
from tuning.space import policy_of

CALLERS, LARGE = 16, 16
# One by one, 16 callers wait 16 x 150.2 ms = 2.4 s for each answer, before two replicas half of it.
# In batches of up to 16 it is three batches at most, of 153 ms each at most: a loaded machine may
# add half a second.
BASE_MS, ITEM_MS, SLO_MS = 150.0, 0.2, 1000.0
OPTIONS = [
    *("--model", "speaker", "--slo-p99-ms", f"{SLO_MS:g}", "--callers", f"{CALLERS}"),
    *("--batch-sizes", f"{LARGE}", "--delays-ms", "5", "--replicas", "1,2", "--threads", "1"),
    *("--duration", "1", "--warm-up", "0.2", "--turns", "1", "--budget-s", "200"),
]


def sleeper(folder: Path) -> Path:
    """A configuration of one model that takes one item at a time, beside another."""
    config = fakes_config()
    (application,) = config["applications"]
    args = application["args"]
    args["models"] = {
        "nmt": args["models"]["nmt"],
        "speaker": {"engine": SLEEP, "options": {"base_ms": BASE_MS, "item_ms": ITEM_MS}},
    }
    batching = application["deployments"][0]["user_config"]["batching"]
    batching["speaker"] = {"max_batch_size": 1}
    return config_on_a_free_port(folder, config)


def tuned(config: Path, *more: str) -> tuple[int, str, list[psutil.Process]]:
    """Run it: the exit code, stdout, and the processes that it had while it measured."""
    command = [sys.executable, "-m", "tuning", "--config", str(config), *OPTIONS, *more]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if re.search(r"\d+ of \d+ s", line):
                break
        children = psutil.Process(process.pid).children(recursive=True)
        out, rest = process.communicate()
    assert children, "".join([*said, rest])
    return process.returncode, out, children


def test_a_larger_batch_is_found_and_written_and_nothing_is_left_behind(tmp_path: Path) -> None:
    config, output = sleeper(tmp_path), tmp_path / "tuned.yaml"
    document, picture = tmp_path / "tuned.json", tmp_path / "tuned.png"
    files = ("--output", output, "--json", document, "--picture", picture)
    exit_code, out, children = tuned(config, *map(str, files))
    assert exit_code == 0, out
    assert policy_of(load(output), "speaker").max_batch_size == LARGE
    assert [child for child in children if child.is_running()] == []
    assert "chosen: batch 16" in out
    assert picture.stat().st_size
    check_measured(json.loads(document.read_text()))
    check_only_tuned_keys_differ(yaml.safe_load(config.read_text()), output)


def check_measured(document: dict[str, Any]) -> None:
    """Batches were as large as they were said to be, and both replicas answered."""
    points = [(p["settings"]["speaker"], p) for p in document["points"]]
    one_by_one = next(p for s, p in points if s["max_batch_size"] == 1)
    large = next(p for s, p in points if (s["max_batch_size"], s["replicas"]) == (LARGE, 1))
    assert one_by_one["figures"]["mean_batch"]["speaker"] == 1.0
    assert large["figures"]["mean_batch"]["speaker"] > 2.0
    assert (one_by_one["meets_slo"], large["meets_slo"]) == (False, True)
    assert any(s["replicas"] == 2 and p["figures"]["answered"] for s, p in points)
    assert all(p["figures"]["answered"] == p["figures"]["requests"] for _, p in points)


def check_only_tuned_keys_differ(content: dict[str, Any], output: Path) -> None:
    after = yaml.safe_load(output.read_text())
    for file in (content, after):
        (application,) = file["applications"]
        policy = application["deployments"][0]["user_config"]["batching"]["speaker"]
        for key in ("replicas", "threads"):
            application["args"]["models"]["speaker"].pop(key, None)
        for key in ("max_batch_size", "max_queue_delay_ms"):
            policy.pop(key, None)
    assert after == content
