"""How much of its models' time live speech takes, by their measured batch times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deployments.batching.estimates.batch_time import BatchTimes
from deployments.batching.selection import most_rows, padded
from deployments.catalogue.model import Model
from deployments.catalogue.placements import Placement
from deployments.catalogue.selection import Fleet
from deployments.live.demand import Demand
from deployments.live.pace import PACES

SPOKEN = 0.8  # of the time, in which somebody speaks
PIECE_S = 0.5  # that a VAD hears at once
WINDOW_S = 6.0  # that a recogniser hears at once, on average
CHARS_A_S = 15.0  # of speech
CLAUSE_CHARS = 45.0
LATER = 6.0  # times the step of its delay, after which an update still keeps pace


@dataclass(frozen=True, slots=True)
class Use:
    """The items, and their cost, that one live session asks of one model in a second."""

    items: float
    cost: float

    @property
    def work(self) -> float:
        return self.items * self.cost


def uses_of(demand: Demand, fleet: Fleet) -> dict[str, Use]:
    """Return what a session asks of each model, by its name.

    Where the language of its speech is not known, it is the one that is translated by most models.

    Raises:
        Unavailable: a model is not ready.
    """
    options = demand.options
    vad, asr = fleet.pick("vad"), fleet.pick("asr", options.recogniser)
    clauses = SPOKEN * CHARS_A_S / CLAUSE_CHARS
    found = {
        vad.name: Use(1 / PIECE_S, padded(PIECE_S, vad.spec.length_buckets)),
        asr.name: Use(
            SPOKEN / (LATER * PACES[options.delay].step_s if asr.spec.takes_prefix else WINDOW_S),
            padded(WINDOW_S, asr.spec.length_buckets),
        ),
    }

    def add(model: Model) -> None:
        before = found.get(model.name, Use(0.0, CLAUSE_CHARS))
        found[model.name] = Use(before.items + clauses, CLAUSE_CHARS)

    for target, speaks in demand.wanted:
        for model in _translators(options.language, target, fleet):
            add(model)
        if speaks:
            add(fleet.voices().choose(options.voice_of(target), target)[0])
    return found


def _translators(language: str | None, target: str, fleet: Fleet) -> list[Model]:
    routes = fleet.routes_to(target)
    sources = routes.sources(target) if language is None else (language,)
    found = [routes.find(source, target) for source in sources]
    return max([route.models for route in found if route is not None], key=len, default=[])


@dataclass(slots=True)
class ModelLoad:
    """The load of one model by all sessions together.

    Attributes:
        times: what its batches take.
        has_slope: whether batches of several costs have shown what a larger one takes.
        rows: most items of a batch.
        replicas: that run one batch each.
        cores: what share of the machine's cores a running batch takes; 0: it runs on a GPU.
    """

    times: BatchTimes
    has_slope: bool
    rows: int
    replicas: int
    cores: float
    items: float = field(default=0.0, init=False)
    most_items: float = field(default=0.0, init=False)  # of one session
    cost: float = field(default=0.0, init=False)

    def add(self, use: Use, sessions: int) -> None:
        """Add so many sessions."""
        self.items += sessions * use.items
        self.cost += sessions * use.items * use.cost
        self.most_items = max(self.most_items, use.items if sessions else 0.0)

    @property
    def busy(self) -> float:
        """Return the seconds of a replica that a second of all sessions takes.

        Items of several sessions share a batch, and with it what each batch takes whatever its
        cost.
        """
        times = self.times
        if not self.has_slope:
            return self.cost * times.mean_s / times.mean_cost if times.mean_cost else 0.0
        batches = max(self.most_items, self.items / self.rows)
        return batches * times.expected_s(0.0) + self.cost * times.s_a_cost


class Loads:
    """The load that live sessions put on each model, and on the cores of this machine."""

    def __init__(self, fleet: Fleet, cores: int) -> None:
        self._fleet, self._cores = fleet, cores
        self.of: dict[str, ModelLoad] = {}

    def add(self, uses: Mapping[str, Use], sessions: int) -> None:
        """Add so many sessions that use models alike."""
        for name, use in uses.items():
            if name not in self.of:
                self.of[name] = self._model(name, use.cost)
            self.of[name].add(use, sessions)

    def share(self, name: str) -> float:
        """Return the share of a model's time that is taken, or of the cores that it runs on."""
        load = self.of[name]
        alone = load.busy / load.replicas
        return max(alone, self._cores_share()) if load.cores else alone

    def heaviest(self, names: Iterable[str]) -> str:
        """Return the model of these that has least time left."""
        return max(names, key=lambda name: (self.share(name), self.of[name].busy))

    def _cores_share(self) -> float:
        return sum([load.busy * load.cores for load in self.of.values()])

    def _model(self, name: str, cost: float) -> ModelLoad:
        model, placement = self._fleet.get(name), self._fleet.placements()[name]
        learning = model.batcher.learning
        line = learning.live_time if learning.live_time.is_known else learning.batch_time.line
        return ModelLoad(
            line.times,
            line.has_slope,
            most_rows(cost, model.batcher.policy),
            placement.replicas,
            min(1.0, _threads(placement) / self._cores),
        )


def _threads(placement: Placement) -> int:
    """Return the cores that a running batch takes; 0: it runs on a GPU, or it is not known."""
    description = placement.description
    if description is None or description.device.actual != "cpu":
        return 0
    return description.device.threads
