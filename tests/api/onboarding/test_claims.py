"""A person enters the organization that invited them: when they are confirmed, or with their code.

Rulings K8, K23, K99, K131, K138 and K142.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import time_machine

from domain.core.ports import save_resting_on
from domain.core.principal import SessionKind
from domain.onboarding.requests import OnboardingRequest
from domain.people.users import User
from tests.api.onboarding.test_requests import allowed, ask, count
from tests.support.tables import appended
from tests.support.world.product import PASSWORD, Person, World, a_world

SIGNED_UP: dict[str, Any] = {"auto-sign-up": True, "password": PASSWORD, "patient-email": "ann@people.test"}


async def the_request(world: World) -> OnboardingRequest:
    async with world.pool.connection() as connection:
        cursor = await connection.execute("SELECT request_id FROM claimable_requests WHERE NOT claimed")
        ((request_id,),) = await cursor.fetchall()
    return await world.identity.store.get(OnboardingRequest, request_id)


async def confirmed(world: World, user_id: UUID) -> User:
    """The user, confirmed in one append with the claim."""
    identity = world.identity
    user = await identity.store.get(User, user_id)
    user.confirm(email_verified=True)
    claimed = await identity.claims.of_confirmed(user)
    await save_resting_on(identity.store, user, *claimed.changed, unchanged=claimed.rests_on)
    return user


async def test_a_confirmed_patient_owns_the_individual_and_shares_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, group = await world.admin(north), await world.group(north)
        await ask(world, admin, north, **SIGNED_UP, **{"individual-group-id": str(group)})
        request = await the_request(world)
        user = await confirmed(world, request.user_id)
        request = await world.identity.store.get(OnboardingRequest, request.id)
        assert (request.status, request.claimed_by, request.individual_id) == ("claimed", user.id, user.individual_id)
        assert await allowed(world, user.id, f"individual:{user.individual_id}:write")
        assert await allowed(world, user.id, f"group:{group}:contain")
        assert await allowed(world, admin.user_id, f"individual:{user.individual_id}:write")
        assert await count(world, "SELECT count(*) FROM group_individuals") == 1
        await world.catch_up()
        shown = (await world.get(f"/v1/users/{user.id}/", world.system))["data"]["attributes"]
        assert (shown["registration-invite"], shown["state"]) == ("accepted", "confirmed")


async def test_a_confirmed_provider_gets_membership_roles_and_groups(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        group, gone = await world.group(north), await world.group(north)
        groups = [str(group), str(gone)]
        as_provider = {"onboard-type": "provider", "provider-roles": ["org.admin"], "individual-group-ids": groups}
        await ask(world, world.system, north, **SIGNED_UP, **as_provider)
        assert (await world.client.delete(f"/v1/individual-groups/{gone}/", headers=world.system.bearer)).is_success
        user = await confirmed(world, (await the_request(world)).user_id)
        assert await allowed(world, user.id, f"organization:{north}:write")
        assert await allowed(world, user.id, f"group:{group}:contain")
        assert await count(world, "SELECT count(*) FROM group_users") == 1


async def test_a_confirmation_leaves_the_request_of_an_inactive_organization_open(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        await ask(world, world.system, north, **SIGNED_UP)
        switched = {"type": "organizations", "id": str(north), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{north}/", {"data": switched}, world.system)
        request = await the_request(world)
        user = await confirmed(world, request.user_id)
        assert user.state == "confirmed"
        assert not (await the_request(world)).done


async def test_a_request_that_the_user_did_not_sign_up_for_stays_open(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        await ask(world, world.system, north, **SIGNED_UP)
        user_id = (await the_request(world)).user_id
        await ask(world, world.system, south, **{"patient-email": "ann@people.test"})
        user = await confirmed(world, user_id)
        request = await the_request(world)
        assert request.organization_id == south
        assert not await allowed(world, user.id, f"organization:{south}:read")


CLAIM = "/v1/onboarding-requests/claim/"


def code_of(world: World, request: dict[str, Any], channel: str = "email") -> str:
    """The code in the request's last invitation."""
    return world.identity.onboarding_requests.codes.code(UUID(request["last-invite"][channel]["id"]))


async def invited(world: World, by: Person, organization: UUID, person: Person, **attributes: Any) -> str:
    """The code of an invitation of somebody who has an account."""
    given = {"patient-email": person.email, "notifications": ["email"], **attributes}
    return code_of(world, await ask(world, by, organization, **given))


async def claim(world: World, by: Person, code: str) -> httpx2.Response:
    return await world.client.post(CLAIM, json={"referral-code": code}, headers=by.bearer)


def refusal(answer: httpx2.Response) -> tuple[int, str, Any]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["source"]


NOT_FOUND = (404, "not-found", {"pointer": "/referral-code"})


