"""Find the terms of a glossary in texts that are translated, for each hop of a route."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.catalogue.language_pairs import Hop, Route
from models.text.glossary import Glossary
from models.text.items import Span, find, overlaps
from models.types import Term

TermsOfHop = tuple[Hop, tuple[Term, ...]]


def hops_with_terms(text: str, route: Route, glossary: Glossary | None) -> Iterator[TermsOfHop]:
    """Yield each hop of a route with the terms of a sentence.

    A term that the glossary does not have in the language between two hops stands there as in the
    target language, and the second hop keeps it.
    """
    if glossary is None:
        yield from ((hop, ()) for hop in route.hops)
        return
    terms = glossary.terms(route.source, route.target).within(text)
    if len(route.hops) == 1:
        yield route.hops[0], terms
        return
    first, second = route.hops
    between = glossary.terms(first.source, first.target).terms
    known = {(term.text, term.case_sensitive): term for term in between}
    halfway = tuple(known.get((term.text, term.case_sensitive), term) for term in terms)
    yield first, halfway
    yield (
        second,
        tuple(
            Term(half.translation, term.translation, term.case_sensitive)
            for half, term in zip(halfway, terms, strict=True)
        ),
    )


def whole_passages(text: str, route: Route, glossary: Glossary | None) -> list[Span]:
    """Return the passages of a text that no sentence ends within: items and terms, in order."""
    spans = list(find(text))
    if glossary is None:
        return spans
    places = glossary.terms(route.source, route.target).places.find(text)
    terms = [Span(place.start, place.stop, "term") for place in places]
    terms = [term for term in terms if not any(overlaps(term, each) for each in spans)]
    return sorted([*spans, *terms], key=lambda span: span.start)
