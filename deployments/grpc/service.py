"""All methods of the service, over one fleet of models."""

from __future__ import annotations

from collections.abc import Callable

from deployments.catalogue.selection import Fleet
from deployments.config.grpc import Grpc
from deployments.config.schema import AppConfig
from deployments.graph.codecs import Codecs
from deployments.graph.pipeline import Pipeline
from deployments.grpc.calls import Calls, Handler
from deployments.grpc.health import HealthCalls
from deployments.grpc.infer import Infer
from deployments.grpc.messages import HEALTH, SERVICE
from deployments.grpc.repository import RepositoryCalls
from deployments.grpc.rights import as_declared
from deployments.grpc.sequences import Sequences
from deployments.grpc.server import GrpcListener
from deployments.grpc.shared_memory import SharedMemoryCalls
from deployments.grpc.stream import StreamInfer
from deployments.http.app import LiveParts
from deployments.http.middleware.access import Door
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.http.own_voices import OwnVoices
from deployments.inference.regions import Regions
from deployments.inference.repository import Repository
from deployments.library.store import Store
from deployments.live.sessions import Sessions
from deployments.security.keys import KnownKeys
from deployments.security.tokens import Tokens
from deployments.telemetry.cluster_figures import ClusterFigures


def grpc_listener(
    fleet: Fleet,
    config: AppConfig,
    settings: Grpc,
    admission: Admission,
    bodies: Bodies,
    cluster_figures: ClusterFigures,
    known_keys: KnownKeys,
    live: LiveParts,
    regions: Regions,
    store: Store | None = None,
) -> GrpcListener:
    """Return what listens for the calls; keys, places and bodies are counted with HTTP's."""
    tokens = Tokens(live.signing_key, known_keys)
    door = Door(config, known_keys, as_declared, tokens)
    calls = Calls(door, admission, bodies, config.limits, settings.max_streams)
    methods = handlers(
        fleet, config, settings, calls, _refusing(admission, bodies), cluster_figures,
        live.sessions, regions, store,
    )  # fmt: skip
    return GrpcListener(methods, config, settings)


def handlers(
    fleet: Fleet,
    config: AppConfig,
    settings: Grpc,
    calls: Calls,
    refusing: Callable[[], str | None],
    cluster_figures: ClusterFigures,
    sessions: Sessions,
    regions: Regions,
    store: Store | None,
) -> dict[str, Handler]:
    """Return what handles each method. ``refusing`` says why a request would be refused now."""
    pipeline = Pipeline(fleet, config, Codecs(config.ingress.threads_of_codecs))
    limits = config.limits
    repository = Repository(pipeline, config, cluster_figures)
    about = RepositoryCalls(repository, refusing, regions.is_on)
    health = HealthCalls(about, calls)
    infer = Infer(repository.catalogue, pipeline, limits, regions)
    own = OwnVoices(store, config.library.voice_days)
    sequences = Sequences(sessions, infer, calls, own.of, limits.max_audio_s)
    stream = StreamInfer(infer, calls, sequences, settings.max_in_flight_per_stream)
    single = {
        **about.answers(),
        **SharedMemoryCalls(regions).answers(),
        f"{SERVICE}/ModelInfer": infer.answer,
        f"{HEALTH}/Check": health.check,
        f"{HEALTH}/List": health.list,
    }
    lasting = {
        f"{SERVICE}/ModelStreamInfer": stream.talk,
        f"{HEALTH}/Watch": health.watch,
    }
    return {
        **{method: calls.one(method, answer) for method, answer in single.items()},
        **{method: calls.stream(method, talk) for method, talk in lasting.items()},
    }


def _refusing(admission: Admission, bodies: Bodies) -> Callable[[], str | None]:
    return lambda: admission.why_not_ready() or bodies.why_not_ready()
