"""The way of a request to its route and of a refusal back, without trying all routes and without FastAPI's layers.

They take longer than a decision: a look at every route, five middlewares and three exit stacks.
"""

from collections.abc import Sequence

import psycopg
from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import MethodNotAllowed, refusal_of
from api.route import ContractRoute
from domain.errors import DomainError, NotFound

Shape = tuple[int, str]
"""How many parts a path has and the first two of them, which are never parameters."""


class Dispatch:
    """Answers contract routes itself; everything else (documents, health, the lifespan) goes to `others`."""

    def __init__(self, routes: Sequence[BaseRoute], others: ASGIApp) -> None:
        self._others = others
        self._routes: dict[Shape, list[Route]] = {}
        for route in routes:
            assert isinstance(route, Route), f"{route} is no plain route: extend app.router.routes, include no router"
            self._routes.setdefault(_shape(route.path), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        try:
            route = self._find(scope, get_route_path(scope))
            if not isinstance(route, ContractRoute):
                await self._others(scope, receive, send)
                return
            response = await route.answer(Request(scope, receive))
        except (DomainError, psycopg.OperationalError) as error:
            response = refusal_of(error)
        await response(scope, receive, send)

    def _find(self, scope: Scope, path: str) -> Route:
        """The route, with its parameters in the scope. Raises NotFound, MethodNotAllowed (ruling D15)."""
        allowed: set[str] = set()
        for route in self._routes.get(_shape(path), ()):
            if found := route.path_regex.match(path):
                methods = (route.methods or set()) - {"HEAD"}
                if scope["method"] in methods:
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    return route
                allowed |= methods
        if allowed:
            raise MethodNotAllowed(allowed)
        raise NotFound("There is nothing at this path.")


def _shape(path: str) -> Shape:
    parts = path.split("/", 3)
    return path.count("/"), "/".join(parts[1:3])
