"""What the tests of both kinds of templates share."""

from typing import Any
from uuid import UUID

from tests.support.world.product import Person, World

THEMES = "/v1/organization-themes/"


def created(kind: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": {name.replace("_", "-"): value for name, value in attributes.items()}}}


def changed(kind: str, resource_id: str, **attributes: Any) -> dict[str, Any]:
    body = created(kind, **attributes)
    return {"data": body["data"] | {"id": resource_id}}


def each_of(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """Return the pairs of a name and one of its values."""
    return [(name, value) for name, own in values.items() for value in own]


async def a_theme(world: World, domain: str = "care.example.org", **more: Any) -> str:
    attributes = {"domain": domain, "support_email": "help@example.org"} | more
    answer = await world.post(THEMES, created("organization-themes", **attributes), world.system)
    return str(answer["data"]["id"])


async def an_employee(world: World) -> Person:
    """Return a member of staff who is no system administrator."""
    from domain.organizations.organizations import OPERATOR_ID

    return await world.provider(OPERATOR_ID)


async def deactivated(world: World, organization_id: UUID) -> None:
    body = changed("organizations", str(organization_id), is_active=False)
    await world.patch(f"/v1/organizations/{organization_id}/", body, world.system)
