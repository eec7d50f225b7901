"""One region of shared memory: which parts of it are read and written, and as what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deployments.inference.regions import Regions, slice_of, tensor_of
from deployments.inference.tensors import RegionInput, RegionSlice, RequestedOutput
from models.errors import InvalidRequest, Overloaded, TooLarge
from tests.support.shared_memory import Memory, memory
from tests.unit.inference.conftest import BEYOND, CONFIG, SMALL, refusal

PARTS = {
    "past the end": (120, 9),
    "from past the end": (129, 0),
    "a negative offset": (-1, 8),
    "negative bytes": (8, -1),
    "an offset of 2^63": (BEYOND, 8),
    "2^63 bytes": (0, BEYOND),
}


@pytest.mark.parametrize(("offset", "size"), PARTS.values(), ids=PARTS)
async def test_a_part_lies_within_its_region(
    regions: Regions, shared: Memory, offset: int, size: int
) -> None:
    await regions.register("a", shared.key, 64, 128)
    opened = await regions.open("a", "X")
    for use in (
        lambda: opened.view(offset, size, "X"),
        lambda: opened.write(offset, size, b"", "X"),
    ):
        with pytest.raises(InvalidRequest, match="must lie within its 128") as caught:
            use()
        assert caught.value.param == "X"


async def test_what_is_written_lies_where_it_should(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 64, 128)
    (await regions.open("a", "Y")).write(8, 16, b"hello", "Y")
    assert shared.get(71, 7) == b"\0hello\0"


async def test_an_output_that_is_too_large_is_refused(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 128)
    opened = await regions.open("a", "Y")
    with pytest.raises(InvalidRequest, match="should be at least 5 bytes"):
        opened.write(0, 4, b"hello", "Y")
    assert shared.get(0, 8) == bytes(8)


async def test_what_was_read_is_the_server_s_own(regions: Regions, shared: Memory) -> None:
    shared.put(b"before")
    await regions.register("a", shared.key, 0, 128)
    read = (await regions.open("a", "X")).view(0, 6, "X")
    shared.put(b"behind")
    assert bytes(read) == b"before"


@pytest.mark.parametrize("left", [0, 100], ids=["to nothing", "by a little"])
async def test_memory_that_was_cut_short_is_refused(
    regions: Regions, shared: Memory, left: int
) -> None:
    await regions.register("a", shared.key, 0, 128)
    opened = await regions.open("a", "X")
    shared.cut(left)
    with pytest.raises(InvalidRequest, match=f"must have 128 bytes, it has {left}"):
        opened.view(0, 128, "X")
    with pytest.raises(InvalidRequest, match=f"must have 128 bytes, it has {left}"):
        opened.write(0, 128, bytes(128), "X")
    assert shared.path.stat().st_size == left


async def test_memory_that_is_gone_is_refused(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 128)
    opened = await regions.open("a", "X")
    shared.path.unlink()
    with pytest.raises(InvalidRequest, match="No such file"):
        opened.view(0, 8, "X")
    with pytest.raises(InvalidRequest, match="No such file"):
        opened.write(0, 8, b"", "X")


async def test_copies_are_bounded_until_they_are_dropped(tmp_path: Path) -> None:
    regions = Regions(CONFIG, SMALL, tmp_path / "records")
    with memory(8192) as large:
        await regions.register("a", large.key, 0, 8192)
        opened = await regions.open("a", "X")
        held = np.frombuffer(opened.view(0, 8192, "X"), np.uint8)
        with pytest.raises(Overloaded):
            opened.view(0, 4096, "X")
        del held
        assert len(opened.view(0, 8192, "X")) == 8192


# ---- requests ----------------------------------------------------------------------------


async def test_inputs_of_one_request_are_bounded_together(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 4096)
    part = RegionSlice("a", 0, 4096)
    inputs = [RegionInput(name, "UINT8", (4096,), part) for name in ("X", "Y", "Z")]
    assert "8192" in await refusal(TooLarge, regions.open_inputs(inputs))


async def test_outputs_of_one_request_lie_apart(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 128)

    def outputs(second: int) -> list[RequestedOutput]:
        parts = {"Y": RegionSlice("a", 0, 64), "Z": RegionSlice("a", second, 64)}
        return [RequestedOutput(name, False, part) for name, part in parts.items()]

    assert set(await regions.open_outputs(outputs(64))) == {"Y", "Z"}
    assert "overlap" in await refusal(InvalidRequest, regions.open_outputs(outputs(63)))


async def test_an_input_is_read_as_a_binary_tensor_is(regions: Regions, shared: Memory) -> None:
    shared.put(np.array([1.5, -2.0], "<f4").tobytes(), 16)
    await regions.register("a", shared.key, 8, 64)
    entry = RegionInput("X", "FP32", (1, 2), RegionSlice("a", 8, 8))
    tensor = tensor_of(entry, await regions.open("a", "X"), "m")
    assert tensor.array.tolist() == [[1.5, -2.0]]


async def test_an_input_of_another_size_is_refused(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 64)
    entry = RegionInput("X", "FP32", (1, 2), RegionSlice("a", 0, 12))
    with pytest.raises(InvalidRequest, match="Expected 8, got 12"):
        tensor_of(entry, await regions.open("a", "X"), "m")


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "a size alone": ({"shared_memory_byte_size": 8}, "but no shared_memory_region"),
    "an offset alone": ({"shared_memory_offset": 8}, "but no shared_memory_region"),
    "no size": ({"shared_memory_region": "a"}, "byte_size of P must be a whole number"),
    "a name that is a number": ({"shared_memory_region": 5}, "must be a string"),
    "an empty name": ({"shared_memory_region": ""}, "must be a string of 1"),
    "a size that is true": (
        {"shared_memory_region": "a", "shared_memory_byte_size": True},
        "must be a whole number",
    ),
    "a negative offset": (
        {"shared_memory_region": "a", "shared_memory_byte_size": 8, "shared_memory_offset": -1},
        "offset of P must be a whole number, 0 or more",
    ),
}


@pytest.mark.parametrize(("parameters", "says"), WRONG.values(), ids=WRONG)
def test_parameters_name_a_whole_part(parameters: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        slice_of(parameters, "P")
