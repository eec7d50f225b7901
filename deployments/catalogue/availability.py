"""Tell from a model's placement whether requests can use it, and what state it is in."""

from __future__ import annotations

from deployments.catalogue.placements import IDLE, UNLOADED, Placement
from deployments.telemetry import model_report
from models.errors import NotReady, Unavailable


def is_gone(placement: Placement | None) -> bool:
    """Tell whether no request can use a model until somebody loads it."""
    return (
        placement is not None
        and placement.state in ("UNLOADING", "UNAVAILABLE")
        and not placement.on_demand
    )


def check_usable(name: str, placement: Placement | None) -> None:
    """Refuse a model that no request may use now.

    Raises:
        NotReady: it is loading.
        Unavailable: it was unloaded, or could not be loaded.
    """
    if placement is None or placement.on_demand or placement.state == "READY":
        return
    if placement.state == "LOADING":
        raise NotReady(f"model {name!r} is still loading")
    if placement.reason == UNLOADED:
        raise Unavailable(f"model {name!r} is unloaded")
    raise Unavailable(f"model {name!r} could not be loaded")


def state_of(placement: Placement | None, *, is_answering: bool) -> str:
    """Return a state of ``model_report``; ``is_answering``: a replica of the model does."""
    if placement is None or placement.state == "LOADING":
        return model_report.LOADING
    if placement.state == "READY":
        return model_report.READY if is_answering else model_report.LOADING
    if placement.reason in (UNLOADED, IDLE):
        return model_report.UNLOADED
    return f"{model_report.FAILED}: {placement.reason}"
