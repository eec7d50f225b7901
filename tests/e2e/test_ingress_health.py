"""An ingress is as healthy as its listener: Serve asks, and replaces one that is not."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def ingress() -> Any:
    """An ingress whose listener has ended."""
    from deployments.serve.ingress import Ingress  # Ray's own import warns

    class Listener:
        def check(self) -> None:
            raise RuntimeError("the listener has ended")

    ingress_class: Any = Ingress.func_or_class  # type: ignore[attr-defined]
    made = ingress_class.__new__(ingress_class)
    made._listener = Listener()
    return made


@pytest.mark.filterwarnings("ignore")
async def test_a_dead_listener_makes_its_ingress_unhealthy(ingress: Any) -> None:
    with pytest.raises(RuntimeError, match="the listener has ended"):
        await ingress.check_health()  # the name that Serve calls
