"""The way of a request to its route and of a refusal back, without trying all routes and without FastAPI's layers.

They take longer than a decision: a look at every route, five middlewares and three exit stacks.
"""

from collections.abc import Iterable, Iterator, Sequence
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
"""How many slashes a path has, and its first two parts."""

EXAMPLES: dict[type[Convertor[Any]], str] = {
    FloatConvertor: "1.5",
    IntegerConvertor: "1",
    PathConvertor: "a/b",
    UUIDConvertor: "11111111-1111-4111-8111-111111111111",
}
"""A value of each kind of path parameter; all others take the letter."""
LETTER = "~"


class Candidate(NamedTuple):
    """A route, and the methods that it answers."""

    route: Route
    methods: frozenset[str]


class UnreachableRouteError(Exception):
    """The application has a route that no request can reach; the text names it and the route that is in its way."""


class Dispatch:
    """Answer contract routes; everything else (documents, health, the lifespan) goes to `others`.

    Raise UnreachableRouteError when a route could never be found.
    """

    def __init__(self, routes: Sequence[BaseRoute], others: ASGIApp) -> None:
        self._others = others
        self._fixed: dict[Shape, list[Candidate]] = {}
        self._open: list[Candidate] = []
        for route in routes:
            assert isinstance(route, Route), f"{route} is no plain route: extend app.router.routes, include no router"
            self._add(route)
        for candidate in (*self._open, *(each for alike in self._fixed.values() for each in alike)):
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
        """Index the route by its shape, unless a parameter decides what the shape of its paths is."""
        first = "/".join(route.path.split("/", 3)[:3])
        candidate = Candidate(route, _methods(route))
        if "{" in first or any(isinstance(each, PathConvertor) for each in route.param_convertors.values()):
            self._open.append(candidate)
        else:
            self._fixed.setdefault(_shape(route.path), []).append(candidate)

    def _candidates(self, path: str) -> Iterable[Candidate]:
        """What stands in the path literally goes before parameters."""
        return (*self._fixed.get(_shape(path), ()), *self._open)

    def _find(self, scope: Scope, path: str) -> Route:
        """The route, with its parameters in the scope. Raises NotFound, MethodNotAllowed (ruling D15)."""
        allowed: set[str] = set()
        for route, methods in self._candidates(path):
            if found := route.path_regex.match(path):
                if scope["method"] in methods:
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    return route
                allowed |= methods
        if allowed:
            raise MethodNotAllowed(allowed)
        raise NotFound("There is nothing at this path.")

    def _require_reachable(self, candidate: Candidate) -> None:
        route, methods = candidate
        examples = {name: EXAMPLES.get(type(each), LETTER) for name, each in route.param_convertors.items()}
        path = route.path_format.format(**examples)
        for method in methods:
            in_the_way = next(self._answering(method, path), None)
            if in_the_way is not route:
                first = "no path matches it" if in_the_way is None else f"{in_the_way.path} is found before it"
                raise UnreachableRouteError(f"{method} {route.path} can never be reached: {first}.")

    def _answering(self, method: str, path: str) -> Iterator[Route]:
        return (
            each.route
            for each in self._candidates(path)
            if method in each.methods and each.route.path_regex.match(path)
        )


def _methods(route: Route) -> frozenset[str]:
    """Operations of the contract have no HEAD (ruling D15); every other route that can be read does (ruling O16)."""
    methods = frozenset(route.methods or ()) - {"HEAD"}
    return methods if isinstance(route, ContractRoute) or "GET" not in methods else methods | {"HEAD"}


def _without_body(send: Send) -> Send:
    """What a HEAD is answered with: the headers of the GET (RFC 9110, section 9.3.2)."""

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _route_path(scope: Scope) -> str:
    """The path below the prefix under which a gateway serves the application (ASGI: `path` begins with it)."""
    path, prefix = scope["path"], scope.get("root_path", "")
    below = path.removeprefix(prefix)
    return str(below) if not below or below.startswith("/") else str(path)


def _shape(path: str) -> Shape:
    parts = path.split("/", 3)
    return path.count("/"), "/".join(parts[1:3])
