"""The ids of operations in the OpenAPI document: readable names for the functions of generated clients.

An id is the resource and the action: `individual_groups_list`, `individual_groups_get`,
`individual_groups_add_leaders`, `sessions_login`. A later version of a path adds its version:
`individual_groups_list_v2`.
"""

import re
from itertools import takewhile
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute

VERSION = re.compile(r"v[0-9]+")


class ResourceRouter(APIRouter):
    """The router of one resource. The OpenAPI document lists its operations under its tag, with its description."""

    def __init__(self, tag: str, description: str, **options: Any) -> None:
        super().__init__(tags=[tag], redirect_slashes=False, generate_unique_id_function=operation_id_of, **options)
        self.tag = {"name": tag, "description": description}


def operation_id_of(route: APIRoute) -> str:
    """Return `<resource>_<action>`: the router's tag, and the method on the resource or the last name in the path."""
    version, *names = route.path_format.strip("/").split("/")
    if not VERSION.fullmatch(version):
        version, names = "v1", [version, *names]
    tag = str(route.tags[0])
    (method,) = (route.methods or set()) - {"HEAD"}
    words = [_snake_case(tag), _action(method, tag, names)]
    return "_".join(words if version == "v1" else [*words, version])


def _action(method: str, tag: str, names: list[str]) -> str:
    if names == [tag]:
        return {"GET": "list", "POST": "create"}[method]
    if names == [tag, "{id}"]:
        return {"GET": "get", "PATCH": "update", "DELETE": "delete"}[method]
    last = next((name for name in reversed(names) if not name.startswith("{")), method.lower())
    resource, action = _snake_case(tag).split("_"), _snake_case(last).split("_")
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(resource, action, strict=False))))
    return "_".join(action[shared:] or action)


def _snake_case(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
