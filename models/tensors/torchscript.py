"""Anybody's TorchScript model, with the names, types and shapes of the configuration."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from models.devices import device
from models.devices.precision import full_precision
from models.errors import WeightsError
from models.runtime import Engine, RuntimeSettings
from models.tensors.batches import Arrays, WrongOutput, told
from models.tensors.loading import Network, RowsEngine
from models.tensors.signature import TensorOption, check_options, index_of
from models.weights.source import resolve

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Options:
    """Set which model runs, and what its tensors are, as its file does not say it."""

    inputs: tuple[TensorOption, ...]
    """Its inputs; each has name, data_type and dims. All names are those of the arguments of its
    forward(), or all end with the argument's place, as in Triton: INPUT__0, INPUT__1."""
    outputs: tuple[TensorOption, ...]
    """Its outputs; each has name, data_type and dims. Names are the keys of the dict that forward()
    returns, or end with their place in its tuple: OUTPUT__0. Without a place they are in order."""
    file: str = "model.pt"
    """The model, inside its weights: what torch.jit.save wrote."""
    rows: Literal["together", "alone"] = "together"
    """Whether the rows of a batch go through it together, or one by one."""
    any_length: int = 1
    """Length that dimensions of any length have in the warm-up."""

    def __post_init__(self) -> None:
        check_options(self.inputs, self.outputs, self.any_length)
        for key, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not tensors:
                raise ValueError(f"{key}: at least one must be named")
            if any(each.data_type == "TYPE_STRING" for each in tensors):
                raise ValueError(f"{key}: TYPE_STRING is for onnx alone")
            indices = [index_of(each.name) for each in tensors]
            if any(index is None for index in indices) and set(indices) != {None}:
                raise ValueError(f"{key}: all names end with a place, such as __0, or none does")
        indices = [index_of(each.name) for each in self.inputs]
        if None not in indices and sorted(indices, key=str) != sorted(range(len(indices)), key=str):
            raise ValueError("inputs: the places in their names must be __0, __1 and so on")


class TorchScriptTensors(RowsEngine):
    """A TorchScript model, in evaluation mode, whose tensors begin with the rows' dimension."""

    name = "torchscript"
    engine = Engine("tensors", Options, "torch")

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        super().__init__(settings)
        self._options = options

    def _open(self) -> Network:
        import torch

        settings, options = self._settings, self._options
        path = resolve(settings.weights, settings.sha256).file(options.file)
        check_archive(path)
        got = device.choose_torch(settings.device)
        on = torch.device(got.actual)
        return Network(
            got,
            inputs=tuple(each.info(options.any_length) for each in options.inputs),
            outputs=tuple(each.info(options.any_length) for each in options.outputs),
            forward=_Module(_opened(path, on), options, on).forward,
            is_alone=options.rows == "alone",
            library=f"torch {torch.__version__}",
        )

    def close(self) -> None:
        super().close()
        device.free_torch_memory()


def check_archive(path: Path) -> None:
    """Refuse a file that is no TorchScript archive, without unpickling anything.

    Raises:
        WeightsError: says what it is instead, as far as that can be told.
    """
    wanted = "torch.jit.save(torch.jit.script(network), PATH) writes one"
    if not zipfile.is_zipfile(path):
        what = "it is no archive; perhaps a pickle, which could run code when it is loaded"
        raise WeightsError(f"{path}: no TorchScript: {what}; {wanted}")
    try:
        with zipfile.ZipFile(path) as archive:
            inside = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError) as error:
        raise WeightsError(f"{path}: not an archive: {error}") from error
    if "constants.pkl" in inside and any(name.startswith("code/") for name in inside):
        return
    what = "an archive without code"
    if "data.pkl" in inside:
        what = "a checkpoint of torch.save: tensors or Python objects without their network"
    raise WeightsError(f"{path}: no TorchScript, but {what}; {wanted}")


def _opened(path: Path, on: torch.device) -> torch.jit.ScriptModule:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as a whole
            module: Any = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location=on
            )
    except Exception as error:  # several libraries raise for a damaged file
        if device.is_out_of_memory(error):
            raise
        raise WeightsError(f"{path}: torch cannot open it: {told(error)}") from error
    opened: torch.jit.ScriptModule = module.eval()
    return opened


class _Module:
    """A module that is called with named arrays.

    Raises:
        WeightsError: its ``forward`` takes other inputs than the configuration names.
    """

    def __init__(self, module: torch.jit.ScriptModule, options: Options, on: torch.device) -> None:
        self._module, self._on = module, on
        self._inputs, self._outputs = options.inputs, options.outputs
        self._is_placed = index_of(options.inputs[0].name) is not None
        self._check_arguments()

    def forward(self, arrays: Arrays) -> Arrays:
        import torch

        tensors = {each.name: self._tensor(each, arrays[each.name]) for each in self._inputs}
        with torch.inference_mode(), full_precision():
            if self._is_placed:
                placed = sorted(tensors, key=lambda name: index_of(name) or 0)
                found = self._module(*[tensors[name] for name in placed])
            else:
                found = self._module(**tensors)
            return {each.name: self._array(each, of) for each, of in self._named(found)}

    def _check_arguments(self) -> None:
        forward: Any = self._module.forward
        arguments = forward.schema.arguments[1:]  # the first is the module
        names = [argument.name for argument in arguments]
        takes = f"forward() takes {', '.join(names) or 'nothing'}"
        required = [each.name for each in arguments if not each.has_default_value()]
        given = [each.name for each in self._inputs]
        if self._is_placed:
            if not len(required) <= len(given) <= len(names):
                raise WeightsError(f"options.inputs: {len(given)} are named, and {takes}")
            return
        for name in given:
            if name not in names:
                raise WeightsError(f"options.inputs: {name!r} is no argument: {takes}")
        if missing := [name for name in required if name not in given]:
            raise WeightsError(f"options.inputs: {missing[0]!r} is missing: {takes}")

    def _tensor(self, option: TensorOption, array: NDArray[Any]) -> torch.Tensor:
        import torch

        tensor = torch.from_numpy(array)
        if option.datatype == "BF16":
            tensor = tensor.to(torch.bfloat16)
        return tensor.to(self._on)

    def _array(self, option: TensorOption, tensor: Any) -> NDArray[Any]:
        import torch

        where = f"output {option.name!r}"
        if not isinstance(tensor, torch.Tensor):
            raise WrongOutput(f"{where} is {type(tensor).__name__}, and no tensor")
        if (tensor.dtype == torch.bfloat16) != (option.datatype == "BF16"):
            raise WrongOutput(f"{where} is {tensor.dtype}, not {option.datatype}")
        if tensor.dtype == torch.bfloat16:
            tensor = tensor.float()
        array: NDArray[Any] = tensor.cpu().numpy()
        return array

    def _named(self, found: Any) -> list[tuple[TensorOption, Any]]:
        """Find each output in what ``forward`` returned. Raises WrongOutput: it is not there."""
        if isinstance(found, Mapping):
            keys = ", ".join(map(str, found))
            for each in self._outputs:
                if each.name not in found:
                    raise WrongOutput(f"output {each.name!r} is missing; there are {keys}")
            return [(each, found[each.name]) for each in self._outputs]
        several = list(found) if isinstance(found, tuple | list) else [found]
        placed = []
        for place, each in enumerate(self._outputs):
            index = index_of(each.name)
            index = place if index is None else index
            if index >= len(several):
                what = f"forward() returns {len(several)}"
                raise WrongOutput(f"output {each.name!r} is missing: {what}")
            placed.append((each, several[index]))
        return placed
