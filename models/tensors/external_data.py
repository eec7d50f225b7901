"""Find the files that an ONNX model keeps its weights in, and refuse those outside its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from models.errors import WeightsError
from models.weights.source import WeightSource

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_FILES = 1000
TENSOR = "onnx.TensorProto"


def check_external_data(source: WeightSource, name: str) -> Path:
    """Return the path of a model whose files all lie in the weights' folder, and match their pins.

    Args:
        source: of the weights.
        name: of the model's file in it.

    Raises:
        WeightsError: it is no ONNX model, or a file of its weights is missing, lies elsewhere, or
            is not the one that was pinned.
    """
    path = source.file(name)
    _check_inside(source, path, f"{path}")
    locations = list(dict.fromkeys(_locations(path)))
    if len(locations) > MAX_FILES:
        raise WeightsError(f"{path}: its weights lie in {len(locations)} files; {MAX_FILES} may be")
    for location in locations:
        where = f"{path}: its weights lie in {location[:200]!r}"
        named = PurePosixPath(location)
        if not location or "\0" in location:
            raise WeightsError(f"{where}, which is no file's name")
        if named.is_absolute() or PureWindowsPath(location).anchor:
            raise WeightsError(f"{where}: an absolute path, and only files beside it are read")
        if ".." in named.parts or "\\" in location:
            raise WeightsError(f"{where}, which leads out of its folder")
        beside = (PurePosixPath(name).parent / named).as_posix()
        _check_inside(source, source.file(beside), where)
    return path


def _check_inside(source: WeightSource, path: Path, where: str) -> None:
    """Refuse a file that a link leads out of the weights' folder to."""
    roots = [folder.resolve() for _, folder in source.folders]
    if source.reference.startswith("hf:"):  # whose files are links to blobs of their repository
        roots += [folder.parents[1] / "blobs" for folder in roots]
    if not any(path.resolve().is_relative_to(root) for root in roots):
        raise WeightsError(f"{where}, which a link leads out of its folder to")


def _locations(path: Path) -> Iterator[str]:
    """Yield where each tensor of a model lies that is not in its own file."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise WeightsError("ONNX models need onnx: pip install dragoman[onnx]") from error
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise WeightsError(f"{path}: not an ONNX model: {error}") from error
    for tensor in _tensors(model):
        # A tensor that names a file is refused or checked even where it says that it needs none.
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries or tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield entries.get("location", "")


def _tensors(message: Message) -> Iterator[Any]:
    """Yield every tensor within a message: in graphs, attributes, functions and sparse tensors."""
    if message.DESCRIPTOR.full_name == TENSOR:
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in (value,) if hasattr(value, "DESCRIPTOR") else value:
            yield from _tensors(each)
