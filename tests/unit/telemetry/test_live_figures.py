"""The figures of live sessions, summed over ingress processes, and as Prometheus has them."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.telemetry.cluster_figures import ClusterFigures, IngressFigures
from deployments.telemetry.live_figures import LiveFigures, OpenSession, StageLag
from deployments.telemetry.metrics import exposition


def session(identity: str, p95_s: float) -> OpenSession:
    lag = {"recognised": StageLag(p95_s / 2, p95_s, 0.0, 10)}
    return OpenSession(identity, None, "", 1.0, 2.0, None, ("pt",), False, 1, lag)


def figures(*open_now: OpenSession) -> LiveFigures:
    found = LiveFigures(list(open_now))
    for each in open_now:
        found.note_lag("recognised", each.lag["recognised"].p95_s)
    found.note_refusal("overloaded")
    return found


async def test_sums_are_of_all_processes_and_never_run_backwards() -> None:
    others = [IngressFigures("b", 1.0, {}, live=figures(session("two", 3.0)))]
    is_alive = True

    async def ask() -> Sequence[Sequence[IngressFigures]]:
        return [others] if is_alive else []

    cluster = ClusterFigures("a", dict, ask)
    cluster.count_live(lambda: figures(session("one", 1.0)))
    await cluster.figures()
    live = cluster.live()
    assert sorted(each.id for each in live.open) == ["one", "two"]
    assert live.lag_p95_s("recognised") == 3.0
    assert sum(live.lags["recognised"].counts) == 2
    assert live.refusals == {"overloaded": 2}

    is_alive = False
    await cluster.figures()
    live = cluster.live()
    assert [each.id for each in live.open] == ["one"]  # the dead one has no sessions
    assert sum(live.lags["recognised"].counts) == 2
    assert live.refusals == {"overloaded": 2}


def test_the_metrics_have_a_histogram_a_gauge_and_a_counter() -> None:
    text = exposition([], {}, live=figures(session("one", 1.5))).decode()
    assert "\ndragoman_live_sessions 1.0\n" in text
    assert 'dragoman_live_lag_seconds_bucket{le="1.0",stage="recognised"} 0.0' in text
    assert 'dragoman_live_lag_seconds_bucket{le="2.5",stage="recognised"} 1.0' in text
    assert 'dragoman_live_lag_seconds_sum{stage="recognised"} 1.5' in text
    assert 'dragoman_live_refusals_total{reason="overloaded"} 1.0' in text
