"""The Grafana dashboard and the alerts ask only for what ``/metrics`` has, and ask rightly."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deployments.http.app import LiveParts, asgi_app
from deployments.http.middleware.admission import Admission
from deployments.live.fleet_sessions import sessions_of
from deployments.telemetry.live_figures import LiveFigures
from tests.support import nvidia_driver
from tests.support.local import fake_config, fake_fleet
from tests.unit.http.test_operations import connect

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dragoman.json"
OF_PROMETHEUS = "up{"  # its own metric
FUNCTIONS = {"histogram_quantile", "increase", "max", "min", "rate", "sum"}
NAME = r"[a-zA-Z_]\w*"
BY = rf"\bby \(((?:{NAME}(?:, )?)+)\)"


@dataclass(frozen=True)
class Exposed:
    """The type and the labels of the samples of one name."""

    type: str  # of the family
    labels: frozenset[str]


@dataclass(frozen=True)
class Expression:
    """One query of a panel."""

    id: str
    text: str
    legend: str

    @property
    def metrics(self) -> set[str]:
        """Every name outside of matchers, ranges and groupings that is no function."""
        bare = re.sub(rf"\{{[^}}]*\}}|\[[^\]]*\]|{BY}", " ", self.text)
        return set(re.findall(rf"\b{NAME}\b", bare)) - FUNCTIONS

    @property
    def groups(self) -> set[str]:
        found = re.findall(BY, self.text)
        return {name for names in found for name in names.split(", ")}

    def labels(self, metric: str) -> set[str]:
        """Those of a metric that are matched, or grouped by."""
        matchers = re.findall(rf"\b{metric}\{{([^}}]*)\}}", self.text)
        return self.groups | {name for m in matchers for name in re.findall(rf"({NAME})[=!]", m)}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> list[Expression]:
    panels = [
        Expression(f"{panel['title']} {target['refId']}", target["expr"], target["legendFormat"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]
    rules = [Expression(rule["alert"], rule["expr"], "") for rule in alerts()]
    return [*panels, *(rule for rule in rules if not rule.text.startswith(OF_PROMETHEUS))]


@pytest.fixture(scope="module")
def exposed() -> dict[str, Exposed]:
    """Every sample that the application on fakes exposes, on a machine with a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        nvidia_driver.install(patch, gpus=[nvidia_driver.gpu(0)])
        text = asyncio.run(metrics(patch))
    written = set(re.findall(rf"^{NAME}", text, re.MULTILINE))
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            # The parser ends every counter in `_total`; Triton's do not.
            name = sample.name if sample.name in written else sample.name.removesuffix("_total")
            found[name] = Exposed(family.type, frozenset(sample.labels))
    return found


async def metrics(patch: pytest.MonkeyPatch) -> str:
    config = fake_config()
    fleet = await fake_fleet(config)
    sessions, heard = sessions_of(fleet, config), LiveFigures()
    heard.note_lag("recognised", 0.5)
    heard.note_refusal("overloaded")
    patch.setattr(sessions, "figures", lambda: heard)
    app = asgi_app(fleet, config, Admission(8), live=LiveParts(sessions))
    async with connect(app) as http:
        return (await http.get("/metrics")).text


QUERIES = pytest.mark.parametrize("query", [pytest.param(e, id=e.id) for e in expressions()])


@QUERIES
def test_every_metric_is_exposed_with_its_labels(
    exposed: dict[str, Exposed], query: Expression
) -> None:
    assert query.metrics <= set(exposed)
    for name in query.metrics:
        assert query.labels(name) <= exposed[name].labels, name


@QUERIES
def test_rates_are_of_what_only_grows(exposed: dict[str, Exposed], query: Expression) -> None:
    ranged = set(re.findall(rf"({NAME})(?:\{{[^}}]*\}})?\[", query.text))
    rated = set(re.findall(rf"\b(?:rate|increase)\(({NAME})", query.text))
    assert ranged == rated
    for name in query.metrics:
        grows = exposed[name].type in ("counter", "histogram")
        assert (name in rated) is grows, name


@QUERIES
def test_quantiles_are_of_buckets_by_their_bound(query: Expression) -> None:
    buckets = {name for name in query.metrics if name.endswith("_bucket")}
    if "histogram_quantile" in query.text:
        assert buckets == query.metrics
    if buckets:
        assert "le" in query.groups


@QUERIES
def test_legends_name_what_is_grouped_by(query: Expression) -> None:
    assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= query.groups


def test_the_list_of_models_is_of_an_exposed_metric(exposed: dict[str, Exposed]) -> None:
    (variable,) = [v for v in dashboard()["templating"]["list"] if v["name"] == "model"]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
    assert found
    assert variable["definition"] == found[0]
    assert found[2] in exposed[found[1]].labels


def sources(part: Any) -> Iterator[Any]:
    """Every ``datasource`` below a part of the dashboard."""
    below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    if isinstance(part, dict) and "datasource" in part:
        yield part["datasource"]
    for inner in below:
        yield from sources(inner)


def test_everything_asks_the_chosen_prometheus() -> None:
    found = list(sources(dashboard()))
    assert len(found) > len(expressions()) - len(alerts())
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in found)


def test_no_two_panels_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
                assert x < 24


def test_every_panel_has_an_id_of_its_own() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
