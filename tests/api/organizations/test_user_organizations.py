from typing import Any
from uuid import UUID, uuid4

from tests.support.world.product import Person, World, a_world

PATH = "/v1/user-organizations/"


def body(user_id: UUID, organization_id: UUID) -> dict[str, Any]:
    attributes = {"user-id": str(user_id), "organization-id": str(organization_id)}
    return {"data": {"type": "user-organizations", "attributes": attributes}}


async def ids(world: World, by: Person, **parameters: Any) -> list[str]:
    answer = await world.get(PATH, by, **{name.replace("_", "-"): str(value) for name, value in parameters.items()})
    assert answer["meta"]["page[total]"] == len(answer["data"])
    return [each["id"] for each in answer["data"]]


async def test_a_membership_is_made_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        shown: dict[str, Any] = {"display-name": "B"}
        a, b = await world.organization("a"), await world.organization("b", **shown)
        ann = await world.provider(a)
        made = (await world.post(PATH, body(ann.user_id, b), world.system))["data"]
        assert made == {
            "type": "user-organizations",
            "id": f"{ann.user_id}:{b}",
            "attributes": {
                "user-id": str(ann.user_id),
                "organization-id": str(b),
                "organization-name": "b",
                "organization-display-name": "B",
                "organization-count": 2,
            },
        }
        assert (await world.post(PATH, body(ann.user_id, b), world.system))["data"] == made


async def test_memberships_are_shown_to_their_user_and_to_colleagues(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization(), await world.organization()
        ann, bob, patient = await world.provider(a), await world.provider(a), await world.patient(a)
        await world.post(PATH, body(ann.user_id, b), world.system)
        of_ann = sorted(f"{ann.user_id}:{each}" for each in (a, b))
        assert await ids(world, ann, user_id=ann.user_id) == of_ann
        assert await ids(world, bob, user_id=ann.user_id) == [f"{ann.user_id}:{a}"]
        assert await ids(world, bob, organization_id=b) == []
        assert await ids(world, patient, user_id=patient.user_id) == []
        assert await ids(world, patient, organization_id=a) == []
        for everything in (world.system, world.service):
            assert await ids(world, everything, user_id=ann.user_id) == of_ann
            assert await ids(world, everything, organization_id=a) == sorted(f"{p.user_id}:{a}" for p in (ann, bob))


async def test_the_list_needs_a_user_or_an_organization(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        error = (await world.get(PATH, world.system, 400))["errors"][0]
        assert error["code"] == "invalid-parameter"


async def test_refusals(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization(), await world.organization()
        admin, ann, other = await world.admin(a), await world.provider(a), await world.provider(b)
        unknown = uuid4()
        refused = ((ann, a, 403), (world.service, a, 403), (other, a, 404), (admin, unknown, 404))
        for by, organization, status in (*refused, (world.system, unknown, 404)):
            error = (await world.post(PATH, body(ann.user_id, organization), by, status))["errors"][0]
            assert error["source"] == {"pointer": "/data/attributes/organization-id"}
        error = (await world.post(PATH, body(other.user_id, a), admin, 404))["errors"][0]
        assert error["source"] == {"pointer": "/data/attributes/user-id"}
