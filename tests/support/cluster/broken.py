"""An engine whose weights are good as far as can be seen before, and which cannot be loaded."""

from __future__ import annotations

from models.devices.device import DeviceReport
from models.runtime import RuntimeSpec
from tests.support.fakes import SleepSpeaker

BROKEN = "tests.support.cluster.broken:BrokenSpeaker"


class BrokenSpeaker(SleepSpeaker):
    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        raise RuntimeError("this generation is broken")
