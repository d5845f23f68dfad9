"""Which route answers which path, and which routes may not stand beside each other."""

from collections.abc import Awaitable, Callable

import pytest
from starlette.responses import Response

from adapters.settings import Settings
from api.app import application
from api.edge.dispatch import UnreachableRouteError
from api.edge.envelope import answer
from api.edge.operations import ResourceRouter
from api.edge.route import answers, contract_router
from tests.support.edge import an_edge


def a_router(*paths: str) -> ResourceRouter:
    """Routes that answer with their own path."""
    router = contract_router("things")
    for path in paths:
        router.get(path, **answers(None))(telling(path))
    return router


def telling(path: str) -> Callable[[], Awaitable[Response]]:
    async def endpoint() -> Response:
        return answer(path)

    return endpoint


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/s/abc", "/s/{code}"),
        ("/short", "/{word}"),
        ("/s/abc/more/", "/{first}/{second}/more/"),
        ("/v1/things/1/", "/v1/things/{id}/"),
        ("/v1/others/1/", "/v1/{kind}/{id}/"),
        ("/files/a/b/c", "/files/{path:path}"),
        ("/v1/things/special/", "/v1/things/special/"),
    ],
)
async def test_parameters_match_in_every_part_of_a_path(database_url: str, path: str, route: str) -> None:
    paths = (
        "/{word}", "/s/{code}", "/{first}/{second}/more/", "/v1/{kind}/{id}/", "/v1/things/special/",
        "/v1/things/{id}/", "/files/{path:path}",
    )  # fmt: skip
    async with an_edge(database_url, a_router(*paths)) as edge:
        found = await edge.client.get(path)
        assert (found.status_code, found.json()) == (200, route)
        assert (await edge.client.post(path)).status_code == 405
        assert (await edge.client.get("/a/b/c/d/e/f")).status_code == 404


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (("/v1/things/{id}/", "/v1/things/special/"), "/v1/things/special/ can never be reached: /v1/things/{id}/"),
        (("/v1/{kind}/", "/{version}/things/"), None),
        (("/{anything:path}", "/s/{code}"), "/s/{code} can never be reached: /{anything:path} is found before it"),
        (("/v1/things/", "/v1/things/"), "/v1/things/ can never be reached"),
        (("/v1/things/{id:int}/", "/v1/things/{name}/"), None),
    ],
)
def test_a_route_that_cannot_be_reached_refuses_the_start(paths: tuple[str, ...], text: str | None) -> None:
    def build() -> None:
        application(Settings.model_construct(), [a_router(*paths)], lambda: pytest.fail("nothing is opened"))

    if text is None:
        build()
        return
    with pytest.raises(UnreachableRouteError) as refused:
        build()
    assert text in str(refused.value)
