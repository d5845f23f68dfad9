"""Bringing people in, and what that must not tell."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.core.ports import AccessQuery
from tests.support.world.product import PASSWORD, Person, World, a_world

AT_ONCE: dict[str, Any] = {"auto-sign-up": True, "auto-confirm": True, "password": PASSWORD}


async def ask(world: World, by: Person, organization: UUID, status: int = 201, /, **attributes: Any) -> Any:
    given = {"organization": str(organization), "onboard-type": "patient", "notifications": [], **attributes}
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    answer = await world.post("/v1/onboarding-requests/", body, by, status)
    return answer["data"]["attributes"] if status == 201 else answer["errors"][0]


async def allowed(world: World, user_id: Any, query: str) -> bool:
    kind, resource_id, operation = query.split(":")
    asked = AccessQuery(kind, UUID(resource_id), operation)  # type: ignore[arg-type]  # a test's own text
    return all(await world.services.access.decide(UUID(str(user_id)), [asked]))


async def count(world: World, query: str) -> int:
    async with world.pool.connection() as connection:
        row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_patient_is_brought_in_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        claimed = await ask(world, admin, north, **AT_ONCE, **{"patient-email": "ann@people.test"})
        assert (claimed["status"], claimed["done"], claimed["patient-email"]) == ("claimed", True, "ann@people.test")
        assert claimed["created-by"] == str(admin.user_id)
        assert claimed["claimed-time"] is not None
        assert await allowed(world, claimed["claimed-by"], f"individual:{claimed['patient']}:write")
        assert await allowed(world, admin.user_id, f"individual:{claimed['patient']}:write")
        user = (await world.get(f"/v1/users/{claimed['claimed-by']}/", admin))["data"]["attributes"]
        assert (user["state"], user["email-verified"], user["registration-invite"]) == ("confirmed", False, "accepted")
        assert (user["auto-sign-up"], user["auto-confirm"]) == (True, True)
        assert user["classification"] == "customer"
        assert user["shared-with"][0]["id"] == str(north)


async def test_a_provider_is_brought_in_at_once_with_roles_and_groups(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, group = await world.admin(north), await world.group(north)
        claimed = await ask(
            world,
            admin,
            north,
            **AT_ONCE,
            **{
                "onboard-type": "provider",
                "patient-email": "doc@people.test",
                "provider-roles": ["org.admin"],
                "individual-group-ids": [str(group)],
            },
        )
        provider = claimed["claimed-by"]
        assert claimed["provider-roles"] == ["org.admin"]
        assert await allowed(world, provider, f"organization:{north}:write")
        assert await allowed(world, provider, f"group:{group}:contain")
        assert await allowed(world, provider, f"individual:{claimed['patient']}:write")
        assert not await allowed(world, admin.user_id, f"individual:{claimed['patient']}:read")


async def test_without_auto_sign_up_the_organization_owns_the_individual(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, group = await world.admin(north), await world.group(north)
        preferences = {"email": {"marketing": False}}
        request = await ask(
            world,
            admin,
            north,
            **{
                "patient-email": "ann@people.test",
                "individual-group-id": str(group),
                "communication-preferences": preferences,
            },
        )
        assert (request["status"], request["done"], request["claimed-by"], request["patient"]) == (
            "created",
            False,
            None,
            None,
        )
        people = {"include-participants": "true", "include-unverified": "true"}
        query = {"email": "ann@people.test", **{f"filter[{name}]": value for name, value in people.items()}}
        (user,) = (await world.get("/v1/users/", world.system, **query))["data"]
        assert (user["attributes"]["state"], user["attributes"]["registered"]) == ("init", False)
        assert user["attributes"]["communication-preferences"]["email"] == {"marketing": False}
        individual = user["attributes"]["primary-individual-id"]
        assert await allowed(world, admin.user_id, f"individual:{individual}:write")
        assert not await allowed(world, user["id"], f"individual:{individual}:read")
        assert await count(world, "SELECT count(*) FROM group_individuals") == 1


async def test_signing_up_without_confirming_registers(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        request = await ask(
            world, world.system, north, **{"patient-email": "a@p.test", "auto-sign-up": True, "password": PASSWORD}
        )
        assert (request["status"], request["done"]) == ("registering", False)
        assert request["registering-time"] is not None


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_an_administrator_cannot_onboard_a_known_user(database_url: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, known = await world.admin(south), await world.patient(north, "ann@people.test")
        request = await ask(
            world, admin, south, **AT_ONCE, **{"patient-email": "ANN@people.test", "onboard-type": onboard_type}
        )
        assert (request["status"], request["claimed-by"], request["patient"]) == ("created", None, None)
        assert not await allowed(world, admin.user_id, f"individual:{known.individual_id}:read")
        assert not await allowed(world, known.user_id, f"organization:{south}:read")
        await world.get(f"/v1/users/{known.user_id}/", admin, 404)
        shown = (await world.get(f"/v1/users/{known.user_id}/", world.system))["data"]["attributes"]
        assert [each["id"] for each in shown["shared-with"]] == [str(north)]


async def test_a_service_onboards_a_known_patient_and_keeps_the_password(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north, "ann@people.test")
        other = {**AT_ONCE, "password": "another-walrus-78"}
        claimed = await ask(world, world.service, south, **other, **{"patient-email": "ann@people.test"})
        assert (claimed["claimed-by"], claimed["patient"]) == (str(known.user_id), str(known.individual_id))
        answer = await world.client.post("/v1/login/", json={"username": known.email, "password": PASSWORD})
        assert answer.status_code == 201
        shown = (await world.get(f"/v1/users/{known.user_id}/", world.system))["data"]["attributes"]
        assert {each["id"] for each in shown["shared-with"]} == {str(north), str(south)}


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_asking_again_after_the_claim_doubles_nothing(database_url: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        asked = {**AT_ONCE, "patient-email": "ann@people.test", "onboard-type": onboard_type}
        claims = [await ask(world, by, north, **asked) for by in [await world.admin(north)] * 3 + [world.system]]
        assert len({(claim["claimed-by"], claim["patient"], claim["status"]) for claim in claims}) == 1
        assert claims[0]["status"] == "claimed"
        of_ann = f"FROM access_individuals WHERE owner_id = '{claims[0]['claimed-by']}'"
        assert await count(world, f"SELECT count(*) {of_ann}") == 1
        shares = f"SELECT count(*) FROM individual_organizations WHERE individual_id IN (SELECT individual_id {of_ann})"
        assert await count(world, shares) == (1 if onboard_type == "patient" else 0)


async def test_an_open_request_for_the_same_person_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        await ask(world, world.system, north, **{"patient-email": "ann@people.test", "phone-number": "+16505550100"})
        for contact in ({"patient-email": "Ann@people.test"}, {"phone-number": "+16505550100"}):
            refusal = await ask(world, world.system, north, 409, **contact)
            assert refusal["code"] == "already-exists"
        assert (await ask(world, world.system, south, **{"patient-email": "ann@people.test"}))["status"] == "created"


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_two_calls_at_once_make_one_user(database_url: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        for by in (world.system, admin):
            email = f"{uuid4().hex}@people.test"
            given = {**AT_ONCE, "organization": str(north), "onboard-type": onboard_type, "patient-email": email}
            body = {"data": {"type": "onboarding-requests", "attributes": given}}
            answers = await asyncio.gather(*(world.post("/v1/onboarding-requests/", body, by) for _ in range(6)))
            assert len({answer["data"]["attributes"]["claimed-by"] for answer in answers} | {None}) == 2


async def test_one_of_several_concurrent_requests_gets_the_individual(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        record = str(await world.individual(north))

        async def give(name: str) -> int:
            email = f"{name}@people.test"
            given = {**AT_ONCE, "organization": str(north), "onboard-type": "patient", "patient-email": email}
            body = {"data": {"type": "onboarding-requests", "attributes": {**given, "patient": record}}}
            headers = world.system.bearer
            return (await world.client.post("/v1/onboarding-requests/", json=body, headers=headers)).status_code

        assert sorted(await asyncio.gather(*map(give, ("ann", "bob", "eve")))) == [201, 409, 409]


async def test_a_retry_gets_the_answer_of_the_first_call(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        given = {**AT_ONCE, "organization": str(north), "onboard-type": "patient", "patient-email": "ann@people.test"}
        body = {"data": {"type": "onboarding-requests", "attributes": given}}
        headers = world.system.bearer | {"Idempotency-Key": "one"}
        first, second = [
            await world.client.post("/v1/onboarding-requests/", json=body, headers=headers) for _ in range(2)
        ]
        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()
        assert await count(world, "SELECT count(*) FROM user_onboarding_requests") == 1


async def test_an_existing_individual_becomes_its_persons(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, group = await world.admin(north), await world.group(north)
        individual = await world.individual(north)
        body = {"individual-ids": [str(individual)]}
        await world.post(f"/v1/individual-groups/{group}/add-individuals/", body, admin)
        claimed = await ask(
            world, admin, north, **AT_ONCE, **{"patient": str(individual), "patient-email": "ann@people.test"}
        )
        assert claimed["patient"] == str(individual)
        assert await allowed(world, claimed["claimed-by"], f"individual:{individual}:write")
        assert await allowed(world, admin.user_id, f"individual:{individual}:write")
        assert await count(world, "SELECT count(*) FROM group_individuals") == 1


async def test_an_unclaimed_provider_owns_nothing_readable(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        await ask(world, admin, north, **{"patient-email": "doc@people.test", "onboard-type": "provider"})
        groups = {"organization-id": str(north), "type": ["all_participants", "unassigned"]}
        await world.catch_up()
        rows = (await world.get("/v2/individual-groups/", admin, **groups))["data"]
        assert [row["attributes"]["individuals-count"] for row in rows] == [0, 0]
        query = {"operation": "read", "user-id": str(admin.user_id)}
        found = await world.get("/v1/authz-individuals/", admin, **query)
        assert found["resource-ids"] == [str(admin.individual_id)]
