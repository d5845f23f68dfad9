import asyncio
from typing import Any
from uuid import UUID, uuid4

from tests.support.world.product import a_world, role_id

PATH = "/v1/role-users/"


def body(role: UUID, **attributes: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
    return {"data": {"type": "role-users", "attributes": {"role-id": str(role), **given}}}


async def test_a_grant_has_a_number_of_its_own(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, ann = await world.admin(clinic), await world.provider(clinic)
        role = role_id(clinic, "org.admin")
        first = (await world.post(PATH, body(role, email=ann.email), admin))["data"]
        assert first["attributes"] == {
            "role": {"id": str(role), "name": "org.admin"},
            "user": {"id": str(ann.user_id), "email": ann.email},
        }
        assert isinstance(first["id"], int)
        assert (await world.post(PATH, body(role, user_id=ann.user_id), admin))["data"] == first
        remove = {"data": {"type": "roles", "attributes": {"user-id": str(ann.user_id)}}}
        await world.post(f"/v1/roles/{role}/remove-user/", remove, admin)
        again = (await world.post(PATH, body(role, user_id=ann.user_id), admin))["data"]
        assert again["id"] > first["id"]


async def test_role_users_are_listed_by_id_to_readers_of_the_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        admins = [await world.admin(clinic) for _ in range(3)]
        role = {"role-id": str(role_id(clinic, "org.admin"))}
        ids = sorted(str(admin.user_id) for admin in admins)
        for by in (admins[0], await world.provider(clinic), world.system, world.service):
            answer = await world.get(PATH, by, **role)
            assert [each["attributes"]["user"]["id"] for each in answer["data"]] == ids
        page = await world.get(PATH, admins[0], **role, **{"page[limit]": 2, "page[offset]": 2})
        assert [each["attributes"]["user"]["id"] for each in page["data"]] == ids[2:]
        assert page["meta"]["page[total]"] == 3
        for by in (await world.admin(other), await world.patient(clinic)):
            error = (await world.get(PATH, by, 404, **role))["errors"][0]
            assert error["source"] == {"parameter": "role-id"}
        await world.get(PATH, world.system, 404, **{"role-id": str(uuid4())})
        await world.get(PATH, world.system, 400)


async def test_grants_at_once_all_land_with_numbers_of_their_own(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        people = [await world.provider(clinic) for _ in range(24)]
        role = role_id(clinic, "org.admin")
        made = await asyncio.gather(*(world.post(PATH, body(role, user_id=person.user_id), admin) for person in people))
        assert len({each["data"]["id"] for each in made}) == 24
        answer = await world.get(PATH, admin, **{"role-id": str(role)})
        assert answer["meta"]["page[total]"] == 25


async def test_refusals(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization(), await world.organization()
        admin, ann, other = await world.admin(a), await world.provider(a), await world.admin(b)
        role = role_id(a, "org.admin")
        for by, status in ((ann, 403), (world.service, 403), (other, 404)):
            error = (await world.post(PATH, body(role, user_id=ann.user_id), by, status))["errors"][0]
            assert error["source"] == {"pointer": "/data/attributes/role-id"}
        for by in (admin, world.system, world.service):
            error = (await world.post(PATH, body(uuid4(), user_id=ann.user_id), by, 404))["errors"][0]
            assert error["source"] == {"pointer": "/data/attributes/role-id"}
        await world.post(PATH, body(role, user_id=uuid4()), admin, 404)
        answer = await world.post(PATH, body(role, user_id=other.user_id), world.system, 409)
        assert answer["errors"][0]["code"] == "not-in-organization"
