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


async def test_an_individual_of_another_owner_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, known = await world.admin(north), await world.patient(north)
        for individual, status in ((known.individual_id, 409), (uuid4(), 404)):
            refusal = await ask(
                world, admin, north, status, **{"patient": str(individual), "patient-email": "ann@people.test"}
            )
            assert refusal["source"] == {"pointer": "/data/attributes/patient"}


async def test_providers_bring_in_patients_of_their_organization_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        assert (await ask(world, provider, north, **{"patient-email": "ann@people.test"}))["status"] == "created"
        other = {"patient-email": "bob@people.test"}
        assert (await ask(world, provider, south, 404, **other))["code"] == "not-found"
        assert (await ask(world, patient, north, 404, **other))["code"] == "not-found"
        for refused in (
            {"onboard-type": "provider"},
            AT_ONCE,
            {"auto-confirm": True},
            {"auto-sign-up": True, "password": PASSWORD},
        ):
            assert (await ask(world, provider, north, 403, **other, **refused))["code"] == "forbidden"


async def test_groups_must_be_writable_and_of_the_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, admin = await world.provider(north), await world.admin(north)
        group, foreign = await world.group(north), await world.group(south)
        closed = await world.group(north, type="provider_only")
        for by, named, status, code in (
            (provider, group, 404, "not-found"),
            (admin, foreign, 404, "not-found"),
            (world.system, foreign, 409, "conflict"),
            (admin, closed, 409, "group-provider-only"),
        ):
            refusal = await ask(
                world, by, north, status, **{"patient-email": "ann@p.test", "individual-group-ids": [str(named)]}
            )
            assert (refusal["code"], refusal["source"]["pointer"]) == (code, "/data/attributes/individual-group-ids")


async def test_only_system_administrators_onboard_into_the_operator_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        operator = UUID((await world.post("/v1/authenticate/", {}, world.system))["data"]["organization-id"])
        staff = {"onboard-type": "provider", **AT_ONCE}
        claimed = await ask(world, world.system, operator, **staff, **{"patient-email": "staff@people.test"})
        member = await world.as_(UUID(claimed["claimed-by"]))
        user = (await world.get(f"/v1/users/{member.user_id}/", world.system))["data"]["attributes"]
        assert user["classification"] == "carium"
        for by in (world.service, member):
            refusal = await ask(world, by, operator, 403, **staff, **{"patient-email": "more@people.test"})
            assert refusal["code"] == "forbidden"
        north = await world.organization()
        refusal = await ask(world, member, north, 403, **{"patient-email": "more@people.test"})
        assert refusal["code"] == "forbidden"  # staff see every organization and work in none of them


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


async def test_a_provider_is_no_patient(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        refusal = await ask(world, world.system, north, 409, **AT_ONCE, **{"patient-email": provider.email})
        assert refusal["code"] == "conflict"
        as_provider = {"onboard-type": "provider", "patient-email": patient.email}
        refusal = await ask(world, world.system, north, 409, **AT_ONCE, **as_provider)
        assert refusal["code"] == "user-is-participant"
        await ask(world, world.system, north, **{"patient-email": "ahead@people.test"})
        south, as_provider = await world.organization(), {**as_provider, "patient-email": "ahead@people.test"}
        refusal = await ask(world, world.system, south, 409, **AT_ONCE, **as_provider)
        assert refusal["code"] == "user-is-participant"  # north keeps the record, which its patient has yet to claim


async def test_a_disabled_person_does_not_come_in_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        ann = await world.patient(north, "disabled@people.test")
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        contact = {"patient-email": "disabled@people.test"}
        refusal = await ask(world, world.service, south, 409, **AT_ONCE, **contact)
        assert refusal["code"] == "invalid-state"
        told = await ask(world, await world.admin(south), south, **AT_ONCE, **contact)
        assert (told["status"], told["claimed-by"]) == ("created", None)


@pytest.mark.parametrize(
    ("inviting", "onboard_type"), [("admin", "patient"), ("admin", "provider"), ("provider", "patient")]
)
async def test_an_invitation_does_not_reveal_known_users(database_url: str, inviting: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        by = await (world.admin(north) if inviting == "admin" else world.provider(north))
        people = [await world.patient(south), await world.provider(south), await world.patient(north), world.system]
        await world.post(f"/v1/users/{people[0].user_id}/disable/", {}, world.system)
        await ask(world, world.system, south, **{"patient-email": "ahead@people.test"})
        told = []
        for email in [*(person.email for person in people), "ahead@people.test", "nobody@people.test"]:
            given = {"organization": str(north), "onboard-type": onboard_type, "patient-email": email}
            body = {"data": {"type": "onboarding-requests", "attributes": given}}
            answer = await world.client.post("/v1/onboarding-requests/", json=body, headers=by.bearer)
            shown = answer.json()["data"]["attributes"]
            assert shown.pop("patient-email") == email
            assert shown["last-invite"]["email"].pop("id")  # chosen at random
            shown["last-invite"]["email"].pop("created-time")
            told.append((answer.status_code, sorted(answer.headers), {**shown, "created-time": None}))
        assert told == [told[-1]] * len(told)


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({"auto-sign-up": True}, "password", "missing-attribute"),
        ({"auto-sign-up": True, "password": "short"}, "password", "weak-password"),
        ({"auto-sign-up": True, "password": "password123"}, "password", "weak-password"),
        ({"auto-sign-up": True, "password": "ann@people.test"}, "password", "weak-password"),
        ({"password": PASSWORD}, "password", "invalid-attribute"),
        ({"provider-roles": ["org.admin"]}, "provider-roles", "invalid-attribute"),
        ({"onboard-type": "provider", "patient": str(uuid4())}, "patient", "invalid-attribute"),
        ({"onboard-type": "boss"}, "onboard-type", "invalid-attribute"),
        ({"phone-number": "12"}, "phone-number", "invalid-attribute"),
        ({"first-name": "Ann"}, "first-name", "invalid-attribute"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, dict) else "-".join(value),
)
async def test_contradictory_attributes_are_refused(
    database_url: str, attributes: dict[str, Any], pointer: str, code: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        north = await world.organization()  # passwords are judged once the caller is known to be allowed (ruling O8)
        refusal = await ask(world, world.system, north, 400, **{"patient-email": "ann@people.test", **attributes})
        assert (refusal["source"], refusal["code"]) == ({"pointer": f"/data/attributes/{pointer}"}, code)


async def test_a_role_that_is_not_there_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        roles = {"onboard-type": "provider", "patient-email": "doc@people.test", "provider-roles": ["boss"]}
        refusal = await ask(world, world.system, north, 409, **roles)
        assert refusal["source"] == {"pointer": "/data/attributes/provider-roles"}


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_an_inactive_organization_onboards_no_user(database_url: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        switched = {"type": "organizations", "id": str(north), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{north}/", {"data": switched}, world.system)
        asked = {"onboard-type": onboard_type, "patient-email": "ann@people.test"}
        for by, status, code in (
            (world.system, 409, "invalid-state"),
            (world.service, 409, "invalid-state"),
            (admin, 404, "not-found"),
        ):
            refusal = await ask(world, by, north, status, **asked)
            assert (refusal["code"], refusal["source"]) == (code, {"pointer": "/data/attributes/organization"})


async def test_a_request_needs_a_contact(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await ask(world, world.system, uuid4(), 400)
        assert refusal["code"] == "missing-attribute"
