"""Write outputs to the regions of shared memory that a request asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployments.inference.open_region import OpenRegion, check_room
from deployments.inference.tensors import RequestedOutput


def write_to_regions(
    asked: Sequence[RequestedOutput],
    data: Mapping[str, bytes],
    regions: Mapping[str, OpenRegion],
) -> None:
    """Write outputs to their regions, or none of them where one is too large; this blocks.

    Raises:
        InvalidRequest: an output's place is too small, or gone.
    """
    placed = [(each.name, each.region) for each in asked if each.region is not None]
    for name, region in placed:
        check_room(name, region.byte_size, len(data[name]))
    for name, region in placed:
        regions[name].write(region.offset, region.byte_size, data[name], name)
