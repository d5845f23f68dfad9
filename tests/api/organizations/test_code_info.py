"""What everybody may know of an organization code (rulings K3, K23, K107)."""

import pytest

from tests.api.organizations.templates import changed, created, deactivated
from tests.api.organizations.test_enrollment_codes import FUTURE, INFO, KIND, PAST, PATH, SCHEMA, a_code, named_clinic
from tests.support.world.product import World, a_world


async def test_callers_without_a_token_learn_the_organization_and_its_questions(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await named_clinic(world)
        await a_code(world, clinic, "North-1", enrollment_schema=SCHEMA, expires_at=FUTURE)
        await a_code(world, clinic, "North-2")
        for bearer in ({}, {"Authorization": "Bearer x"}, (await world.patient(clinic)).bearer):
            answer = await world.client.get(f"{INFO}nORTH-1/", headers=bearer)
            assert answer.status_code == 200
            organization = {"display-name": "The clinic", "logo-url": None, "name": "clinic"}
            assert answer.json()["data"] == {
                "type": "organization-code-info",
                "id": "North-1",
                "attributes": {"enrollment-schema": SCHEMA, "organization": organization},
            }
        second = (await world.client.get(f"{INFO}North-2/")).json()
        assert second["data"]["attributes"]["enrollment-schema"] is None


async def a_closed_code(world: World, why: str) -> None:
    clinic = await world.organization()
    await a_code(world, clinic)
    match why:
        case "expired":
            await world.patch(f"{PATH}North-1/", changed(KIND, "North-1", expires_at=PAST), world.system)
        case "deleted":
            assert (await world.client.delete(f"{PATH}North-1/", headers=world.system.bearer)).status_code == 204
        case "inactive":
            await deactivated(world, clinic)
        case "staffed":
            body = changed("organizations", str(clinic), classification="carium")
            await world.patch(f"/v1/organizations/{clinic}/", body, world.system)


@pytest.mark.parametrize("why", ["expired", "deleted", "inactive", "staffed"])
async def test_a_closed_code_is_answered_like_an_unknown_one(database_url: str, why: str) -> None:
    async with a_world(database_url) as world:
        await a_closed_code(world, why)
        closed, unknown = await world.client.get(f"{INFO}North-1/"), await world.client.get(f"{INFO}North-9/")
        assert closed.status_code == unknown.status_code == 404
        assert closed.content == unknown.content
        assert closed.json()["errors"][0]["source"] == {"parameter": "id"}


async def test_only_misses_of_an_address_are_counted(database_url: str) -> None:
    """Ruling K23."""
    async with a_world(database_url, projecting=False, lookup_misses_address=6) as world:
        body = created(KIND, id="North-1", organization_id=str(await world.organization()))
        await world.post(PATH, body, world.system)
        for _ in range(8):
            assert (await world.client.get(f"{INFO}North-1/")).status_code == 200
        # without Redis a process applies half of each limit
        statuses = [(await world.client.get(f"{INFO}unknown-{n}/")).status_code for n in range(4)]
        assert statuses == [404, 404, 404, 429]
        refused = await world.client.get(f"{INFO}North-1/")
        assert refused.status_code == 429
        assert refused.json()["errors"][0]["code"] == "too-many-requests"
        assert 1 <= int(refused.headers["Retry-After"]) <= 900
