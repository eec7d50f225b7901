"""All layers around the application, in their order: id, errors, admission."""

from __future__ import annotations

from starlette.types import ASGIApp

from deployments.config.schema import Limits
from deployments.http.middleware.admission import Admission, Admitting, Enter
from deployments.http.middleware.bodies import Bodies
from deployments.http.middleware.errors import ErrorAnswers
from deployments.http.middleware.request_id import RequestIds


def guarded(
    app: ASGIApp,
    limits: Limits,
    admission: Admission,
    bodies: Bodies | None = None,
    enter: Enter | None = None,
) -> ASGIApp:
    """Put every layer around an application; for the arguments see ``Admitting``."""
    return RequestIds(ErrorAnswers(Admitting(app, limits, admission, bodies, enter)))
