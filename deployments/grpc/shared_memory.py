"""The calls that register regions of shared memory; those of CUDA's have none."""

from __future__ import annotations

from dataclasses import asdict

from deployments.grpc.calls import Answer, Call
from deployments.grpc.messages import SERVICE, message, read
from deployments.inference.regions import Regions, check_name
from models.errors import InvalidRequest, NotFound

STATUS, REGISTER, UNREGISTER = (
    message(f"SystemSharedMemory{name}Request") for name in ("Status", "Register", "Unregister")
)
REGIONS = message("SystemSharedMemoryStatusResponse")


class SharedMemoryCalls:
    """Answer them over the regions of each caller. CUDA's requests begin as the system's do."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions

    def answers(self) -> dict[str, Answer]:
        """Return what answers each method."""
        own: dict[str, Answer] = {
            "SystemSharedMemoryStatus": self.status,
            "SystemSharedMemoryRegister": self.register,
            "SystemSharedMemoryUnregister": self.unregister,
            "CudaSharedMemoryStatus": self.no_status,
            "CudaSharedMemoryRegister": self.refuse,
            "CudaSharedMemoryUnregister": self.nothing,
        }
        return {f"{SERVICE}/{name}": answer for name, answer in own.items()}

    async def status(self, data: bytes, call: Call) -> bytes:
        answer = REGIONS()
        for region in await self._regions.status(read(STATUS, data).name or None):
            answer.regions[region.name].MergeFrom(REGIONS.RegionStatus(**asdict(region)))
        return answer.SerializeToString()  # type: ignore[no-any-return]

    async def register(self, data: bytes, call: Call) -> bytes:
        asked = read(REGISTER, data)
        await self._regions.register(asked.name, asked.key, asked.offset, asked.byte_size)
        return b""

    async def unregister(self, data: bytes, call: Call) -> bytes:
        await self._regions.unregister(read(UNREGISTER, data).name or None)
        return b""

    # ---- CUDA ----------------------------------------------------------------------------

    async def no_status(self, data: bytes, call: Call) -> bytes:
        if name := read(STATUS, data).name:
            message_ = f"Unable to find cuda shared memory region: '{name[:80]}'"
            raise NotFound(message_, param="name")
        return b""

    async def refuse(self, data: bytes, call: Call) -> bytes:
        message_ = "CUDA shared memory is not supported: register system shared memory"
        raise InvalidRequest(message_, param="name")

    async def nothing(self, data: bytes, call: Call) -> bytes:
        if name := read(UNREGISTER, data).name:
            check_name(name)
        return b""
