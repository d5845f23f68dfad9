"""What the OpenAPI document calls operations and resources."""

import importlib.metadata
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import Response

from api.app import openapi_document, routers
from api.edge.operations import ResourceRouter


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


async def endpoint() -> Response:
    return Response()


@pytest.mark.parametrize(
    "described",
    [
        "user-groups GET /v1/user-groups/ user_groups_list",
        "user-groups POST /v1/user-groups/ user_groups_create",
        "user-groups GET /v1/user-groups/{id}/ user_groups_get",
        "user-groups PATCH /v1/user-groups/{id}/ user_groups_update",
        "user-groups DELETE /v1/user-groups/{id}/ user_groups_delete",
        "user-groups POST /v1/user-groups/{id}/add-user/ user_groups_add_user",
        "user-groups GET /v2/user-groups/{id}/ user_groups_get_v2",
        "user-groups GET /v1/user-leaders/ user_groups_leaders",
        "sessions POST /v1/login/ sessions_login",
        "sessions GET /.well-known/jwks.json sessions_jwks_json",
        "access GET /v1/status/{id}/ access_status",
    ],
)
def test_an_operation_is_called_after_its_resource_and_action(described: str) -> None:
    tag, method, path, operation_id = described.split()
    router = ResourceRouter(tag, "Things.")
    router.add_api_route(path, endpoint, methods=[method], response_model=None)
    (route,) = router.routes
    assert getattr(route, "unique_id", None) == operation_id


def test_operation_ids_are_unique_and_begin_with_their_resource() -> None:
    ids: dict[str, str] = {}
    for title, operation in operations(openapi_document()):
        (tag,) = operation["tags"]
        operation_id = operation["operationId"]
        assert re.fullmatch(r"[a-z][a-z0-9_]+", operation_id), title
        assert operation_id.startswith(f"{tag.replace('-', '_')}_"), title
        assert operation_id not in ids, f"{title} and {ids.get(operation_id)}"
        ids[operation_id] = title
    assert len(ids) > 60


def test_every_resource_is_described_in_a_sentence() -> None:
    document = openapi_document()
    descriptions = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert len(descriptions) == len(document["tags"]) == len({router.tag["name"] for router in routers()})
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == descriptions.keys()
    for name, description in descriptions.items():
        assert re.fullmatch(r"[A-Z][^.]+\.", description), name


def test_the_document_has_the_version_of_the_package() -> None:
    assert openapi_document()["info"]["version"] == importlib.metadata.version("rollbook")
