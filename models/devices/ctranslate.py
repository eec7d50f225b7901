"""Opens a CTranslate2 model on the requested device, in a precision that the device has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from models.devices import device, nvidia
from models.errors import ConfigError

ComputeType: TypeAlias = Literal["auto", "int8", "float32", "float16", "int8_float16"]
ModelT = TypeVar("ModelT")
# The first that the GPU computes with is taken: those before Volta have no fast float16.
AUTO_ON_CUDA = ("float16", "float32")


def open_model(
    request: device.DeviceRequest,
    compute: ComputeType,
    open_on: Callable[[Literal["cuda", "cpu"], str], ModelT],
) -> tuple[ModelT, device.Device]:
    """Open a model; CUDA counts once the model has run on it.

    Args:
        request: what the configuration asks.
        compute: the precision to load with.
        open_on: opens the model on a device with a compute type. On "cuda" it must run the model
            once: CTranslate2 loads CUDA's libraries at the first operation that needs them, so
            their absence shows only then, as a ``RuntimeError``. A precision that the GPU lacks is
            a ``ValueError``.

    Raises:
        DeviceError: ``cuda`` was asked for by name and cannot be had.
        ConfigError: the device cannot compute with ``compute``.
    """
    import ctranslate2

    available = request.device != "cpu" and ctranslate2.get_cuda_device_count() > 0
    missing = "CTranslate2 sees no CUDA device"
    if not available and request.device != "cpu":
        why = nvidia.why_no_gpu()
        missing += f": {why}" if why else ""
    got = device.choose(request, cuda_available=available, missing=missing)
    if got.actual == "cuda":
        try:
            return open_on("cuda", compute_type(compute, "cuda")), got
        except (RuntimeError, ValueError) as error:
            missing = f"CTranslate2 cannot run on CUDA: {error}"
            got = device.choose(request, cuda_available=False, missing=missing)
    return open_on("cpu", compute_type(compute, "cpu")), got


def compute_type(asked: str, on: Literal["cuda", "cpu"]) -> str:
    """Return the precision to load with; "auto" is int8 on the CPU, ``AUTO_ON_CUDA`` on CUDA.

    Raises:
        ConfigError: the device cannot compute with what was asked for.
    """
    import ctranslate2

    if asked == "auto" and on == "cpu":
        return "int8"
    supported = sorted(ctranslate2.get_supported_compute_types(on))
    if asked == "auto":
        return next(precision for precision in AUTO_ON_CUDA if precision in supported)
    if asked not in supported:
        raise ConfigError(f"options.compute_type: {on} has {', '.join(supported)}; not {asked}")
    return asked
