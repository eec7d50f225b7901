"""The environment of Ray's processes, which must be set before Ray starts."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from models.devices.nvidia import VISIBLE

LAUNCHED = "DRAGOMAN_LAUNCHED"
OUTER_VISIBLE = "DRAGOMAN_CUDA_VISIBLE_DEVICES"  # CUDA_VISIBLE_DEVICES as the launcher had it
RUN = "DRAGOMAN_RUN"  # the folder of a run, by which its processes are known
CLEANUP_PROCESS = (
    "deployments.serve.cleanup_process"  # the module of the process that outlives a killed launcher
)
LIBRARY_PATH = "LD_LIBRARY_PATH"
RAY_ADDRESS = "RAY_ADDRESS"
# Named for other systems, on Linux it is the one way to keep Ray's own servers to loopback.
RAY_REACHABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"

# Ray reads these once, in every process.
SETTINGS = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # The ingress listens itself; with this on, a replica that stops would wait 30 s for a proxy.
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
    # A batch of 32 windows of 30 s of int16 is 31 MB; gRPC refuses more than 4 MB otherwise.
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(1 << 30),
    # A model whose fraction is 0 sees no GPU, instead of taking the first one unaccounted.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    # Ray counts GPUs in the driver's order, CUDA by their speed if it is not told.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "RAY_AUTH_MODE": "token",  # so that the drain finds the token that the cluster made
    # Memory that batches were copied into stays in the process, up to glibc's most of 32 MiB a
    # piece: fresh pages for each batch cost more time than the batch.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    # Threads of OpenMP (PyTorch, CTranslate2) that wait sleep: spinning, they take the time of the
    # models beside them.
    "OMP_WAIT_POLICY": "PASSIVE",
    "RAY_worker_niceness": "0",  # Ray's 15 yields the cores to anything else that runs
    "RAY_USAGE_STATS_ENABLED": "0",
}


def missing_settings(environment: Mapping[str, str]) -> list[str]:
    """List the settings of the fast data path that a process runs without."""
    fast = ("RAY_SERVE_THROUGHPUT_OPTIMIZED",)
    return [f"{name}={SETTINGS[name]}" for name in fast if environment.get(name) != "1"]


def machine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the launcher's environment: Ray hides the GPUs from a process that has none."""
    outer = dict(environment)
    if environment.get(LAUNCHED) == "1":
        outer.pop(VISIBLE, None)
        if OUTER_VISIBLE in environment:
            outer[VISIBLE] = environment[OUTER_VISIBLE]
    return outer


def launcher_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Tell ``machine_environment``, in each process of Ray, how the launcher was started."""
    seen = {OUTER_VISIBLE: environment[VISIBLE]} if VISIBLE in environment else {}
    return {LAUNCHED: "1", **seen}


def starts_own_cluster(environment: Mapping[str, str]) -> bool:
    """Tell whether the server gets a Ray cluster of its own, on this machine alone."""
    return environment.get(RAY_ADDRESS, "local") in ("", "local")


def loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Keep a cluster of our own to this machine. Nodes of another one must find each other."""
    return {RAY_REACHABLE: "0"} if starts_own_cluster(environment) else {}


def with_libraries(environment: Mapping[str, str]) -> dict[str, str]:
    """Add where engines find CUDA's libraries among this Python's packages."""
    libraries = library_path(environment, Path(sysconfig.get_path("purelib")))
    return {**environment, **({LIBRARY_PATH: libraries} if libraries else {})}


def library_path(environment: Mapping[str, str], packages: Path) -> str:
    """Write LD_LIBRARY_PATH with the folders of the installed packages ``nvidia-*``.

    CTranslate2 and ONNX Runtime look for CUDA's libraries there, and not among the packages.
    """
    folders = sorted(str(folder) for folder in packages.glob("nvidia/*/lib"))
    return os.pathsep.join([*filter(None, [environment.get(LIBRARY_PATH)]), *folders])
