"""Starlette's router, which remembers which route a path took, and names all methods of a path."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

KNOWN_PATHS, MAX_KNOWN_CHARS = 1024, 256  # how many are remembered, and of what length


class RememberingRouter(Router):
    """Send a request whose method and path were here before straight to its route.

    Its regular expressions are tried one after the other otherwise, which takes up to 30 us of
    the some 100 that a small request takes in all.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__(routes)
        self._known = lru_cache(KNOWN_PATHS)(self._route_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http":
            asked = scope["method"], scope["path"], scope.get("root_path", "")
            found = self._known(*asked) if sum(map(len, asked)) <= MAX_KNOWN_CHARS else None
        if found is None:
            await self._unknown(scope, receive, send)
            return
        route, of_path = found
        scope.update(of_path, route=route, router=self)
        scope["path_params"] = dict(of_path["path_params"])  # the request's own
        await route.app(scope, receive, send)

    async def _unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a path that is not remembered, redirect it, or refuse it.

        Raises:
            HTTPException: there is no such path, or it takes other methods. Where several routes
                share it, ``Allow`` names the methods of all; Starlette's names those of the first.
        """
        method, path, root_path = scope["method"], scope["path"], scope.get("root_path", "")
        if scope["type"] == "websocket":
            if all(route.matches(scope)[0] is Match.NONE for route in self.routes):
                raise HTTPException(404)
        else:
            methods = self._methods(path, root_path)
            if methods and method not in methods:
                raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
        await super().__call__(scope, receive, send)

    def _methods(self, path: str, root_path: str) -> set[str]:
        """Return the methods that a path takes; none where there is no such path."""
        found = set[str]()
        for route in self.routes:
            scope = {"type": "http", "method": "", "path": path, "root_path": root_path}
            if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
                found |= route.methods or set()
        return found

    def template(self, method: str, path: str, root_path: str) -> str | None:
        """Return the path of the route that a request takes, as declared; None: there is none."""
        found = self._route_of(method, path, root_path)
        return None if found is None else found[0].path

    def _route_of(self, method: str, path: str, root_path: str) -> tuple[Route, Scope] | None:
        """Return the route that takes it, and what that adds to a request's scope."""
        scope = {"type": "http", "method": method, "path": path, "root_path": root_path}
        for route in self.routes:
            match, of_path = route.matches(scope)
            if match is Match.FULL and isinstance(route, Route):
                return route, of_path
        return None
