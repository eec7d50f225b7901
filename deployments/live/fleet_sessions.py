"""Open sessions over the models of a fleet."""

from __future__ import annotations

from deployments.batching.clock import LoopClock
from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.stages import StageRunner
from deployments.graph.synthesis import Synthesiser
from deployments.live.admission import LiveAdmission
from deployments.live.demand import Demand
from deployments.live.graph_models import GraphModels
from deployments.live.hearing import Hearing
from deployments.live.options import LiveOptions
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions
from models.audio.streaming import StreamResampler
from models.errors import DragomanError


def sessions_of(fleet: Fleet, config: AppConfig, ingresses: int = 1) -> Sessions:
    """Return the register of the sessions of one ingress process, of so many."""
    stages = StageRunner(config.limits.max_items_in_flight)
    synthesiser = Synthesiser(stages, fleet, config.ingress.sentence_gap_s)
    share = _share(config, ingresses)

    def admit(demand: Demand, before: Demand | None) -> None:
        if share is not None:
            LiveAdmission(fleet, share, lambda: [s.demand for s in sessions]).check(demand, before)

    sessions = Sessions(
        lambda: GraphModels(fleet, stages, synthesiser),
        Senses(Hearing, StreamResampler),
        LoopClock(),
        config.live,
        admit,
    )
    return sessions


def speaks_in_time(fleet: Fleet, config: AppConfig, target: str) -> bool:
    """Tell whether a session that is alone here is let in with speech in that language."""
    share = _share(config, config.ingress.on_a_node)
    demand = Demand.of(LiveOptions(targets=(target,), speaks=True))
    try:
        return share is None or LiveAdmission(fleet, share, tuple).carries_one(demand)
    except DragomanError:  # no voice speaks it, or a model is not ready
        return False


def _share(config: AppConfig, ingresses: int) -> float | None:
    """Return how much of a model's time one ingress' live sessions may take; None: all."""
    bound = config.live.max_load
    return None if bound is None else bound / ingresses
