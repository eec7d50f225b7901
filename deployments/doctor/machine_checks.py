"""Check whether a machine lets the models use its GPU; each finding has its fix.

The checks are pure functions over ``probe.Machine`` and the models' configuration. How bad a
finding is depends on the models: without a GPU, `device: auto` runs on the CPU and `cuda` fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from deployments.config.environment import missing_settings
from deployments.config.schema import ModelConfig, check_fractions
from deployments.doctor.probe import Machine
from models.devices.device import CUDA_PROVIDER
from models.devices.nvidia import VISIBLE, GpuProcess, needs_newer_driver
from models.errors import ConfigError
from models.registry import find_engine
from models.runtime import Library
from models.tts.piper.engine import FALSE, TRUE, USE_GPU

Status: TypeAlias = Literal["ok", "warning", "failed"]
Models: TypeAlias = Mapping[str, ModelConfig]

SHORT_OF_MEMORY = 0.95  # of a GPU's memory, above which the next batch may find none
GB = 1e9
# As the Makefile and constraints.txt have them. With its build named, pip replaces another build.
TORCH_INDEX = "https://download.pytorch.org/whl/cu126"
TORCH_VERSIONS = ("torch==2.13.0", "torchaudio==2.11.0")
INSTALL_TORCH = (
    f"pip install {' '.join(f'{version}+cu126' for version in TORCH_VERSIONS)} "
    f"--index-url {TORCH_INDEX} && python deploy/mend_torchaudio.py"
)
INSTALL_GPU = "make install-gpu"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of the diagnosis. ``fix`` is what to do, with the command; None if it is ok."""

    check: str
    status: Status
    found: str
    fix: str | None = None


def machine_findings(machine: Machine, models: Models) -> list[Finding]:
    """Run every check of the machine, in the order in which they explain each other."""
    return [
        driver(machine, models),
        *gpus(machine),
        visible_devices(machine, models),
        torch_build(machine, models),
        onnxruntime_provider(machine, models),
        *onnxruntime_clash(machine),
        ctranslate2_devices(machine, models),
        *cuda_libraries(machine, models),
        *cudnn_clash(machine),
        *piper_use_gpu(machine, models),
        *shares(machine, models),
        *cpu_threads(machine.cores, models),
    ]


def severity(models: Models, library: Library | None = None) -> Status:
    """Return how bad a missing GPU is, for the models of one library or for all."""
    asked = {
        model.device
        for model in models.values()
        if library in (None, find_engine(model.engine).engine.library)
        and (model.device == "cuda" or (model.device == "auto" and model.gpu_fraction))
    }
    return "failed" if "cuda" in asked else "warning" if "auto" in asked else "ok"


def driver(machine: Machine, models: Models) -> Finding:
    """Check that the driver lists a GPU."""
    if machine.gpus:
        found = f"{machine.gpus[0].driver}, for CUDA up to {machine.driver_cuda or 'unknown'}"
        return Finding("driver", "ok", found)
    found = machine.driver_error or "the NVIDIA driver lists no GPU"
    if severity(models) == "failed":
        fix = "install NVIDIA's driver until `nvidia-smi` lists the GPU (in a container: start it "
        fix += "with `--gpus all`), or write device: auto to run on the CPU"
        return Finding("driver", "failed", found, fix)
    return Finding("driver", "ok", f"{found}; no model insists on a GPU")


def gpus(machine: Machine) -> list[Finding]:
    """Report each GPU: its memory, its use, and the processes on it."""
    findings = []
    for gpu in machine.gpus:
        users = [p for p in machine.processes if p.gpu_uuid == gpu.uuid]
        used = ", ".join(_user(process) for process in users)
        has_figures = gpu.total_bytes > 0  # not where GPU and CPU share their memory
        memory = f"{gpu.used_bytes / GB:.1f} of {gpu.total_bytes / GB:.1f} GB used"
        found = (
            f"{gpu.name}: {memory if has_figures else 'memory unknown'}, "
            f"{'unknown' if gpu.utilisation_percent is None else gpu.utilisation_percent} % busy; "
            f"processes: {used or 'none that the driver names'}"
        )
        short = has_figures and gpu.used_bytes > SHORT_OF_MEMORY * gpu.total_bytes
        fix = "end other processes on it, or give models less gpu_fraction or smaller batches"
        check = f"gpu {gpu.index}"
        findings.append(Finding(check, "warning" if short else "ok", found, fix if short else None))
    return findings


