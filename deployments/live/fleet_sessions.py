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
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions
from models.audio.streaming import StreamResampler


def sessions_of(fleet: Fleet, config: AppConfig, ingresses: int = 1) -> Sessions:
    """Return the register of the sessions of one ingress process, of so many."""
    stages = StageRunner(config.limits.max_items_in_flight)
    synthesiser = Synthesiser(stages, fleet, config.ingress.sentence_gap_s)
    bound = config.live.max_load

    def admit(demand: Demand, before: Demand | None) -> None:
        if bound is not None:
            share = bound / ingresses
            LiveAdmission(fleet, share, lambda: [s.demand for s in sessions]).check(demand, before)

    sessions = Sessions(
        lambda: GraphModels(fleet, stages, synthesiser),
        Senses(Hearing, StreamResampler),
        LoopClock(),
        config.live,
        admit,
    )
    return sessions
