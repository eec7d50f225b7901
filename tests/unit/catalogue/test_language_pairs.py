"""Routes from language to language: direct, through English, and none."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.catalogue.language_pairs import Route, Routes
from deployments.catalogue.model import Model
from models.errors import Unavailable
from models.runtime import RuntimeSpec

GONE = Unavailable("model 'other' is unloaded")


def translator(name: str, *pairs: str, languages: tuple[str, ...] = ()) -> Model:
    """A model of pairs such as ``en-pt``, or between any two of some languages."""
    spec = RuntimeSpec(
        "nmt",
        "fake-nmt",
        "none",
        "none",
        languages=languages,
        pairs=tuple((pair[:2], pair[3:]) for pair in pairs),
    )
    no_batcher: Any = None
    return Model(name, spec, no_batcher)


def hops(route: Route | None) -> list[str] | None:
    if route is None:
        return None
    return [f"{hop.model.name} {hop.source}-{hop.target}" for hop in route.hops]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        pytest.param("en", "pt", ["a en-pt"], id="direct"),
        pytest.param("es", "pt", ["b es-pt"], id="direct before through English"),
        pytest.param("es", "en", ["b es-en"], id="of any two languages"),
        pytest.param("fr", "pt", ["a fr-en", "a en-pt"], id="through English"),
        pytest.param("pt", "fr", None, id="no way out"),
        pytest.param("xx", "pt", None, id="an unknown language"),
        pytest.param("fr", "fr", None, id="to itself"),
    ],
)
def test_the_route_that_is_found(source: str, target: str, expected: list[str] | None) -> None:
    routes = Routes(
        [translator("a", "en-pt", "fr-en"), translator("b", "es-pt", languages=("es", "en"))]
    )
    assert hops(routes.find(source, target)) == expected


def test_the_first_model_that_translates_a_pair_does() -> None:
    routes = Routes([translator("a", "fr-en"), translator("b", "en-pt"), translator("c", "en-pt")])
    assert hops(routes.find("en", "pt")) == ["b en-pt"]


def test_a_route_tells_its_ends_and_the_language_between() -> None:
    route = Routes([translator("a", "fr-en", "en-pt")]).find("fr", "pt")
    assert route is not None
    assert (route.source, route.pivot, route.target) == ("fr", "en", "pt")


def test_a_direct_route_has_no_language_between() -> None:
    route = Routes([translator("a", "fr-en")]).find("fr", "en")
    assert route is not None
    assert route.pivot is None


def test_the_sources_of_a_target_are_itself_and_all_with_a_route() -> None:
    routes = Routes([translator("a", "fr-en", "en-pt", "pt-de")])
    assert routes.sources("pt") == ("pt", "en", "fr")
    assert routes.sources("pt") is routes.sources("pt")


@pytest.mark.parametrize(("target", "leads"), [("pt", True), ("es", True), ("fr", False)])
def test_routes_lead_to_what_any_model_translates_into(target: str, leads: bool) -> None:
    routes = Routes([translator("a", "fr-pt"), translator("b", languages=("es", "en"))])
    assert routes.lead_to(target) is leads


def test_a_pair_without_a_route_is_refused_by_the_pairs_there_are() -> None:
    routes = Routes([translator("a", "fr-pt"), translator("b", languages=("es", "en"))])
    message = "no model translates pt to fr; the pairs are fr-pt, any two of es en"
    assert routes.unsupported("pt", "fr").message == message


def test_a_model_that_is_missing_refuses_what_it_might_translate() -> None:
    with pytest.raises(Unavailable, match="'other' is unloaded"):
        Routes([translator("a", "fr-pt")], GONE).check_none_missing()


def test_routes_keep_the_pairs_of_a_model_that_is_loaded_otherwise_later() -> None:
    model = translator("a", "fr-pt")
    routes = Routes([model])
    model.spec = translator("a", "de-pt").spec
    assert hops(routes.find("fr", "pt")) == ["a fr-pt"]
    assert not routes.are_of([model], None)


@pytest.mark.parametrize(
    ("count", "missing", "same"),
    [(2, GONE, True), (2, None, False), (1, GONE, False)],
    ids=["as they were", "no model is missing", "a model less"],
)
def test_routes_are_those_of_the_same_models(
    count: int, missing: Unavailable | None, same: bool
) -> None:
    models = [translator("a", "fr-pt"), translator("b", "en-pt")]
    assert Routes(models, GONE).are_of(models[:count], missing) is same
