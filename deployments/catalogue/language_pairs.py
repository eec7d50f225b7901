"""Routes from one language to another, through the translation models that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployments.catalogue.model import Model
from models.errors import Unavailable, UnsupportedPair

PIVOT = "en"  # the language through which pairs go that no model translates directly


@dataclass(frozen=True, slots=True)
class Hop:
    """One translation on the way from a language to another."""

    model: Model
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Route:
    """The hops from a language to another: one, or two through ``PIVOT``."""

    hops: tuple[Hop, ...]

    @property
    def source(self) -> str:
        return self.hops[0].source

    @property
    def target(self) -> str:
        return self.hops[-1].target

    @property
    def pivot(self) -> str | None:
        """Name the language between the two; None of a direct route."""
        return self.hops[0].target if len(self.hops) > 1 else None

    @property
    def models(self) -> list[Model]:
        """List the model of each hop."""
        return [hop.model for hop in self.hops]


class Routes:
    """Finds routes through the models that there were when this was made.

    Args:
        models: the translation models that can be used, in the order of the configuration.
        missing: why another one, which is configured, cannot be used; None: there is no other.
    """

    def __init__(self, models: Sequence[Model], missing: Unavailable | None = None) -> None:
        self._models = tuple(models)
        self._specs = tuple(model.spec for model in models)
        self._missing = missing
        self._sources: dict[str, tuple[str, ...]] = {}  # by target, of those that were asked for

    def are_of(self, models: Sequence[Model], missing: Unavailable | None) -> bool:
        """Tell whether these routes are the ones through such models."""
        has_same_specs = self._specs == tuple([model.spec for model in models])
        has_same_models = has_same_specs and self._models == tuple(models)
        return has_same_models and _message(self._missing) == _message(missing)

    def find(self, source: str, target: str) -> Route | None:
        """Find the direct route, or else the one through ``PIVOT``; None: there is neither."""
        direct = self._hop(source, target)
        if direct is not None:
            return Route((direct,))
        first, second = self._hop(source, PIVOT), self._hop(PIVOT, target)
        if first is None or second is None or source == target:
            return None
        return Route((first, second))

    def sources(self, target: str) -> tuple[str, ...]:
        """List the languages that are translated into ``target``, and that one itself."""
        found = self._sources.get(target)
        if found is None:
            known = {code for s in self._specs for code in (*s.languages, *(p[0] for p in s.pairs))}
            found = (target, *(code for code in sorted(known) if self.find(code, target)))
            if self.lead_to(target):  # so that there are no more of them than languages
                self._sources[target] = found
        return found

    def targets(self) -> tuple[str, ...]:
        """List the languages that any model translates into."""
        found = {code for s in self._specs for code in (*s.languages, *(p[1] for p in s.pairs))}
        return tuple(sorted(found))

    def lead_to(self, target: str) -> bool:
        """Tell whether any model translates into a language."""
        return any(
            target in spec.languages or target in (pair[1] for pair in spec.pairs)
            for spec in self._specs
        )

    def check_none_missing(self) -> None:
        """Refuse what no route was found for, while a model is missing that might have one.

        Raises:
            Unavailable: a model is missing; ``NotReady``: it is loading.
        """
        if self._missing is not None:
            raise type(self._missing)(self._missing.message)

    def unsupported(self, source: str, target: str) -> UnsupportedPair:
        """Make the error that lists the pairs there are."""
        known = [f"{pair[0]}-{pair[1]}" for spec in self._specs for pair in spec.pairs]
        known += [f"any two of {' '.join(s.languages)}" for s in self._specs if s.languages]
        message = f"no model translates {source} to {target}; the pairs are {', '.join(known)}"
        return UnsupportedPair(message, param="target_language")

    def _hop(self, source: str, target: str) -> Hop | None:
        for model, spec in zip(self._models, self._specs, strict=True):
            if spec.translates(source, target):
                return Hop(model, source, target)
        return None


def _message(error: Unavailable | None) -> str | None:
    return None if error is None else error.message