def _user(process: GpuProcess) -> str:
    who = f"{process.name} ({process.pid}) " if process.name else ""
    return f"{who}{(process.used_bytes or 0) / GB:.1f} GB"


def visible_devices(machine: Machine, models: Models) -> Finding:
    """Check that the environment does not hide every GPU."""
    named = machine.environment.get(VISIBLE)
    found = f"{VISIBLE} is not set" if named is None else f"{VISIBLE}={named!r}"
    container = machine.environment.get("NVIDIA_VISIBLE_DEVICES")
    if container is not None:
        found += f", NVIDIA_VISIBLE_DEVICES={container!r}"
    status = severity(models)
    if not machine.gpus or machine.gpu_count != 0 or status == "ok":
        return Finding("environment", "ok", found)
    return Finding(
        "environment", status, f"{found} hides every GPU", f"unset {VISIBLE}, or name a GPU: =0"
    )


def torch_build(machine: Machine, models: Models) -> Finding:
    """Check that torch is built for a CUDA that the driver runs."""
    torch = machine.torch
    if torch is None:
        return Finding("torch", "failed", machine.errors["torch"], "reinstall it: make install")
    found = f"{torch.version}, CUDA {torch.cuda or 'none'}, {torch.device_count} GPUs seen"
    status = severity(models, "torch")
    if machine.gpu_count == 0 or torch.is_available or status == "ok":
        return Finding("torch", "ok", found)
    if torch.cuda is None:
        return Finding("torch", status, f"{found}: built without CUDA", INSTALL_TORCH)
    if needs_newer_driver(torch.cuda, machine.driver_cuda):
        found += f": the driver runs CUDA up to {machine.driver_cuda}"
        return Finding("torch", status, found, f"update NVIDIA's driver, or: {INSTALL_TORCH}")
    fix = "python -c 'import torch; torch.cuda.init()'"  # says more than torch's warning
    return Finding("torch", status, f"{found}: {torch.said or 'CUDA cannot be begun'}", fix)


def onnxruntime_provider(machine: Machine, models: Models) -> Finding:
    """Check that ONNX Runtime has its provider for CUDA, of a version that the driver runs."""
    runtime = machine.onnxruntime
    if runtime is None:
        fix = "reinstall it: make install"
        return Finding("onnxruntime", "failed", machine.errors["onnxruntime"], fix)
    found = f"{runtime.version}, {', '.join(runtime.providers)}"
    status = severity(models, "onnxruntime")
    if machine.gpu_count == 0 or status == "ok":
        return Finding("onnxruntime", "ok", found)
    if CUDA_PROVIDER in runtime.providers:
        if runtime.cuda is None or not needs_newer_driver(runtime.cuda, machine.driver_cuda):
            return Finding("onnxruntime", "ok", found)
        found += f": built for CUDA {runtime.cuda}, the driver runs up to {machine.driver_cuda}"
        return Finding("onnxruntime", status, found, f"update NVIDIA's driver, or: {INSTALL_GPU}")
    return Finding("onnxruntime", status, f"{found}: no {CUDA_PROVIDER}", INSTALL_GPU)


def onnxruntime_clash(machine: Machine) -> list[Finding]:
    """Find both packages of ONNX Runtime, which write one folder: the last one wins."""
    packages = machine.onnxruntime.packages if machine.onnxruntime else ()
    if len(packages) < 2:
        return []
    found = f"{' and '.join(packages)} are both installed, in one folder"
    fix = "pip uninstall -y onnxruntime && pip install --force-reinstall --no-deps "
    fix += "'onnxruntime-gpu<1.27'"
    return [Finding("onnxruntime packages", "warning", found, fix)]


def ctranslate2_devices(machine: Machine, models: Models) -> Finding:
    """Check that CTranslate2 sees a GPU."""
    library = machine.ctranslate2
    if library is None:
        fix = "reinstall it: make install"
        return Finding("ctranslate2", "failed", machine.errors["ctranslate2"], fix)
    types = ", ".join(library.compute_types)
    found = f"{library.version}, {library.device_count} GPUs seen; computes with {types}"
    status = severity(models, "ctranslate2")
    if machine.gpu_count == 0 or library.device_count or status == "ok":
        return Finding("ctranslate2", "ok", found)
    return Finding("ctranslate2", status, found, "update NVIDIA's driver: it needs CUDA 12")


