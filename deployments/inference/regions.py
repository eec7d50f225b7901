"""Let callers hand tensors over in regions of shared memory: Triton's ``system_shared_memory``.

A region belongs to the key that has registered it; no other key sees it. Whoever may write into the
memory may change it or cut it short at any moment, so it is copied, once, and never mapped.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from deployments.config.schema import Limits
from deployments.config.shared_memory import SharedMemory
from deployments.inference.open_region import Copies, OpenRegion
from deployments.inference.region_records import Records, Region, own_folder
from deployments.inference.shared_files import check_key, shared_file
from deployments.inference.tensor_values import Announced, Blobs
from deployments.inference.tensors import (
    MAX_NAME_CHARACTERS,
    RegionInput,
    RegionSlice,
    RequestedOutput,
    Tensor,
)
from deployments.telemetry import usage
from models.errors import InvalidRequest, NotFound, TooLarge

EXTENSION = "system_shared_memory"  # as the server's metadata names it
REGION, BYTE_SIZE, OFFSET = (
    "shared_memory_region",
    "shared_memory_byte_size",
    "shared_memory_offset",
)
OFF = "system shared memory is not supported here: shared_memory.prefix is not set"


class Regions:
    """The regions of the caller in whose request a method is called.

    Args:
        config: says which keys may be named, if any, and bounds what one caller registers.
        limits: bound what is read from regions, for one request and for all together, as they
            bound bodies.
        folder: which all ingress processes of the machine share; None: this one is alone.
    """

    def __init__(self, config: SharedMemory, limits: Limits, folder: Path | None = None) -> None:
        self._prefix = config.prefix
        self._records: Records | None = None
        if config.prefix is not None:
            self._records = Records(folder or own_folder(), config)
        self._max_request_bytes = limits.max_body_bytes
        self._copies = Copies(limits.max_bodies_bytes)

    @property
    def is_on(self) -> bool:
        """Tell whether regions may be registered."""
        return self._records is not None

    async def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Register a region.

        Raises:
            InvalidRequest: this is off, the name is taken, or there is no such shared memory.
            StorageFull: the caller has registered as much as one may.
        """
        if self._records is None or self._prefix is None:
            raise InvalidRequest(OFF, param="name")
        check_name(name)
        check_key(key, self._prefix)
        if offset < 0:
            raise InvalidRequest("offset must be 0 or more", param="offset")
        if byte_size < 1:
            raise InvalidRequest("byte_size must be 1 or more", param="byte_size")
        region = Region(name, key, offset, byte_size)
        await asyncio.to_thread(self._register, self._records, _owner(), region)

    @staticmethod
    def _register(records: Records, owner: str, region: Region) -> None:
        with shared_file(region.key, region.name, "key") as file:
            file.check_size(region.offset + region.byte_size)
        records.add(owner, region)

    async def unregister(self, name: str | None) -> None:
        """Forget the caller's region of that name, if there is one; None: all of the caller's.

        Raises:
            InvalidRequest: no region can have that name.
        """
        if name is not None:
            check_name(name)
        if self._records is not None:
            await asyncio.to_thread(self._records.remove, _owner(), name)

    async def status(self, name: str | None) -> list[Region]:
        """Return the caller's region of that name; None: all of the caller's.

        Raises:
            InvalidRequest: no region can have that name.
            NotFound: there is none of that name.
        """
        if name is None:
            records = self._records
            return [] if records is None else await asyncio.to_thread(records.all, _owner())
        check_name(name)
        found = self._found(name)
        if found is None:
            message = f"Unable to find system shared memory region: '{_short(name)}'"
            raise NotFound(message, param="name")
        return [found]

    async def open(self, name: str, param: str) -> OpenRegion:
        """Return a region of the caller to read and write; see ``OpenRegion``.

        Raises:
            InvalidRequest: there is none of that name.
        """
        if self._records is None:
            raise InvalidRequest(OFF, param=param)
        found = self._found(name)
        if found is None:
            message = f"Unable to find shared memory region: '{_short(name)}'"
            raise InvalidRequest(message, param=param)
        return OpenRegion(found, self._copies)

    async def open_inputs(self, inputs: Iterable[RegionInput]) -> dict[str, OpenRegion]:
        """Open the region of each input, by the input's name.

        Raises:
            InvalidRequest: there is no such region, or an input goes beyond its end.
            TooLarge: all inputs together have more bytes than a body may have.
        """
        total_bytes, opened = 0, {}
        for each in inputs:
            opened[each.name] = await self._open(each.region, each.name)
            total_bytes += each.region.byte_size
            if total_bytes > self._max_request_bytes:
                message = f"inputs must have at most {self._max_request_bytes} bytes together"
                raise TooLarge(message, param=each.name)
        return opened

    async def open_outputs(
        self, outputs: Iterable[RequestedOutput] | None
    ) -> dict[str, OpenRegion]:
        """Open the region of each output that is to lie in one, by the output's name.

        Raises:
            InvalidRequest: there is no such region, or an output goes beyond its end or lies upon
                another.
        """
        placed = [(each.name, each.region) for each in outputs or () if each.region is not None]
        _check_apart([region for _, region in placed])
        return {name: await self._open(region, name) for name, region in placed}

    async def _open(self, part: RegionSlice, param: str) -> OpenRegion:
        opened = await self.open(part.name, param)
        opened.check(part.offset, part.byte_size, param)
        return opened

    def _found(self, name: str) -> Region | None:
        return None if self._records is None else self._records.get(_owner(), name)


