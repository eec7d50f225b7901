"""The diagnosis: what can be wrong is found, as bad as the models make it, with its fix."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.config.environment import SETTINGS
from deployments.config.schema import ModelConfig
from deployments.doctor import machine_checks as checks
from deployments.doctor import probe as machine_facts
from deployments.doctor.diagnosis import Diagnosis, as_text, diagnose
from deployments.doctor.machine_checks import Finding, Models, Status, machine_findings
from deployments.doctor.model_checks import model_findings
from deployments.doctor.probe import (
    CTranslate2,
    Machine,
    OnnxRuntime,
    Torch,
    from_json,
    gather,
    look,
    to_json,
)
from deployments.telemetry.model_report import ModelReport, from_listing
from models.devices.nvidia import Gpu, GpuProcess
from models.runtime import Library
from tests.support import nvidia_driver
from tests.support.nvidia_driver import FakeProcess

GPU = Gpu(0, "GPU-1", "NVIDIA L4", int(24e9), int(6e9), 40, "550.54")
# A machine on which nothing is wrong.
GOOD = Machine(
    hostname="host",
    gpus=(GPU,),
    processes=(GpuProcess("GPU-1", 12, int(2e9), "python"),),
    driver_cuda="12.4",
    torch=Torch("2.13.0", "12.6", True, 1),
    onnxruntime=OnnxRuntime("1.31.1", ("CUDAExecutionProvider",), ("onnxruntime-gpu",)),
    ctranslate2=CTranslate2("4.8.5", 1, ("float16",)),
    libraries={"libcublas.so.12": None},
)
NO_GPU = replace(
    GOOD,
    gpus=(),
    processes=(),
    driver_error=nvidia_driver.NO_DRIVER,
    torch=Torch("2.13.0+cpu", None, False, 0),
    onnxruntime=OnnxRuntime("1.31.1", ("CPUExecutionProvider",), ("onnxruntime",)),
    ctranslate2=CTranslate2("4.8.5", 0, ("int8",)),
    libraries={},
)


def models(device: str = "auto", fraction: float = 0.2, **settings: Any) -> Models:
    """One model of each library."""
    engines = {"asr": "whisper", "nmt": "bergamot", "tts": "piper"}
    return {
        name: ModelConfig.model_validate(
            {"engine": engine, "device": device, "gpu_fraction": fraction, **settings}
        )
        for name, engine in engines.items()
    }


AUTO, CUDA, CPU = models(), models("cuda"), models("cpu")


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


# ---- the machine -----------------------------------------------------------------------


def test_where_nothing_is_wrong_all_is_ok() -> None:
    assert {finding.status for finding in machine_findings(GOOD, CUDA)} == {"ok"}


SEVERITIES: dict[str, tuple[Models, str | None, Status]] = {
    "one insists": ({**AUTO, "x": CUDA["asr"]}, None, "failed"),
    "one would like": (AUTO, None, "warning"),
    "none has a share": (models(fraction=0), None, "ok"),
    "none may": (CPU, None, "ok"),
    "of its library alone": ({**AUTO, "asr": CUDA["asr"]}, "torch", "warning"),
}


@pytest.mark.parametrize(("wanted", "library", "status"), SEVERITIES.values(), ids=SEVERITIES)
def test_what_is_missing_is_as_bad_as_the_models_make_it(
    wanted: Models, library: Library | None, status: Status
) -> None:
    assert checks.severity(wanted, library) == status


def with_visible(value: str, **variables: str) -> Machine:
    return replace(GOOD, environment={"CUDA_VISIBLE_DEVICES": value, **variables})


NO_PROVIDER = OnnxRuntime("1.31.1", ("CPUExecutionProvider",), ("onnxruntime",))
BOTH = OnnxRuntime("1.31.1", ("CPUExecutionProvider",), ("onnxruntime", "onnxruntime-gpu"))
TOO_NEW = OnnxRuntime("1.31.1", ("CUDAExecutionProvider",), ("onnxruntime-gpu",), "13.0")
# id: (machine, models, check, status, what is found, the fix)
WRONG: dict[str, tuple[Machine, Models, str, Status, str, str]] = {
    "no driver": (NO_GPU, CUDA, "driver", "failed", "no NVIDIA driver", "install NVIDIA's driver"),
    "gpu full": (
        replace(GOOD, gpus=(replace(GPU, used_bytes=int(23.9e9)),)),
        *(AUTO, "gpu 0", "warning", "23.9 of 24.0 GB used", "end other processes"),
    ),
    "hidden": (with_visible("-1"), AUTO, "environment", "warning", "hides every", "unset CUDA"),
    "hidden by nothing": (with_visible(""), CUDA, "environment", "failed", "=''", "unset CUDA"),
    "torch for the cpu": (
        replace(GOOD, torch=Torch("2.13.0+cpu", None, False, 0)),
        *(AUTO, "torch", "warning", "without CUDA", checks.INSTALL_TORCH),
    ),
    "torch too new": (
        replace(GOOD, torch=Torch("2.13.0", "13.0", False, 0)),
        *(CUDA, "torch", "failed", "CUDA up to 12.4", "update NVIDIA's driver"),
    ),
    "torch cannot begin": (
        replace(GOOD, torch=Torch("2.13.0", "12.6", False, 0, "CUDA unknown error")),
        *(AUTO, "torch", "warning", "CUDA unknown error", "torch.cuda.init()"),
    ),
    "torch broken": (
        replace(GOOD, torch=None, errors={"torch": "ImportError: x"}),
        *(CPU, "torch", "failed", "ImportError: x", "make install"),
    ),
    "no provider": (
        replace(GOOD, onnxruntime=NO_PROVIDER),
        *(AUTO, "onnxruntime", "warning", "no CUDAExecutionProvider", "make install-gpu"),
    ),
    "onnxruntime too new": (
        replace(GOOD, onnxruntime=TOO_NEW),
        *(AUTO, "onnxruntime", "warning", "built for CUDA 13.0", "make install-gpu"),
    ),
    "onnxruntime broken": (
        replace(GOOD, onnxruntime=None, errors={"onnxruntime": "ImportError: y"}),
        *(CPU, "onnxruntime", "failed", "ImportError: y", "make install"),
    ),
    "both packages": (
        replace(GOOD, onnxruntime=BOTH),
        *(AUTO, "onnxruntime packages", "warning", "both installed", "pip uninstall -y"),
    ),
    "ctranslate2 blind": (
        replace(GOOD, ctranslate2=CTranslate2("4.8.5", 0, ("int8",))),
        *(CUDA, "ctranslate2", "failed", "0 GPUs seen", "CUDA 12"),
    ),
    "ctranslate2 broken": (
        replace(GOOD, ctranslate2=None, errors={"ctranslate2": "ImportError: z"}),
        *(CPU, "ctranslate2", "failed", "ImportError: z", "make install"),
    ),
    "no cublas": (
        replace(GOOD, libraries={"libcublas.so.12": "libcublas.so.12: cannot open"}),
        *(CUDA, "cuda libraries", "failed", "cannot open", "pip install nvidia-cublas-cu12"),
    ),
    "two cudnn": (
        replace(GOOD, cudnn_packages=("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")),
        *(AUTO, "cudnn packages", "warning", "both installed", "make install-gpu"),
    ),
    "cudnn of another cuda": (
        replace(GOOD, cudnn_packages=("nvidia-cudnn-cu13",)),
        *(AUTO, "cudnn packages", "warning", "built for CUDA 12.6, but", "make install-gpu"),
    ),
    "torch without its slice": (
        replace(with_visible("MIG-12"), torch=Torch("2.13.0", "12.6", False, 0, "no slice")),
        *(AUTO, "torch", "warning", "no slice", "torch.cuda.init()"),
    ),
    "piper says maybe": (
        with_visible("0", PIPER_USE_GPU="maybe"),
        *(AUTO, "environment", "failed", "neither true nor false", "true or false"),
    ),
    "piper without a share": (
        with_visible("0", PIPER_USE_GPU="true"),
        *(models(fraction=0), "environment", "failed", "no share", "models.tts.gpu_fraction"),
    ),
    "piper without a gpu": (
        replace(NO_GPU, environment={"PIPER_USE_GPU": "1"}),
        *(AUTO, "environment", "failed", "no GPU here", "unset PIPER_USE_GPU"),
    ),
    "threads of one model over the cores": (
        replace(GOOD, cores=2),
        *(models(threads=3, device="cpu"), "cpu threads", "warning"),
        *("9 of 3 models, on 2 cores; asr alone has 3", "lower models.asr.threads"),
    ),
    "threads of two replicas over the cores": (
        replace(GOOD, cores=2),
        *(models(threads=2, replicas=2, device="cpu"), "cpu threads", "warning"),
        *("asr alone has 4", "lower models.asr.threads or replicas"),
    ),
    "shares of two": (
        GOOD,
        *(models(fraction=0.6), "gpu shares", "failed", "1.8 of 1 GPUs", "lower gpu_fraction"),
    ),
}


@pytest.mark.parametrize(
    ("machine", "wanted", "check", "status", "found", "fix"), WRONG.values(), ids=WRONG
)
def test_what_is_wrong_is_found_with_its_fix(
    machine: Machine, wanted: Models, check: str, status: Status, found: str, fix: str
) -> None:
    (finding,) = [row for row in of(machine_findings(machine, wanted), check) if row.fix]
    assert (finding.status, found in finding.found) == (status, True)
    assert fix in (finding.fix or "")


HARMLESS: dict[str, tuple[Machine, Models]] = {
    "no gpu and none wanted": (NO_GPU, CPU),
    "no gpu and auto": (NO_GPU, AUTO),
    "hidden and none wanted": (with_visible(""), CPU),
    "a slice of a gpu": (with_visible("MIG-12"), AUTO),
    "a slice of a gpu by name": (with_visible("MIG-12"), CUDA),
    "memory without a figure": (replace(GOOD, gpus=(replace(GPU, total_bytes=0),)), AUTO),
    "cudnn of torch's cuda": (replace(GOOD, cudnn_packages=("nvidia-cudnn-cu12",)), AUTO),
    "piper true": (with_visible("0", PIPER_USE_GPU="TRUE"), AUTO),
    "piper false": (with_visible("0", PIPER_USE_GPU="false"), AUTO),
    "piper true for none that listens": (replace(NO_GPU, environment={"PIPER_USE_GPU": "1"}), CPU),
}


@pytest.mark.parametrize(("machine", "wanted"), HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_is_no_problem(machine: Machine, wanted: Models) -> None:
    assert [row for row in machine_findings(machine, wanted) if row.status != "ok"] == []


def test_the_fix_of_torch_installs_what_make_does() -> None:
    root = Path(__file__).parents[3]
    assert set(checks.TORCH_VERSIONS) <= set((root / "constraints.txt").read_text().splitlines())
    assert f"TORCH_INDEX ?= {checks.TORCH_INDEX}\n" in (root / "Makefile").read_text()


def test_settings_that_a_server_lacks_are_named() -> None:
    assert checks.settings(SETTINGS).status == "ok"
    bare = checks.settings({})
    assert (bare.status, "RAY_SERVE_THROUGHPUT_OPTIMIZED=1" in bare.found) == ("warning", True)


# ---- the models ------------------------------------------------------------------------

DEVICE: dict[str, Any] = {
    "requested": "auto",
    "actual": "cuda",
    "reason": "asked for auto",
    "library": "torch 2.13.0",
    "precision": "float16",
    "threads": 2,
    "gpu_name": "NVIDIA L4",
    "memory_bytes": int(1e9),
    "memory_limit_bytes": int(4e9),
    "load_s": 3.2,
}
COUNTS: dict[str, Any] = {
    "items": 30,
    "batches": 10,
    "item_errors": 0,
    "failed_batches": 0,
    "busy_s": 1.0,
    "first_batch_s": 0.1,
    "out_of_memory": 0,
    "memory_bound": None,
}


def row(*, replicas: int = 1, counts: dict[str, Any] | None = None, **device: Any) -> Any:
    """An answer of ``/v1/models/asr``, in the fields that the doctor reads."""
    report = {
        "replica": "abcdefghij",
        "device": {**DEVICE, **device},
        "warm_up_s": 1.5,
        "statistics": {**COUNTS, **(counts or {})},
    }
    return {
        "id": "asr",
        "replicas": replicas,
        "device": report["device"],
        "replica_reports": [report] * replicas,
        "statistics": {"items": 30, "batches": 10, "mean_batch_size": 3.0, "failures": 0},
    }


def report(state: str = "ready", **of_row: Any) -> ModelReport:
    return from_listing(row(**of_row), state)


def test_a_model_tells_where_it_runs_in_what_memory_and_how_fast() -> None:
    where, memory, times = model_findings(GOOD, [report()])
    assert where.found.startswith("asked for auto, runs on NVIDIA L4 (asked for auto)")
    assert memory.found == "1.00 GB of the GPU, limit 4.00 GB"
    assert times.found == (
        "loaded in 3.2 s, warmed up in 1.5; first batch 100 ms, later 100 ms on average; "
        "3.0 items a batch"
    )
    assert {where.status, memory.status, times.status} == {"ok"}


SLOW = {"batches": 10, "busy_s": 2.9, "first_batch_s": 2.0}
# id: (row, check, what is found)
DOUBTFUL: dict[str, tuple[ModelReport, str, str]] = {
    "fell back": (report(actual="cpu", gpu_name=None, reason="too old"), "model asr", "(too old)"),
    "memory nearly full": (report(memory_bytes=int(3.9e9)), "model asr memory", "nearly full"),
    "slow first batch": (report(counts=SLOW), "model asr times", "first batch 2000 ms, later 100"),
    "failed batches": (report(counts={"failed_batches": 2}), "model asr failures", "2 batches"),
}


@pytest.mark.parametrize(("said", "check", "found"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_doubtful_of_a_model_is_found_with_its_fix(
    said: ModelReport, check: str, found: str
) -> None:
    doubtful = [r for r in model_findings(GOOD, [said]) if r.status != "ok"]
    assert [(r.check, r.status, found in r.found) for r in doubtful] == [(check, "warning", True)]
    assert doubtful[0].fix


FINE: dict[str, tuple[Machine, ModelReport]] = {
    "cpu without a gpu": (NO_GPU, report(actual="cpu", reason="no driver")),
    "cpu without a share": (GOOD, report(actual="cpu", reason="gpu_fraction is 0")),
    "cpu as asked": (GOOD, report(requested="cpu", actual="cpu", reason="asked for cpu")),
    "no batch yet": (GOOD, report(counts={"batches": 0, "first_batch_s": None})),
    "one batch": (GOOD, report(counts={"batches": 1, "busy_s": 2.0, "first_batch_s": 2.0})),
    "too few for a mean": (GOOD, report(counts={**SLOW, "batches": 2})),
    "no limit": (GOOD, report(memory_limit_bytes=None)),
    "a limit of nothing": (GOOD, report(memory_limit_bytes=0)),
}


@pytest.mark.parametrize(("machine", "said"), FINE.values(), ids=FINE)
def test_what_is_as_it_should_be_is_no_problem(machine: Machine, said: ModelReport) -> None:
    findings = model_findings(machine, [said])
    assert {finding.status for finding in findings} == {"ok"}


def test_replicas_are_told_apart() -> None:
    findings = model_findings(GOOD, [report(replicas=2)])
    assert {finding.check.split()[2] for finding in findings} == {"abcdefgh"}


def test_models_that_are_not_ready_are_told() -> None:
    reports = [ModelReport("asr", "loading"), ModelReport("nmt", "failed: no weights")]
    loading, failed = model_findings(GOOD, reports)
    assert (loading.status, failed.status, failed.found) == (
        "warning",
        "failed",
        "failed: no weights",
    )


# ---- the verdict -----------------------------------------------------------------------


def test_a_machine_without_a_gpu_is_no_failure_where_none_is_asked_for() -> None:
    diagnosis = diagnose(NO_GPU, AUTO)
    said = "no GPU here: every model runs on the CPU, as the configuration allows"
    assert (diagnosis.status, diagnosis.verdict) == ("ok", said)


def test_a_machine_without_a_gpu_is_a_failure_where_one_is_asked_for() -> None:
    diagnosis = diagnose(NO_GPU, CUDA)
    assert (diagnosis.status, "2 failed, the first at driver" in diagnosis.verdict) == (
        "failed",
        True,
    )


VERDICTS = {
    "on the gpu": ([report()], "1 of 1 models run on a GPU: asr"),
    "fell back": (
        [report(actual="cpu", reason="x")],
        "0 of 1 models run on a GPU: none; 1 warnings",
    ),
    "no replica reports": ([report(replicas=0)], "0 of 1 models run on a GPU: none"),
    "no model answers": ([ModelReport("asr", "ready")], "1 GPUs can be used here"),
    "no server": (None, "1 GPUs can be used here"),
}


@pytest.mark.parametrize(("reports", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_counts_the_models_on_the_gpu(
    reports: list[ModelReport] | None, verdict: str
) -> None:
    assert diagnose(GOOD, AUTO, reports).verdict == verdict


def test_slices_of_a_gpu_are_no_machine_without_one() -> None:
    assert diagnose(with_visible("MIG-12"), AUTO).verdict == "slices of a GPU can be used here"


def test_the_text_has_each_fix_below_its_finding() -> None:
    findings = (Finding("driver", "failed", "none", "install it"), Finding("torch", "ok", "2.13"))
    lines = as_text(Diagnosis("host", "failed", "1 failed", findings)).splitlines()
    assert lines == [
        "failed   driver  none",
        "                 fix: install it",
        "ok       torch   2.13",
        "",
        "host: 1 failed",
    ]


# ---- the facts ---------------------------------------------------------


def test_facts_travel_as_json() -> None:
    assert from_json(to_json(GOOD)) == GOOD


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    nvidia_driver.remove(monkeypatch, tmp_path)
    return monkeypatch


def test_facts_of_a_machine_without_a_driver(machine: pytest.MonkeyPatch) -> None:
    facts = gather({"PIPER_USE_GPU": "x", "HOME": "/"})
    assert facts.driver_error == nvidia_driver.NO_DRIVER
    assert facts.environment == {"PIPER_USE_GPU": "x"}
    assert facts.errors == {}


def test_facts_of_a_machine_with_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used = [FakeProcess(0, 12, 300)]
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0)], processes=used)
    facts = gather({})
    assert (facts.driver_cuda, len(facts.visible_gpus), len(facts.processes)) == ("12.4", 1, 1)
    assert set(facts.libraries) == {"libcublas.so.12", "libcudnn.so.9"}


@pytest.mark.parametrize(
    "broken",
    ["nvmlDeviceGetComputeRunningProcesses", "nvmlSystemGetCudaDriverVersion_v2"],
    ids=["processes", "CUDA"],
)
def test_a_question_that_fails_does_not_hide_the_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0)], fails=broken)
    facts = gather({})
    assert (len(facts.gpus), facts.driver_error is None) == (1, False)


@pytest.mark.process
def test_a_look_has_the_library_path_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nvidia" / "cublas" / "lib").mkdir(parents=True)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(machine_facts, "FACTS_S", 500.0)  # libraries may come from a slow disk
    told = look(os.environ).environment["LD_LIBRARY_PATH"]
    assert told.split(":")[-1] == f"{tmp_path}/nvidia/cublas/lib"
