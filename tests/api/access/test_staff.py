"""Who is one of the platform operator's own people: by classification and by membership (ruling O4)."""

from uuid import UUID

from domain.access.roles import SYSTEM_ADMIN, role_id
from domain.core.ports import AccessQuery
from domain.organizations.organizations import OPERATOR_ID
from tests.support.world.product import PASSWORD, Person, World, a_world

NOBODY = (404, 403, [False, False])
STAFF = (200, 200, [True, False])
SYSTEM = (200, 200, [True, True])


async def standing(world: World, person: Person, elsewhere: UUID) -> tuple[int, int, list[bool]]:
    """What being staff opens: a foreign organization, the replicators, and reading and writing the system."""
    asked = (f"/v1/organizations/{elsewhere}/", "/v1/replicators/")
    read, listed = [(await world.client.get(path, headers=person.bearer)).status_code for path in asked]
    queries = [AccessQuery("system", "any", "read"), AccessQuery("system", "any", "write")]
    return read, listed, await world.services.access.decide(person.user_id, queries)


async def change_membership(world: World, operation: str, organization: UUID, person: Person, **more: str) -> None:
    body = {"data": {"type": "organizations", "attributes": {"user-id": str(person.user_id), **more}}}
    await world.post(f"/v1/organizations/{organization}/{operation}-user/", body, world.system)


async def leave(world: World, organization: UUID, person: Person) -> Person:
    """Return the person in a new session, after they left the organization."""
    await change_membership(world, "remove", organization, person)
    return await world.as_(person.user_id)


async def reclassify(world: World, organization: UUID, classification: str) -> None:
    change = {"type": "organizations", "id": str(organization), "attributes": {"classification": classification}}
    await world.patch(f"/v1/organizations/{organization}/", {"data": change}, world.system)


async def test_staff_rights_end_with_the_last_staffed_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere, clinic = await world.organization(), await world.organization()
        second = await world.organization(classification="carium")
        employee = await world.provider(OPERATOR_ID)
        for organization in (second, clinic):
            await change_membership(world, "add", organization, employee)
        employee = await world.as_(employee.user_id)
        assert await standing(world, employee, elsewhere) == STAFF
        employee = await leave(world, OPERATOR_ID, employee)
        assert await standing(world, employee, elsewhere) == STAFF
        employee = await leave(world, second, employee)
        assert await standing(world, employee, elsewhere) == NOBODY
        await change_membership(world, "add", second, employee)
        assert await standing(world, employee, elsewhere) == STAFF


async def test_an_open_session_loses_staff_rights_too(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere, clinic = await world.organization(), await world.organization(classification="carium")
        employee = await world.provider(clinic)
        await reclassify(world, clinic, "customer")  # where the session is, which outlives the other membership
        await change_membership(world, "add", OPERATOR_ID, employee)
        assert await standing(world, employee, elsewhere) == STAFF
        await change_membership(world, "remove", OPERATOR_ID, employee)
        assert await standing(world, employee, elsewhere) == NOBODY


async def test_a_system_administrator_loses_the_rights_with_the_operator(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere = await world.organization()
        second = await world.organization(classification="carium")
        colleague = await world.provider(OPERATOR_ID)
        role = {"role-id": str(role_id(OPERATOR_ID, SYSTEM_ADMIN))}
        await change_membership(world, "add", second, colleague)
        await change_membership(world, "add", OPERATOR_ID, colleague, **role)
        assert await standing(world, colleague, elsewhere) == SYSTEM
        for organization, left in ((OPERATOR_ID, STAFF), (second, NOBODY)):
            colleague = await leave(world, organization, colleague)
            assert await standing(world, colleague, elsewhere) == left


async def test_the_membership_alone_makes_no_staff(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere, clinic = await world.organization(), await world.organization()
        provider = await world.provider(clinic)
        await change_membership(
            world, "add", OPERATOR_ID, provider, **{"role-id": str(role_id(OPERATOR_ID, SYSTEM_ADMIN))}
        )
        assert await standing(world, provider, elsewhere) == NOBODY


async def test_an_organization_that_loses_its_classification_takes_the_rights_along(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere, second = await world.organization(), await world.organization(classification="carium")
        employee = await world.provider(second)
        assert await standing(world, employee, elsewhere) == STAFF
        await reclassify(world, second, "customer")
        assert await standing(world, employee, elsewhere) == NOBODY
        await reclassify(world, second, "carium")
        assert await standing(world, employee, elsewhere) == STAFF


async def test_a_staffed_organization_has_no_patients(database_url: str) -> None:
    """Ruling K3."""
    async with a_world(database_url) as world:
        for organization in (OPERATOR_ID, await world.organization(classification="carium")):
            given = {
                "organization": str(organization),
                "onboard-type": "patient",
                "patient-email": "ann@people.test",
                "auto-sign-up": True,
                "auto-confirm": True,
                "password": PASSWORD,
            }
            body = {"data": {"type": "onboarding-requests", "attributes": given}}
            (error,) = (await world.post("/v1/onboarding-requests/", body, world.system, 409))["errors"]
            assert (error["code"], error["source"]) == ("conflict", {"pointer": "/data/attributes/organization"})


async def test_the_patients_of_an_organization_that_becomes_staffed_are_no_staff(database_url: str) -> None:
    async with a_world(database_url) as world:
        elsewhere, clinic = await world.organization(), await world.organization()
        patient = await world.patient(clinic)
        await reclassify(world, clinic, "carium")
        assert await standing(world, patient, elsewhere) == NOBODY
        shown = await world.get(f"/v1/users/{patient.user_id}/", world.system)
        assert shown["data"]["attributes"]["classification"] == "customer"