# ---- what requests say of regions --------------------------------------------------------


def check_name(name: str) -> None:
    """Refuse a name that no region can have. Raises InvalidRequest."""
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        message = f"the region's name must have 1 to {MAX_NAME_CHARACTERS} characters"
        raise InvalidRequest(message, param="name")


def slice_of(parameters: Mapping[str, Any], where: str) -> RegionSlice | None:
    """Return where an input or output lies by its parameters; None: they name no region.

    Raises:
        InvalidRequest: malformed. ``where`` says whose parameters they are.
    """
    if REGION not in parameters:
        alone = next((key for key in (BYTE_SIZE, OFFSET) if key in parameters), None)
        if alone is not None:
            raise InvalidRequest(f"{where} has {alone}, but no {REGION}", param=where)
        return None
    name = parameters[REGION]
    if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARACTERS:
        message = f"{REGION} of {where} must be a string of 1 to {MAX_NAME_CHARACTERS} characters"
        raise InvalidRequest(message, param=where)
    sizes = {BYTE_SIZE: parameters.get(BYTE_SIZE), OFFSET: parameters.get(OFFSET, 0)}
    for key, value in sizes.items():
        if type(value) is not int or value < 0:
            message = f"{key} of {where} must be a whole number, 0 or more"
            raise InvalidRequest(message, param=where)
    return RegionSlice(name, sizes[OFFSET], sizes[BYTE_SIZE])


def tensor_of(entry: RegionInput, opened: OpenRegion, model: str) -> Tensor:
    """Read an input from its region; this blocks.

    Raises:
        InvalidRequest: what is there is no such tensor, or see ``OpenRegion.view``.
    """
    part, count = entry.region, math.prod(entry.shape)
    data = opened.view(part.offset, part.byte_size, entry.name)
    announced = Announced(entry.name, entry.datatype, entry.shape, None, part.byte_size, count)
    return announced.tensor(Blobs(data, 0, model))


def _check_apart(parts: Sequence[RegionSlice]) -> None:
    """Refuse outputs of which one would be written over another."""
    in_order = sorted(parts, key=lambda part: (part.name, part.offset))
    for part, following in pairwise(in_order):
        if part.name == following.name and part.offset + part.byte_size > following.offset:
            message = f"outputs must not overlap in shared memory region '{part.name}'"
            raise InvalidRequest(message, param="outputs")


def _owner() -> str:
    """Return the name of the key of the current request; "" where there are no keys."""
    account = usage.current.get()
    return "" if account is None else account.name


def _short(name: str) -> str:
    return name[:MAX_NAME_CHARACTERS]
