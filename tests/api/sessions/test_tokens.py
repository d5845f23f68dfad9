"""Tokens of a session: how they end, and what they open."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.api.sessions.test_sessions import bearer, code, log_in, whoami
from tests.support.world.product import ADMIN_EMAIL, PASSWORD, Person, World, a_world
from tests.support.world.settings import SIGNING_KEY


async def test_tokens_end_when_asked(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL, **{"access-token-expiration-seconds": 60})
        claims = read_token(tokens["access-token"])
        assert claims["exp"] - claims["iat"] == 60
        assert claims["sub"] == tokens["user-id"]
        assert claims["sid"] == tokens["session-id"]
        with time_machine.travel(timedelta(seconds=91)):
            refusal = await whoami(world, tokens["access-token"], 401)
            assert code(refusal) == "token-expired"


async def test_an_id_token_opens_nothing(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL)
        assert read_token(tokens["id-token"])["email"] == ADMIN_EMAIL
        assert code(await whoami(world, tokens["id-token"], 401)) == "not-authenticated"


async def test_others_can_verify_tokens_with_the_published_key(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL)
        answer = await world.client.get("/.well-known/jwks.json")
        keys = jwt.PyJWKSet.from_dict(answer.json())
        key = keys[jwt.get_unverified_header(tokens["access-token"])["kid"]]
        assert jwt.decode(tokens["access-token"], key, audience="rollbook", issuer="rollbook", algorithms=["EdDSA"])
        assert "d" not in answer.json()["keys"][0]


@pytest.mark.parametrize("change", ["aud", "iss", "alg", "none", "key", "signature", "typ", "sub", "sid"])
async def test_tokens_that_are_not_ours_open_nothing(database_url: str, change: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        token = (await log_in(world, ADMIN_EMAIL))["access-token"]
        assert code(await whoami(world, forged(token, change), 401)) == "not-authenticated"


async def test_refreshing_hands_out_another_access_token_only(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL)
        again = await refresh(world, tokens["refresh-token"])
        assert "refresh-token" not in again
        assert again["session-id"] == tokens["session-id"]
        await whoami(world, again["access-token"])
        await refresh(world, tokens["refresh-token"])  # not rotated


@pytest.mark.parametrize(("sticky", "seconds"), [(True, 60), (False, 3600)])
async def test_sticky_lifetimes_stay_as_asked_at_login(database_url: str, sticky: bool, seconds: int) -> None:
    async with a_world(database_url, projecting=False) as world:
        asked = {"access-token-expiration-seconds": 60, "sticky-access-token-expiration": sticky}
        tokens = await log_in(world, ADMIN_EMAIL, **asked)
        claims = read_token((await refresh(world, tokens["refresh-token"]))["access-token"])
        assert claims["exp"] - claims["iat"] == seconds


async def test_the_session_ends_with_its_refresh_token(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens = await log_in(world, ADMIN_EMAIL, **{"refresh-token-expiration-seconds": 100})
        claims = read_token(tokens["access-token"])
        assert claims["exp"] - claims["iat"] <= 100
        with time_machine.travel(timedelta(seconds=50)):
            await refresh(world, tokens["refresh-token"])
        with time_machine.travel(timedelta(seconds=101)):
            assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"


@pytest.mark.parametrize("token", ["", "x", "a.b", f"{'0' * 32}.{'s' * 43}", "é" * 9])
async def test_other_refresh_tokens_are_refused(database_url: str, token: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        assert code(await refresh(world, token, 401)) == "not-authenticated"


async def test_a_refresh_token_is_no_good_with_another_secret(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        token = (await log_in(world, ADMIN_EMAIL))["refresh-token"]
        assert code(await refresh(world, f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}", 401)) == "not-authenticated"


async def test_refresh_tokens_and_passwords_stand_in_no_log(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        secret = (await log_in(world, ADMIN_EMAIL))["refresh-token"].partition(".")[2]
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT state FROM sessions_events UNION ALL SELECT state FROM events")
            states = b"".join([bytes(state) async for (state,) in cursor])
        assert secret.encode() not in states
        assert PASSWORD.encode() not in states


async def test_logging_out_ends_the_session_at_once(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        tokens, other = await log_in(world, ADMIN_EMAIL), await log_in(world, ADMIN_EMAIL)
        path = f"/v1/sessions/{tokens['session-id']}/"
        answer = await world.client.delete(path, headers=bearer(tokens["access-token"]))
        assert answer.status_code == 204
        assert int(answer.headers["x-position"]) > 0
        assert code(await whoami(world, tokens["access-token"], 401)) == "session-revoked"
        assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"
        assert (await world.client.delete(path, headers=bearer(tokens["access-token"]))).status_code == 401
        assert (await world.client.delete(path, headers=bearer(other["access-token"]))).status_code == 204
        assert (await world.client.get(path, headers=bearer(other["access-token"]))).status_code == 404
        await whoami(world, other["access-token"])


async def test_sessions_are_shown_to_their_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        ann, bob = await world.provider(north), await world.admin(north)
        tokens = await log_in(world, ann.email)
        path = f"/v1/sessions/{tokens['session-id']}/"
        mine = await world.get(path, ann)
        assert mine["data"]["attributes"]["user-id"] == str(ann.user_id)
        assert mine["data"]["attributes"]["login-info"] is None
        shown = await world.get(path, world.service, **{"include-login-info": "true"})
        assert shown["data"]["attributes"]["login-info"]["email"] == ann.email
        assert "token" not in str(shown)
        await world.get(path, world.system)
        await world.get(path, bob, 404)
        assert (await world.client.delete(path, headers=bob.bearer)).status_code == 404
        assert (await world.client.delete(path, headers=world.system.bearer)).status_code == 204
        await world.get(f"/v1/sessions/{uuid4()}/", ann, 404)


async def test_disabling_ends_all_sessions_for_good(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization())
        tokens = await log_in(world, ann.email)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        assert code(await whoami(world, tokens["access-token"], 401)) == "session-revoked"
        await world.post(f"/v1/users/{ann.user_id}/enable/", {}, world.system)
        assert code(await whoami(world, tokens["access-token"], 401)) == "session-revoked"
        assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"
        await whoami(world, (await log_in(world, ann.email))["access-token"])


async def test_leaving_an_organization_ends_the_sessions_that_are_in_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        ann = await world.provider(north)
        to_south = {"data": {"type": "organizations", "attributes": {"user-id": str(ann.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", to_south, world.system)
        in_north = await log_in(world, ann.email)
        await world.post(f"/v1/organizations/{north}/remove-user/", to_south, world.system)
        assert code(await whoami(world, in_north["access-token"], 401)) == "session-revoked"
        in_south = await log_in(world, ann.email)
        assert (await whoami(world, in_south["access-token"]))["data"]["organization-id"] == str(south)
        await world.post(f"/v1/organizations/{north}/add-user/", to_south, world.system)
        assert code(await whoami(world, in_north["access-token"], 401)) == "session-revoked"
        await whoami(world, in_south["access-token"])


async def test_roles_are_those_of_the_current_organization_by_name(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, patient = await world.admin(north), await world.patient(north)

        async def known(person: Person) -> Any:
            return (await world.post("/v1/authenticate/", {}, person))["data"]

        assert (await known(admin))["roles"] == ["org.admin"]
        assert (await known(world.system))["roles"] == ["carium.admin", "org.admin"]
        for person in (patient, world.service):
            assert ((await known(person))["organization-id"], (await known(person))["roles"]) == (None, [])


async def test_roles_in_an_inactive_organization_are_hidden(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        for active, roles in ((False, []), (True, ["org.admin"])):
            body = {"data": {"type": "organizations", "id": str(north), "attributes": {"is-active": active}}}
            await world.patch(f"/v1/organizations/{north}/", body, world.system)
            assert (await world.post("/v1/authenticate/", {}, admin))["data"]["roles"] == roles


async def test_services_are_no_good_from_outside(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        token = world.service.bearer["Authorization"].removeprefix("Bearer ")
        await whoami(world, token, **{"edge-request": False})
        assert code(await whoami(world, token, 403, **{"edge-request": True})) == "forbidden"
        user = world.system.bearer["Authorization"].removeprefix("Bearer ")
        await whoami(world, user, **{"edge-request": True})


async def test_authenticate_needs_no_body(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await world.client.post("/v1/authenticate/", headers=world.system.bearer)
        assert answer.status_code == 201
        assert "x-position" in answer.headers


async def test_many_logins_at_once_are_served_or_put_off(database_url: str) -> None:
    async with a_world(database_url, projecting=False, argon2="1,8,1") as world:
        body = {"username": ADMIN_EMAIL, "password": PASSWORD}
        answers = await asyncio.gather(*(world.client.post("/v1/login/", json=body) for _ in range(80)))
        statuses = {answer.status_code for answer in answers}
        assert 201 in statuses
        assert statuses <= {201, 429}


async def test_a_password_is_hashed_anew_when_the_settings_ask_for_more(database_url: str) -> None:
    async with a_world(database_url, projecting=False):
        pass
    async with a_world(database_url, projecting=False, argon2="2,16,1") as world:
        await log_in(world, ADMIN_EMAIL)
        await log_in(world, ADMIN_EMAIL)
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM events WHERE topic LIKE '%rehashed%'")
            assert await cursor.fetchone() == (1,)


async def refresh(world: World, token: str, status: int = 201) -> Any:
    answer = await world.client.post("/v1/refresh-token/", json={"refresh-token": token})
    assert answer.status_code == status, answer.text
    return answer.json()


def read_token(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def forged(token: str, change: str) -> str:
    claims, header = read_token(token), jwt.get_unverified_header(token)
    key: Any = load_pem_private_key(SIGNING_KEY, None)
    if change == "signature":
        head, payload, signature = token.split(".")
        return f"{head}.{payload}.{signature[:-4]}AAAA"
    if change == "alg":
        return jwt.encode(claims, "x" * 32, "HS256", headers={"typ": header["typ"]})
    if change == "none":
        return jwt.encode(claims, "", "none", headers={"typ": header["typ"]})
    if change == "key":
        key = Ed25519PrivateKey.generate()
    if change in claims:
        claims[change] = str(uuid4())
    typ = "JWT" if change == "typ" else header["typ"]
    return jwt.encode(claims, key, "EdDSA", headers={"kid": header["kid"], "typ": typ})