async def test_a_known_patient_claims_with_the_code_in_any_spelling(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, known = await world.admin(south), await world.patient(north)
        group = await world.group(south)
        code = await invited(world, admin, south, known, **{"individual-group-id": str(group)})
        answer = await claim(world, known, f" {code.lower().replace('-', '')} ")
        assert answer.status_code == 201, answer.text
        shown = answer.json()["data"]["attributes"]
        assert (shown["status"], shown["done"], shown["claimed-by"]) == ("claimed", True, str(known.user_id))
        assert (shown["patient"], shown["organization"]) == (str(known.individual_id), str(south))
        assert shown["last-invite"]["email"]["status"] == "responded"
        assert shown["last-invite"]["email"]["respond-time"] is not None
        assert int(answer.headers["x-position"]) == await world.identity.store.save()
        assert await allowed(world, admin.user_id, f"individual:{known.individual_id}:write")
        assert await allowed(world, known.user_id, f"group:{group}:contain")
        logs = await world.get("/v1/individual-group-logs/", admin, 200, **{"individual-group-id": group})
        assert [row["attributes"]["event"] for row in logs["data"]] == ["add"]


async def test_a_known_provider_joins_the_other_organization_with_their_roles(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.provider(north)
        as_provider = {"onboard-type": "provider", "provider-roles": ["org.admin"]}
        code = await invited(world, await world.admin(south), south, known, **as_provider)
        assert not await allowed(world, known.user_id, f"organization:{south}:read")
        assert (await claim(world, known, code)).status_code == 201
        assert await allowed(world, known.user_id, f"organization:{south}:write")


async def test_everything_of_a_claim_is_one_append(database_url: str) -> None:
    """Ruling K138."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known, group = await world.patient(north), await world.group(south)
        code = await invited(world, await world.admin(south), south, known, **{"individual-group-id": str(group)})
        before = await world.identity.store.save()
        answer = await claim(world, known, code)
        async with world.pool.connection() as connection:
            topics, transactions = await appended(connection, before, int(answer.headers["X-Position"]))
        assert transactions == 1
        assert topics >= {
            "onboarding-request.claimed",
            "onboarding-request.invitation-responded",
            "individual.shared-with-organization",
            "roster-entry.added",
        }


async def test_a_group_that_is_gone_is_left_out_of_a_claim(database_url: str) -> None:
    """Ruling K99."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known, group, gone = await world.patient(north), await world.group(south), await world.group(south)
        groups = {"individual-group-ids": [str(group), str(gone)]}
        code = await invited(world, await world.admin(south), south, known, **groups)
        assert (await world.client.delete(f"/v1/individual-groups/{gone}/", headers=world.system.bearer)).is_success
        assert (await claim(world, known, code)).status_code == 201
        assert await allowed(world, known.user_id, f"group:{group}:contain")
        assert not await allowed(world, known.user_id, f"group:{gone}:contain")


async def test_claiming_again_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        first = await claim(world, known, code)
        head = await world.identity.store.save()
        second = await claim(world, known, code)
        assert (second.status_code, second.json()["data"]) == (201, first.json()["data"])
        assert await world.identity.store.save() == head


async def test_two_claims_at_once_are_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        answers = await asyncio.gather(*(claim(world, known, code) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {201}
        claims = "SELECT count(*) FROM events JOIN claimable_requests ON originator_id = request_id"
        of_known = f"topic = 'onboarding-request.claimed' AND user_id = '{known.user_id}'"
        assert await count(world, f"{claims} WHERE {of_known}") == 2  # the one that brought them in, and this one


async def test_only_the_invited_person_claims_a_request(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known, other = await world.patient(north), await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        for by in (other, world.system, world.service):
            assert refusal(await claim(world, by, code)) == NOT_FOUND
        assert (await claim(world, known, code)).status_code == 201
        assert refusal(await claim(world, other, code)) == NOT_FOUND
        assert refusal(await claim(world, known, "0000-0000-0000-0000")) == NOT_FOUND


async def test_an_expired_code_is_unknown(database_url: str) -> None:
    async with a_world(database_url, referral_code_seconds=60) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
            assert refusal(await claim(world, await world.as_(known.user_id), code)) == NOT_FOUND


async def test_an_inactive_organization_refuses_claims(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        switched = {"type": "organizations", "id": str(south), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{south}/", {"data": switched}, world.system)
        assert refusal(await claim(world, known, code)) == (409, "invalid-state", {})


async def test_a_provider_does_not_become_a_patient(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        admin = await world.admin(south)
        code = await invited(world, admin, south, provider)
        assert refusal(await claim(world, provider, code)) == (409, "conflict", {})
        code = await invited(world, admin, south, patient, **{"onboard-type": "provider"})
        assert refusal(await claim(world, patient, code)) == (409, "user-is-participant", {})


async def test_a_provisional_user_claims_nothing_of_another_organization(database_url: str) -> None:
    """Ruling O1: they sign up with the code instead, which replaces the password that an administrator chose."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        at_once = {"auto-sign-up": True, "auto-confirm": True, "password": PASSWORD, "patient-email": "ann@people.test"}
        made = await ask(world, await world.admin(north), north, **at_once)
        ann = await world.as_(UUID(made["claimed-by"]))
        code = await invited(world, await world.admin(south), south, ann)
        assert refusal(await claim(world, ann, code)) == (409, "invalid-state", {})


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_claim_nothing(database_url: str, kind: SessionKind) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        acting = await world.borrowed(known, kind)
        for tried in (code, "0000-0000-0000-0000"):
            assert refusal(await claim(world, acting, tried)) == (403, "impersonation-not-allowed", {})


async def test_claims_that_find_nothing_are_counted_by_address(database_url: str) -> None:
    async with a_world(database_url, lookup_misses_address=4) as world:  # without Redis half of it counts
        north, south = await world.organization(), await world.organization()
        known = await world.patient(north)
        code = await invited(world, await world.admin(south), south, known)
        for _ in range(3):
            assert (await claim(world, known, code)).status_code == 201
        guesses = [await claim(world, known, f"0000-0000-0000-000{number}") for number in range(3)]
        assert [answer.status_code for answer in guesses] == [404, 404, 429]
        assert 0 < int(guesses[-1].headers["retry-after"]) <= 900
        assert (await claim(world, known, code)).status_code == 429


async def test_a_code_is_at_most_twenty_characters(database_url: str) -> None:
    """Ruling K149."""
    async with a_world(database_url, projecting=False) as world:
        code = "7" * 21
        answer = await claim(world, world.system, code)
        assert refusal(answer) == (400, "invalid-attribute", {"pointer": "/referral-code"})
        assert code not in answer.text
        assert refusal(await claim(world, world.system, "7" * 20)) == NOT_FOUND
