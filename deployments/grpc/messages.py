"""The protobuf messages of the service, made from what is compiled of ``protos``.

They have a pool of descriptors of their own. NVIDIA's client registers the same names in the
process-wide one, and both could not lie there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from models.errors import InvalidRequest

COMPILED = Path(__file__).with_name("messages.binpb")
SERVICE, HEALTH = "inference.GRPCInferenceService", "grpc.health.v1.Health"


def _classes() -> dict[str, Any]:
    """Return the class of each message by its full name."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(COMPILED.read_bytes())
    for file in files.file:
        pool.Add(file)
    names = [
        f"{file.package}.{message.name}" for file in files.file for message in file.message_type
    ]
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names
    }


CLASSES = _classes()


def message(name: str) -> Any:
    """Return the class of a message of the inference service."""
    return CLASSES[f"inference.{name}"]


def read(kind: Any, data: bytes) -> Any:
    """Read a message. Raises InvalidRequest: the bytes are none of that kind."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        what = kind.DESCRIPTOR.name
        raise InvalidRequest(f"the message is no {what}: {error}", param="message") from error