def cuda_libraries(machine: Machine, models: Models) -> list[Finding]:
    """Find the CUDA libraries that are missing; CTranslate2's wheel does not bring them."""
    missing = {name: why for name, why in machine.libraries.items() if why is not None}
    if not missing:
        return []
    fix = (
        "pip install nvidia-cublas-cu12 nvidia-cudnn-cu12; `dragoman serve` finds them, a bare "
        "`serve run` needs LD_LIBRARY_PATH with .venv/lib/python3*/site-packages/nvidia/*/lib"
    )
    status = severity(models, "ctranslate2")
    return [
        Finding("cuda libraries", status, why, fix if status != "ok" else None)
        for why in missing.values()
    ]


def cudnn_clash(machine: Machine) -> list[Finding]:
    """Find packages of cuDNN in one folder, or of another CUDA than torch's."""
    packages = machine.cudnn_packages
    built = machine.torch.cuda if machine.torch else None
    if len(packages) > 1:
        found = f"{' and '.join(packages)} are both installed, in one folder"
    elif packages and built and not packages[0].endswith(f"-cu{built.split('.')[0]}"):
        found = f"torch is built for CUDA {built}, but {packages[0]} is installed"
    else:
        return []
    return [Finding("cudnn packages", "warning", found, INSTALL_GPU)]


def piper_use_gpu(machine: Machine, models: Models) -> list[Finding]:
    """Check the variable that Piper's models with `device: auto` obey."""
    said = machine.environment.get(USE_GPU)
    if not said:
        return []
    found = f"{USE_GPU}={said!r}"
    wish = said.strip().lower()
    if wish not in TRUE + FALSE:
        fix = f"set {USE_GPU} to true or false, or unset it"
        return [Finding("environment", "failed", f"{found} is neither true nor false", fix)]
    listening = [n for n, m in models.items() if m.engine == "piper" and m.device == "auto"]
    without = [name for name in listening if not models[name].gpu_fraction]
    if wish in FALSE or not listening:
        return [Finding("environment", "ok", found)]
    if without:
        fix = f"give models.{without[0]}.gpu_fraction a share of a GPU, or unset {USE_GPU}"
        told = f"{found}, but {', '.join(without)} have no share of a GPU"
        return [Finding("environment", "failed", told, fix)]
    if machine.gpu_count == 0:
        return [Finding("environment", "failed", f"{found}: no GPU here", f"unset {USE_GPU}")]
    return [Finding("environment", "ok", found)]


def shares(machine: Machine, models: Models) -> list[Finding]:
    """Check the models' GPU fractions against the GPUs that this machine shows."""
    if not models:
        return []
    visible = machine.gpu_count
    asked = sum(m.gpu_fraction * m.first_replicas for m in models.values() if m.device != "cpu")
    if visible is None:
        return [Finding("gpu shares", "ok", f"{asked:g} asked for, of slices of a GPU")]
    try:
        check_fractions(dict(models), visible)
    except ConfigError as error:
        fix = "lower gpu_fraction or replicas, or write device: auto where it may be the CPU"
        return [Finding("gpu shares", "failed", str(error), fix)]
    return [Finding("gpu shares", "ok", f"{asked:g} asked for, of {visible} GPUs")]


def cpu_threads(cores: int | None, models: Models) -> list[Finding]:
    """Check the threads of each model, whose replicas run at once, against the cores."""
    if not models or cores is None:
        return []
    asked = {name: model.first_replicas * model.cpu_threads for name, model in models.items()}
    most = max(asked, key=lambda name: asked[name])
    found = f"{sum(asked.values())} of {len(models)} models, on {cores} cores"
    if asked[most] <= cores:
        return [Finding("cpu threads", "ok", found)]
    found += f"; {most} alone has {asked[most]}, which take the cores from each other"
    fix = f"lower models.{most}.threads or replicas"
    return [Finding("cpu threads", "warning", found, fix)]


def settings(environment: Mapping[str, str]) -> Finding:
    """Check that a server's process has the settings of the fast data path in its environment.

    Their lack costs speed alone, so it is a warning.
    """
    missing = missing_settings(environment)
    if not missing:
        return Finding("settings", "ok", "the fast data path of Ray Serve is set")
    fix = "start with `dragoman serve`, which sets them, or export them before `serve run`"
    return Finding("settings", "warning", f"not set: {', '.join(missing)}", fix)
