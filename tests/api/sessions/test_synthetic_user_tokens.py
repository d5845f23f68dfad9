"""Tokens with which services act as users (semantics 7, rulings K59, K126, K127, K131, K141 and K145)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine

from domain.organizations.organizations import OPERATOR_ID
from domain.sessions.synthetic_user_tokens import OWN_CLAIMS
from tests.api.sessions.test_lifetimes import named
from tests.api.sessions.test_sessions import bearer, code, log_in, whoami
from tests.api.sessions.test_switching import set_active
from tests.api.sessions.test_tokens import read_token
from tests.support.world.product import Person, World, a_world

PATH = "/v1/synthetic-user-tokens/"


async def issued(world: World, user_id: UUID, status: int = 201, /, *, by: Any = None, **options: Any) -> Any:
    data = {"user-id": str(user_id), **{name.replace("_", "-"): value for name, value in options.items()}}
    return await world.post(PATH, {"data": data}, by or world.service, status)


async def test_a_service_acts_as_the_user_for_half_an_hour(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        ann = await world.provider(north)
        answer = await world.client.post(
            PATH, json={"data": {"user-id": str(ann.user_id)}}, headers=world.service.bearer
        )
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert "x-position" not in answer.headers
        data = answer.json()["data"]
        assert data.keys() == {"access-token", "expiration-secs", "expiration-time", "session-id"}
        assert data["expiration-secs"] == 1800
        ends = datetime.strptime(data["expiration-time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs((ends - datetime.now(UTC)).total_seconds() - 1800) < 5
        known = (await whoami(world, data["access-token"]))["data"]
        assert (known["user-id"], known["organization-id"]) == (str(ann.user_id), str(north))
        assert known["session-id"] == data["session-id"]
        with time_machine.travel(timedelta(seconds=1831)):
            assert code(await whoami(world, data["access-token"], 401)) == "token-expired"


async def test_only_services_issue_synthetic_tokens(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        ann, admin, staff = await world.provider(north), await world.admin(north), await world.provider(OPERATOR_ID)
        for person in (ann, admin, staff, world.system):
            assert code(await issued(world, ann.user_id, 403, by=person)) == "forbidden"


async def test_unknown_users_services_and_staff_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff = await world.provider(OPERATOR_ID)
        refusals = ((uuid4(), 404), (world.service.user_id, 404), (staff.user_id, 403), (world.system.user_id, 403))
        for user_id, status in refusals:
            (error,) = (await issued(world, user_id, status))["errors"]
            assert error["source"] == {"pointer": "/data/user-id"}


async def test_disabled_staff_are_refused_as_staff(database_url: str) -> None:
    """Ruling K126."""
    async with a_world(database_url) as world:
        staff = await world.provider(OPERATOR_ID)
        await world.post(f"/v1/users/{staff.user_id}/disable/", {}, world.system)
        assert code(await issued(world, staff.user_id, 403)) == "forbidden"


async def test_users_who_are_not_live_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization())
        token = (await issued(world, ann.user_id))["data"]["access-token"]
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        refused = await issued(world, ann.user_id, 409)
        assert code(refused) == "invalid-state"
        assert refused["errors"][0]["detail"] == "The user is disabled, archived or not confirmed."
        assert code(await whoami(world, token, 401)) == "session-revoked"


async def test_the_organization_must_be_one_of_the_providers(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south, closed = [await world.organization() for _ in range(3)]
        ann = await world.provider(north)
        for organization_id in (south, closed):
            await named(world, "add-user", organization_id, ann)
        await set_active(world, closed, active=False)
        token = (await issued(world, ann.user_id, organization_id=str(south)))["data"]["access-token"]
        assert read_token(token)["org"] == str(south)
        for organization_id in (closed, await world.organization(), uuid4()):
            (error,) = (await issued(world, ann.user_id, 409, organization_id=str(organization_id)))["errors"]
            assert (error["code"], error["source"]) == ("not-in-organization", {"pointer": "/data/organization-id"})


async def test_a_participant_acts_in_no_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        patient = await world.patient(north)
        for options in ({}, {"organization_id": str(north)}):
            token = (await issued(world, patient.user_id, **options))["data"]["access-token"]
            assert read_token(token)["org"] is None
        other = str(await world.organization())
        assert code(await issued(world, patient.user_id, 409, organization_id=other)) == "not-in-organization"


@pytest.mark.parametrize("seconds", [1, 3600])
async def test_the_lifetime_is_as_asked(database_url: str, seconds: int) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        data = (await issued(world, patient.user_id, expiration_secs=seconds))["data"]
        claims = read_token(data["access-token"])
        assert data["expiration-secs"] == seconds
        assert seconds - 1 <= claims["exp"] - claims["iat"] <= seconds


@pytest.mark.parametrize("seconds", [0, 3601, -1, 1.5, "60"])
async def test_other_lifetimes_are_refused(database_url: str, seconds: Any) -> None:
    async with a_world(database_url, projecting=False) as world:
        (error,) = (await issued(world, uuid4(), 400, expiration_secs=seconds))["errors"]
        assert error["source"] == {"pointer": "/data/expiration-secs"}


async def test_a_user_must_be_named(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        (error,) = (await world.post(PATH, {"data": {}}, world.service, 400))["errors"]
        assert (error["code"], error["source"]) == ("missing-attribute", {"pointer": "/data/user-id"})


async def test_additional_claims_stand_in_the_token(database_url: str) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        given = [{"claim": f"study_{number}", "value": "x" * 1024} for number in range(20)]
        token = (await issued(world, patient.user_id, additional_claims=given))["data"]["access-token"]
        assert {each["claim"]: each["value"] for each in given}.items() <= read_token(token).items()
        await whoami(world, token)


def claims(*names: str) -> list[dict[str, str]]:
    return [{"claim": name, "value": "x"} for name in names]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        *((claims("study", own), "/1/claim") for own in sorted(OWN_CLAIMS)),
        (claims("study", "site", "study"), "/2/claim"),
        (claims("Study"), "/0/claim"),
        (claims("1study"), "/0/claim"),
        (claims("s" * 65), "/0/claim"),
        (claims(""), "/0/claim"),
        ([{"claim": "study", "value": "x" * 1025}], "/0/value"),
        ([{"claim": "study", "value": 1}], "/0/value"),
        (claims(*(f"c{number}" for number in range(21))), ""),
    ],
)
async def test_other_additional_claims_are_refused(
    database_url: str, given: list[dict[str, Any]], pointer: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        (error,) = (await issued(world, uuid4(), 400, additional_claims=given))["errors"]
        assert error["code"] == "invalid-attribute"
        assert error["source"] == {"pointer": f"/data/additional-claims{pointer}"}


async def test_borrowed_sessions_issue_no_synthetic_tokens(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization())
        token = (await issued(world, ann.user_id))["data"]["access-token"]
        acting = Person(ann.user_id, None, ann.email, bearer(token))
        assert code(await issued(world, uuid4(), 403, by=acting)) == "impersonation-not-allowed"


async def test_a_synthetic_session_cannot_be_refreshed_and_is_no_login(database_url: str) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        await log_in(world, patient.email)
        path = f"/v1/users/{patient.user_id}/"
        before = (await world.get(path, world.system))["data"]["attributes"]["last-login-time"]
        with time_machine.travel(timedelta(seconds=90)):
            data = (await issued(world, patient.user_id))["data"]
            forged = {"refresh-token": f"{UUID(data['session-id']).hex}.secret"}
            assert (await world.client.post("/v1/refresh-token/", json=forged)).status_code == 401
        assert (await world.get(path, world.system))["data"]["attributes"]["last-login-time"] == before


async def test_the_log_tells_which_service_opened_the_session(database_url: str) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        session_id = UUID((await issued(world, patient.user_id))["data"]["session-id"])
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT actor, convert_from(state, 'utf8') FROM sessions_events WHERE originator_id = %s", [session_id]
            )
            ((actor, state),) = await cursor.fetchall()
        assert actor == world.service.user_id
        assert '"kind":"synthetic"' in state


async def test_an_idempotency_key_is_ignored(database_url: str) -> None:
    async with a_world(database_url) as world:
        patient = await world.patient(await world.organization())
        headers = {**world.service.bearer, "Idempotency-Key": "once"}
        body = {"data": {"user-id": str(patient.user_id)}}
        answers = [await world.client.post(PATH, json=body, headers=headers) for _ in range(2)]
        assert len({answer.json()["data"]["session-id"] for answer in answers}) == 2
