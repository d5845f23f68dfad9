from typing import Any
from uuid import UUID, uuid4

from domain.organizations.organizations import OPERATOR_ID
from tests.support.world.product import Person, World, a_world, role_id


def body(**attributes: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
    return {"data": {"type": "roles", "attributes": given}}


async def organizations_of_roles(world: World, by: Person, **parameters: Any) -> set[str]:
    answer = await world.get("/v1/roles/", by, **parameters)
    count = len(answer["data"])
    assert (answer["meta"]["page[limit]"], answer["meta"]["page[total]"]) == (count, count)
    return {each["attributes"]["organization-id"] for each in answer["data"]}


async def test_roles_are_listed_of_organizations_that_the_caller_may_read(database_url: str) -> None:
    async with a_world(database_url) as world:
        shown: dict[str, Any] = {"display-name": "A"}
        a, b = await world.organization("a", **shown), await world.organization("b")
        provider, patient = await world.provider(a), await world.patient(a)
        (role,) = (await world.get("/v1/roles/", provider))["data"]
        assert role == {
            "type": "roles",
            "id": str(role_id(a, "org.admin")),
            "attributes": {
                "name": "org.admin",
                "display-name": "Organization administrator",
                "organization-id": str(a),
                "organization": {"id": str(a), "name": "a", "display-name": "A"},
            },
        }
        assert await organizations_of_roles(world, patient) == set()
        assert await organizations_of_roles(world, provider, **{"organization-id": str(b)}) == set()
        for everything in (world.system, world.service):
            assert {str(a), str(b)} < await organizations_of_roles(world, everything)
            assert await organizations_of_roles(world, everything, **{"organization-id": str(b)}) == {str(b)}
        names = {"filter[name]": "carium.admin"}
        assert len(await organizations_of_roles(world, world.system, **names)) == 1
        await world.get("/v1/roles/", provider, 400, **{"page[limit]": 1})


async def test_an_administrator_gives_a_role_and_takes_it_back(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, ann = await world.admin(clinic), await world.provider(clinic)
        role = role_id(clinic, "org.admin")
        patch = {"type": "organizations", "id": str(clinic), "attributes": {"display-name": "Clinic"}}
        for operation, status in (
            ("add-user", 200),
            ("add-user", 200),
            ("remove-user", 403),
            ("remove-user", 403),
        ):
            answer = await world.post(f"/v1/roles/{role}/{operation}/", body(user_id=ann.user_id), admin)
            assert answer is None
            await world.patch(f"/v1/organizations/{clinic}/", {"data": patch}, ann, status)


async def test_refusals(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization(), await world.organization()
        admin, ann, other = await world.admin(a), await world.provider(a), await world.admin(b)
        role = role_id(a, "org.admin")
        for operation in ("add-user", "remove-user"):
            path = f"/v1/roles/{role}/{operation}/"
            for by, status in ((ann, 403), (world.service, 403), (other, 404)):
                await world.post(path, body(user_id=ann.user_id), by, status)
            await world.post(f"/v1/roles/{uuid4()}/{operation}/", body(user_id=ann.user_id), admin, 404)
            await world.post(f"/v1/roles/no-uuid/{operation}/", body(user_id=ann.user_id), admin, 400)
            await world.post(path, body(user_id=other.user_id), admin, 404)
        answer = await world.post(f"/v1/roles/{role}/add-user/", body(user_id=other.user_id), world.system, 409)
        assert answer["errors"][0]["code"] == "not-in-organization"
        answer = await world.post(f"/v1/roles/{role}/remove-user/", body(user_id=admin.user_id), world.system, 409)
        assert answer["errors"][0]["code"] == "last-admin"


async def test_the_last_system_administrator_keeps_the_role(database_url: str) -> None:
    async with a_world(database_url) as world:
        (role,) = (await world.get("/v1/roles/", world.system, **{"filter[name]": "carium.admin"}))["data"]
        path = f"/v1/roles/{UUID(role['id'])}/remove-user/"
        answer = await world.post(path, body(user_id=world.system.user_id), world.system, 409)
        assert answer["errors"][0]["code"] == "last-admin"


async def test_a_holder_of_the_system_role_without_staff_does_not_count(
    database_url: str,
) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization())
        (role,) = (await world.get("/v1/roles/", world.system, **{"filter[name]": "carium.admin"}))["data"]
        given = {"user-id": str(ann.user_id), "role-id": role["id"]}
        adding = {"data": {"type": "organizations", "attributes": given}}
        await world.post(f"/v1/organizations/{OPERATOR_ID}/add-user/", adding, world.system)
        for path in (f"/v1/roles/{role['id']}/remove-user/", f"/v1/organizations/{OPERATOR_ID}/remove-user/"):
            given = {"user-id": str(world.system.user_id)}
            leaving = {"data": {"type": path.split("/")[2], "attributes": given}}
            answer = await world.post(path, leaving, world.system, 409)
            assert answer["errors"][0]["code"] == "last-admin"


async def test_an_inactive_organizations_roles_and_members_are_not_for_staff(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, staff = await world.organization(), await world.provider(OPERATOR_ID)
        doc = await world.provider(clinic)
        data = {"type": "organizations", "id": str(clinic), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{clinic}/", {"data": data}, world.system)
        for by, shown in ((staff, 0), (doc, 0), (world.system, 1), (world.service, 1)):
            roles = await world.get("/v1/roles/", by, **{"organization-id": str(clinic)})
            members = await world.get("/v1/user-organizations/", by, **{"organization-id": str(clinic)})
            # one's own memberships always
            assert (len(roles["data"]), len(members["data"])) == (shown, 1 if by is doc else shown)
