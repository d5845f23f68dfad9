"""Dispatch of requests to their routes, by an index of the routes and without FastAPI's middleware.

FastAPI's own dispatch takes longer than an access decision: it tries every route, and has five layers of middleware and
three exit stacks.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import psycopg
from starlette.convertors import Convertor, FloatConvertor, IntegerConvertor, PathConvertor, UUIDConvertor
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.errors import MethodNotAllowed, refusal_of
from api.edge.route import ContractRoute
from domain.core.errors import DomainError, NotFound

Shape = tuple[int, str]
"""The number of slashes in a path, and its first two parts."""

EXAMPLES: dict[type[Convertor[Any]], str] = {
    FloatConvertor: "1.5",
    IntegerConvertor: "1",
    PathConvertor: "a/b",
    UUIDConvertor: "11111111-1111-4111-8111-111111111111",
}
"""An example of each kind of path parameter; OTHER_EXAMPLE is that of all other kinds."""
OTHER_EXAMPLE = "~"


class Candidate(NamedTuple):
    """A route and the methods that it answers."""

    route: Route
    methods: frozenset[str]


class UnreachableRouteError(Exception):
    """The application has a route that no request can reach. The text names it and the route that hides it."""


class Dispatch:
    """Answers requests for contract routes; passes all other requests (documents, health, the lifespan) to `others`.

    Its constructor raises UnreachableRouteError when no request can reach a route.
    """

    def __init__(self, routes: Sequence[BaseRoute], others: ASGIApp) -> None:
        self._others = others
        self._fixed: dict[Shape, list[Candidate]] = {}
        self._open: list[Candidate] = []
        for route in routes:
            assert isinstance(route, Route), f"{route} is not a Route: extend app.router.routes, include no router"
            self._add(route)
        for candidate in chain(self._open, *self._fixed.values()):
            self._require_reachable(candidate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        try:
            route = self._find(scope, _route_path(scope))
            if not isinstance(route, ContractRoute):
                if scope["method"] == "HEAD":
                    scope, send = {**scope, "method": "GET"}, _without_body(send)
                await self._others(scope, receive, send)
                return
            response = await route.answer(Request(scope, receive))
        except (DomainError, psycopg.OperationalError) as error:
            response = refusal_of(error)
        await response(scope, receive, send)

    def _add(self, route: Route) -> None:
        """Index the route by its shape, unless a parameter changes the shape of its paths."""
        first = "/".join(route.path.split("/", 3)[:3])
        candidate = Candidate(route, _methods(route))
        if "{" in first or any(isinstance(convertor, PathConvertor) for convertor in route.param_convertors.values()):
            self._open.append(candidate)
        else:
            self._fixed.setdefault(_shape(route.path), []).append(candidate)

    def _candidates(self, path: str) -> Iterable[Candidate]:
        """Return the routes that may match the path, those without parameters at its beginning first."""
        return (*self._fixed.get(_shape(path), ()), *self._open)

    def _find(self, scope: Scope, path: str) -> Route:
        """Return the route and put its parameters into the scope. Raises NotFound, MethodNotAllowed (ruling D15)."""
        allowed: set[str] = set()
        for route, methods in self._candidates(path):
            if match := route.path_regex.match(path):
                if scope["method"] in methods:
                    scope["route"], scope["path_params"] = route, match.groupdict()
                    return route
                allowed |= methods
        if allowed:
            raise MethodNotAllowed(allowed)
        raise NotFound("No resource has this path.")

    def _require_reachable(self, candidate: Candidate) -> None:
        route, methods = candidate
        examples = {
            name: EXAMPLES.get(type(convertor), OTHER_EXAMPLE) for name, convertor in route.param_convertors.items()
        }
        path = route.path_format.format(**examples)
        for method in methods:
            first = next(self._answering(method, path), None)
            if first is not route:
                reason = "no path matches it" if first is None else f"{first.path} is found before it"
                raise UnreachableRouteError(f"{method} {route.path} can never be reached: {reason}.")

    def _answering(self, method: str, path: str) -> Iterator[Route]:
        return (
            route for route, methods in self._candidates(path) if method in methods and route.path_regex.match(path)
        )


def _methods(route: Route) -> frozenset[str]:
    """Return the methods of the route: with HEAD for a GET (ruling O16), except on contract routes (ruling D15)."""
    methods = frozenset(route.methods or ()) - {"HEAD"}
    return methods if isinstance(route, ContractRoute) or "GET" not in methods else methods | {"HEAD"}


def _without_body(send: Send) -> Send:
    """Return a `send` that answers a HEAD request: with the headers of the GET (RFC 9110, section 9.3.2)."""

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _route_path(scope: Scope) -> str:
    """Return the path without the prefix under which a gateway serves the application (ASGI's `root_path`)."""
    path, prefix = scope["path"], scope.get("root_path", "")
    below = path.removeprefix(prefix)
    return str(below) if not below or below.startswith("/") else str(path)


def _shape(path: str) -> Shape:
    parts = path.split("/", 3)
    return path.count("/"), "/".join(parts[1:3])
