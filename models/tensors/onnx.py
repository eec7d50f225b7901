"""Anybody's ONNX model on ONNX Runtime, with its own names, types and shapes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.devices.onnx_session import open_session
from models.errors import InvalidRequest, WeightsError
from models.runtime import Engine, RuntimeSettings, TensorInfo
from models.tensors.batches import Arrays
from models.tensors.external_data import check_external_data
from models.tensors.loading import Network, RowsEngine
from models.tensors.signature import MAX_DIMS, TensorOption, check_options, fits
from models.weights.source import resolve

if TYPE_CHECKING:
    import onnxruntime

# ONNX Runtime's names of types.
DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(bfloat16)": "BF16",
    "tensor(string)": "BYTES",
}
BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16


@dataclass(frozen=True, slots=True)
class Options:
    """Set which model runs, and what its file does not say of it."""

    file: str = "model.onnx"
    """The model, inside its weights."""
    inputs: tuple[TensorOption, ...] = ()
    """Its inputs, where the file does not say their shapes; each has name, data_type and dims.
    Empty: those of the file."""
    outputs: tuple[TensorOption, ...] = ()
    """Its outputs that are answered; each has name, data_type and dims. Empty: all of the file."""
    rows: Literal["together", "alone"] = "together"
    """Whether the rows of a batch go through it together, or one by one."""
    any_length: int = 1
    """Length that dimensions of any length have in the warm-up."""

    def __post_init__(self) -> None:
        check_options(self.inputs, self.outputs, self.any_length)


class OnnxTensors(RowsEngine):
    """An ONNX model whose first dimension is that of the rows.

    No library of custom operators is loaded, and weights that lie beside the model are read from
    its folder alone.
    """

    name = "onnx"
    engine = Engine("tensors", Options, "onnxruntime")

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        super().__init__(settings)
        self._options = options
        self._session: onnxruntime.InferenceSession | None = None
        self._halves: frozenset[str] = frozenset()  # tensors of BF16

    def _open(self) -> Network:
        import onnxruntime

        settings, options, request = self._settings, self._options, self._settings.device
        path = check_external_data(resolve(settings.weights, settings.sha256), options.file)
        got, providers = device.choose_onnxruntime(request)
        session = open_session(path, request.threads, providers, lengths_vary=True)
        got = device.confirm_onnxruntime(request, got, session.get_providers())
        inputs = _signature("inputs", session.get_inputs(), options.inputs, options.any_length)
        outputs = _signature("outputs", session.get_outputs(), options.outputs, options.any_length)
        self._session = session
        self._halves = frozenset(
            info.name for info in (*inputs, *outputs) if info.datatype == "BF16"
        )
        names = [info.name for info in outputs]
        return Network(
            got,
            inputs,
            outputs,
            forward=lambda arrays: self._forward(arrays, names),
            is_alone=options.rows == "alone" or _takes_one_row(session.get_inputs()),
            library=f"onnxruntime {onnxruntime.__version__}",
        )

    def close(self) -> None:
        super().close()
        self._session = None

    def _forward(self, arrays: Arrays, outputs: Sequence[str]) -> Arrays:
        assert self._session is not None, "load() first"
        fed = {
            name: _texts(name, array) if array.dtype == object else array
            for name, array in arrays.items()
        }
        if self._halves:
            return self._forward_halves(fed, outputs)
        found = self._session.run(outputs, fed)
        return {name: _bytes(array) for name, array in zip(outputs, found, strict=True)}

    def _forward_halves(self, fed: Arrays, outputs: Sequence[str]) -> Arrays:
        """Run with tensors of BF16, which NumPy does not have."""
        import onnxruntime

        assert self._session is not None, "load() first"
        of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
        of_halves = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
        values = {
            name: of_halves(_upper_halves(array), BFLOAT16)
            if name in self._halves
            else of_numpy(array)
            for name, array in fed.items()
        }
        found = self._session.run_with_ort_values(outputs, values)
        return {
            name: _from_halves(value) if name in self._halves else _bytes(value.numpy())
            for name, value in zip(outputs, found, strict=True)
        }


# ---- the signature -----------------------------------------------------------------------------


def _signature(
    key: str, nodes: Sequence[Any], asked: Sequence[TensorOption], any_length: int
) -> tuple[TensorInfo, ...]:
    """Read the inputs or outputs of a session, with what the configuration says of them.

    Raises:
        WeightsError: they cannot be served, or are not those of the configuration.
    """
    known = {node.name: node for node in nodes}
    for option in asked:
        if option.name not in known:
            raise WeightsError(
                f"options.{key}: the model has no {option.name!r}; there are {', '.join(known)}"
            )
    options = {option.name: option for option in asked}
    if key == "inputs" and options and (missing := [name for name in known if name not in options]):
        raise WeightsError(f"options.inputs: {missing[0]!r} of the model is not there")
    names = list(options) or list(known)
    return tuple(_info(key, known[name], options.get(name), any_length) for name in names)


def _info(key: str, node: Any, option: TensorOption | None, any_length: int) -> TensorInfo:
    name, where = node.name, f"{key[:-1]} {node.name!r}"
    datatype, shape = DATATYPES.get(node.type), list(node.shape or ())
    if datatype is None:
        hint = "; a classifier of scikit-learn is exported with zipmap=False"
        raise WeightsError(f"{where} is {node.type}, which cannot be served{hint}")
    if len(shape) > MAX_DIMS + 1:
        raise WeightsError(f"{where} has {len(shape)} dimensions; {MAX_DIMS + 1} may be")
    if not shape and option is None:
        raise WeightsError(
            f"{where} has no dimension of the rows, or the model does not say its shape: export it "
            f"with one, or name it under options.{key} with its dims"
        )
    if shape and isinstance(shape[0], int) and shape[0] > 1:
        raise WeightsError(
            f"{where} has the shape {shape}: its first dimension must be that of the rows, and may "
            "not be fixed. Export it with a dynamic first dimension, before the others if it has "
            "none of rows"
        )
    dims = tuple(dim if isinstance(dim, int) and dim > 0 else -1 for dim in shape[1:])
    if option is None:
        return TensorInfo(name, datatype, dims, any_length)
    if option.datatype != datatype:
        raise WeightsError(f"options.{key}: {name!r} is {datatype}, not {option.datatype}")
    if shape and not fits(dims, option.dims):
        wanted = f"has the dims {list(dims)}, not {list(option.dims)}"
        raise WeightsError(f"options.{key}: {name!r} {wanted}")
    return option.info(any_length)


def _takes_one_row(nodes: Sequence[Any]) -> bool:
    return any(isinstance(node.shape[0], int) for node in nodes if node.shape)


# ---- values ------------------------------------------------------------------------------------


def _texts(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Make strings of bytes. Raises InvalidRequest: they are not UTF-8."""
    texts = np.empty(array.shape, object)
    try:
        texts.reshape(-1)[:] = [value.decode() for value in array.flat]
    except UnicodeDecodeError as error:
        message = f"input {name!r} must be UTF-8: {error.reason} at byte {error.start}"
        raise InvalidRequest(message, param=name) from error
    return texts


def _bytes(array: NDArray[Any]) -> NDArray[Any]:
    """Make bytes of an output of strings; any other is returned as it is."""
    if array.dtype.kind not in "OU":
        return array
    found = np.empty(array.shape, object)
    found.reshape(-1)[:] = [str(value).encode() for value in array.flat]
    return found


def _upper_halves(array: NDArray[Any]) -> NDArray[np.uint16]:
    """Make BF16 of float32 that was BF16 before: its lower half is zero."""
    return (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16)


def _from_halves(value: onnxruntime.OrtValue) -> NDArray[np.float32]:
    """Read BF16, which ``OrtValue.numpy`` cannot, as float32."""
    shape = value.shape()
    count = int(np.prod(shape))
    held = (ctypes.c_uint16 * count).from_address(value.data_ptr())
    halves = np.ctypeslib.as_array(held).reshape(shape).astype(np.uint32)
    floats: NDArray[np.float32] = (halves << 16).view(np.float32)
    return floats
