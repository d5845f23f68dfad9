"""Taking over accounts without a verified contact."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.api.people.test_planted_accounts import EMAIL, NAME, PHONE, PLANTED, REAL, allowed, clinics, log_in, onboard
from tests.support.world.product import a_world

pytestmark = pytest.mark.slow


async def test_a_verified_person_is_meant_rather_than_a_planted_account(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        await onboard(world, admin, first, PLANTED, **EMAIL)
        real = await onboard(world, world.system, first, REAL, **PHONE)
        claimed = await onboard(world, world.service, second, "other-zebra-trumpet-2", **EMAIL, **PHONE)
        assert claimed["claimed-by"] == real["claimed-by"]
        assert (await log_in(world, PHONE, REAL)).status_code == 201
        assert not await allowed(world, real["claimed-by"], f"organization:{first}:write")


async def test_a_verified_account_keeps_its_password(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        account = await onboard(world, world.service, first, REAL, **EMAIL)
        for by, organization in ((world.service, second), (world.system, second), (admin, first)):
            again = await onboard(world, by, organization, PLANTED, **EMAIL)
            assert again["claimed-by"] == account["claimed-by"]
        assert [(await log_in(world, EMAIL, password)).status_code for password in (PLANTED, REAL)] == [401, 201]


async def test_the_first_organization_asking_again_changes_no_password(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, _, admin = await clinics(world)
        account = await onboard(world, admin, first, PLANTED, **EMAIL)
        again = await onboard(world, admin, first, REAL, **EMAIL)
        assert (again["status"], again["claimed-by"]) == ("claimed", account["claimed-by"])
        assert [(await log_in(world, EMAIL, password)).status_code for password in (PLANTED, REAL)] == [201, 401]


async def test_lists_show_users_with_a_login_or_verified_contact(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, _, admin = await clinics(world)
        confirmed = await onboard(world, admin, first, PLANTED, **EMAIL)
        await onboard(world, admin, first, None, **PHONE, **{"onboard-type": "provider"})
        everybody = {"filter[include-participants]": "true"}
        shown = {row["id"]: row for row in (await world.get("/v1/users/", world.system, **everybody))["data"]}
        assert set(shown) == {str(world.system.user_id), str(admin.user_id), confirmed["claimed-by"]}
        assert shown[confirmed["claimed-by"]]["attributes"]["email-verified"] is False
        found = await world.get("/v1/users/", world.system, **everybody, **{"filter[include-unverified]": "true"})
        assert len(found["data"]) == 4


@pytest.mark.parametrize(
    "username",
    [
        *("victim@people.test", "\uff56ictim\uff20people.test", "+16505550123", "+1 650-555-0123", "a+@b", "+1"),
        *("an n", "an\u200bn", "an\u202en", "an\u3164n", "an\x07n", "an\u0378n", "an\u00a0n"),
    ],
    ids=ascii,
)
async def test_a_user_name_is_neither_a_foreign_address_nor_unreadable(database_url: str, username: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        own: dict[str, str] = {"patient-email": "own@people.test", "phone-number": "+16505550100"}
        refusal = await onboard(world, world.system, uuid4(), PLANTED, 400, **own, username=username)
        assert (refusal["code"], refusal["source"]) == (
            "invalid-attribute",
            {"pointer": "/data/attributes/username"},
        )


async def test_a_person_is_not_found_by_a_user_name_beside_a_contact(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        await onboard(world, admin, first, PLANTED, **EMAIL, **NAME)
        refusal = await onboard(world, world.service, second, REAL, 409, **PHONE, **NAME)
        assert (refusal["code"], refusal["source"]) == ("already-exists", {"pointer": "/data/attributes/username"})
        claimed = await onboard(world, world.service, second, REAL, **PHONE)
        assert (await log_in(world, PHONE, REAL)).status_code == 201
        assert not await allowed(world, claimed["claimed-by"], f"organization:{first}:read")


@pytest.mark.parametrize("by", ["service", "system"])
@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
@pytest.mark.parametrize("known", [False, True])
async def test_an_open_request_is_claimed_by_an_onboarding_at_once(
    database_url: str, known: bool, onboard_type: str, by: str
) -> None:
    kind = {"onboard-type": onboard_type}
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        group = await world.group(first)
        asked: dict[str, Any] = {"individual-group-ids": [str(group)]}
        if onboard_type == "provider":
            asked["provider-roles"] = ["org.admin"]
        if known:
            await onboard(world, world.service, second, REAL, **EMAIL, **kind)
        opened = await onboard(world, admin, first, None, **EMAIL, **kind, **asked)
        assert opened["status"] == "created"
        inviter = world.service if by == "service" else world.system
        claimed = await onboard(world, inviter, first, REAL, **EMAIL, **kind)
        assert (claimed["status"], claimed["created-by"]) == ("claimed", str(admin.user_id))
        assert (await log_in(world, EMAIL, REAL)).status_code == 201
        # what the administrator asked for is given with it
        assert await allowed(world, claimed["claimed-by"], f"group:{group}:contain")
        if onboard_type == "provider":
            assert await allowed(world, claimed["claimed-by"], f"organization:{first}:write")
        again = await onboard(world, inviter, first, REAL, **EMAIL, **kind)
        assert again["claimed-by"] == claimed["claimed-by"]


async def test_an_open_request_of_the_other_kind_is_claimed_too(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        await onboard(world, world.service, second, REAL, **EMAIL)
        await onboard(world, admin, first, None, **EMAIL, **{"onboard-type": "provider"})
        claimed = await onboard(world, world.service, first, REAL, **EMAIL)
        assert (claimed["status"], claimed["onboard-type"]) == ("claimed", "patient")
        again = await onboard(world, admin, first, REAL, **EMAIL)
        assert (again["status"], again["claimed-by"]) == ("claimed", claimed["claimed-by"])


async def test_the_later_of_two_concurrent_takeovers_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        third = await world.organization()
        account = await onboard(world, admin, first, PLANTED, **EMAIL)
        passwords = {second: REAL, third: "later-badger-tuba-5"}
        claims = await asyncio.gather(
            *(
                onboard(world, world.service, organization, password, **EMAIL)
                for organization, password in passwords.items()
            )
        )
        assert {claim["claimed-by"] for claim in claims} == {account["claimed-by"]}
        opened = [(await log_in(world, EMAIL, password)).status_code for password in (PLANTED, *passwords.values())]
        assert opened[0] == 401
        assert sorted(opened[1:]) == [201, 401]


async def test_a_session_opened_while_the_account_is_taken_over_ends(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        await onboard(world, admin, first, PLANTED, **EMAIL)
        answers = await asyncio.gather(
            onboard(world, world.service, second, REAL, **EMAIL), *(log_in(world, EMAIL, PLANTED) for _ in range(5))
        )
        for answer in answers[1:]:
            if answer.status_code == 201:
                stolen = {"Authorization": f"Bearer {answer.json()['access-token']}"}
                refused = await world.client.post("/v1/authenticate/", json={}, headers=stolen)
                assert refused.status_code == 401


async def test_an_administrator_still_meets_their_open_request(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, _, admin = await clinics(world)
        await onboard(world, admin, first, None, **EMAIL)
        refusal = await onboard(world, admin, first, REAL, 409, **EMAIL)
        assert refusal["code"] == "already-exists"
