"""How long a session and its tokens last, and in which organization (semantics 7, rulings C5, H2, H3, H7, I8)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from tests.api.sessions.test_sessions import bearer, code, log_in, onboard, whoami
from tests.api.sessions.test_tokens import read_token, refresh
from tests.support.world.product import ADMIN_EMAIL, PASSWORD, Person, World, a_world

MONTH = 30 * 24 * 3600


async def named(world: World, action: str, organization: UUID, person: Person) -> None:
    body = {"data": {"type": "organizations", "attributes": {"user-id": str(person.user_id)}}}
    await world.post(f"/v1/organizations/{organization}/{action}/", body, world.system)


@pytest.mark.parametrize(("asked", "seconds"), [({}, MONTH), ({"refresh-token-expiration-seconds": 100}, 100)])
async def test_a_session_says_when_its_refresh_token_ends(
    database_url: str, asked: dict[str, Any], seconds: int
) -> None:
    async with a_world(database_url, projecting=False) as world:
        before = datetime.now(UTC).replace(microsecond=0)
        tokens = await log_in(world, ADMIN_EMAIL, **asked)
        path = f"/v1/sessions/{tokens['session-id']}/"
        told = (await world.get(path, world.system))["data"]["attributes"]["expiration-time"]
        ends = datetime.strptime(told, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert timedelta(0) <= ends - before - timedelta(seconds=seconds) < timedelta(seconds=10)
        await refresh(world, tokens["refresh-token"])
        assert (await world.get(path, world.system))["data"]["attributes"]["expiration-time"] == told


async def test_a_session_that_has_expired_is_not_there(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL, **{"refresh-token-expiration-seconds": 100})
        path = f"/v1/sessions/{tokens['session-id']}/"
        with time_machine.travel(timedelta(seconds=99)):
            await world.get(path, world.system)
        with time_machine.travel(timedelta(seconds=101)):
            assert code(await world.get(path, world.system, 404)) == "not-found"
            assert code(await whoami(world, tokens["access-token"], 401)) == "token-expired"


async def test_a_token_is_worth_nothing_after_its_session(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        session_id = UUID((await log_in(world, ADMIN_EMAIL, **{"refresh-token-expiration-seconds": 100}))["session-id"])
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        token = world.tokens.access_token(world.system.user_id, session_id, None, tomorrow)
        with time_machine.travel(timedelta(seconds=90)):
            await whoami(world, token)
        with time_machine.travel(timedelta(seconds=101)):
            assert code(await whoami(world, token, 401)) == "token-expired"


async def test_events_name_the_organization_and_impersonator_of_the_session(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        admin, ann = await world.admin(north), await world.provider(north)
        acting = await world.borrowed(admin, "impersonated")
        session_id = world.tokens.verify(acting.token).session_id
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, acting)
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT actor, organization_id, convert_from(state, 'utf8') FROM events WHERE topic = 'user.disabled'"
            )
            ((actor, organization, state),) = await cursor.fetchall()
        assert (actor, organization) == (admin.user_id, north)
        assert all(str(each) in state for each in (session_id, world.system.user_id))


async def test_tokens_keep_the_organization_of_their_session(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        ann = await world.provider(north)
        tokens = await log_in(world, ann.email)
        await named(world, "add-user", south, ann)
        again = await refresh(world, tokens["refresh-token"])
        assert [read_token(each["access-token"])["org"] for each in (tokens, again)] == [str(north)] * 2
        assert (again["organizations"], again["multi-organization"]) == ([str(north), str(south)], True)
        patient = await world.patient(north)
        assert read_token((await log_in(world, patient.email))["access-token"])["org"] is None


async def test_a_session_of_a_left_organization_cannot_be_refreshed(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        ann = await world.provider(north)
        await named(world, "add-user", south, ann)
        in_north = await log_in(world, ann.email)
        await named(world, "remove-user", south, ann)
        await refresh(world, in_north["refresh-token"])  # another organization than that of the session
        await named(world, "add-user", south, ann)
        await named(world, "remove-user", north, ann)
        assert code(await refresh(world, in_north["refresh-token"], 401)) == "not-authenticated"
        await world.get(f"/v1/sessions/{in_north['session-id']}/", world.system, 404)
        in_south = await log_in(world, ann.email)
        assert (in_south["organizations"], read_token(in_south["access-token"])["org"]) == ([str(south)], str(south))


async def test_a_user_without_organizations_signs_in_to_none(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        ann = await world.provider(north)
        await named(world, "remove-user", north, ann)
        known = (await whoami(world, (await log_in(world, ann.email))["access-token"]))["data"]
        assert (known["organization-id"], known["roles"]) == (None, [])


async def test_a_user_disabled_before_confirmation_is_refused_as_disabled(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        await onboard(world, north, "reg@people.test", **{"auto-sign-up": True, "password": PASSWORD})
        user_id = await world.services.directory.user_by_login("reg@people.test")
        await world.post(f"/v1/users/{user_id}/disable/", {}, world.system)
        assert code(await log_in(world, "reg@people.test", PASSWORD, 403)) == "user-disabled"


async def test_a_token_names_user_session_issuer_audience_and_times(database_url: str) -> None:
    async with a_world(database_url, projecting=False, issuer="https://ids.test", audience="apps") as world:
        tokens = await log_in(world, ADMIN_EMAIL)
        claims = read_token(tokens["access-token"])
        assert set(claims) == {"sub", "sid", "org", "iss", "aud", "iat", "exp"}
        assert (claims["iss"], claims["aud"]) == ("https://ids.test", "apps")
        assert claims["exp"] - claims["iat"] == 3600
        await whoami(world, tokens["access-token"])
        answer = await world.client.get("/v1/users/", headers=bearer(tokens["refresh-token"]))
        assert code(answer.json()) == "not-authenticated"  # a refresh token is no access token
