"""Getting in, staying in, getting out."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support.world.product import ADMIN_EMAIL, PASSWORD, SERVICE, SIGNING_KEY, Person, World, a_world

WRONG = "not-the-password"


async def log_in(world: World, username: str, password: str = PASSWORD, status: int = 201, /, **options: Any) -> Any:
    answer = await world.client.post("/v1/login/", json={"username": username, "password": password, **options})
    assert answer.status_code == status, answer.text
    return answer.json()


def code(refusal: Any) -> str:
    (error,) = refusal["errors"]
    assert isinstance(error["status"], int)
    return str(error["code"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def whoami(world: World, token: str, status: int = 201, /, **body: Any) -> Any:
    answer = await world.client.post("/v1/authenticate/", json=body, headers=bearer(token))
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_login_answers_tokens_and_the_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        ann = await world.provider(north, "Ann@People.test")
        south_body = {"data": {"type": "organizations", "attributes": {"email": "ann@people.test"}}}
        await world.post(f"/v1/organizations/{south}/add-user/", south_body, world.system)
        tokens = await log_in(world, "ann@people.TEST")
        assert {name: tokens[name] for name in ("user-id", "email", "username", "first-name", "impersonated-by")} == {
            "user-id": str(ann.user_id),
            "email": "Ann@People.test",
            "username": "Ann@People.test",
            "first-name": None,
            "impersonated-by": None,
        }
        assert tokens["individual"] == {"id": str(ann.individual_id)}
        assert (tokens["organizations"], tokens["multi-organization"]) == ([str(north), str(south)], True)
        assert (tokens["locale"], tokens["locale-explicit"], tokens["tz-explicit"]) == ("en_US", False, False)
        known = (await whoami(world, tokens["access-token"]))["data"]
        assert (known["user-id"], known["organization-id"]) == (str(ann.user_id), str(north))
        assert known["session-id"] == tokens["session-id"]


async def test_login_says_nothing_of_a_position_and_is_not_cached(database_url: str) -> None:
    async with a_world(database_url) as world:
        answer = await world.client.post("/v1/login/", json={"username": ADMIN_EMAIL, "password": PASSWORD})
        assert "x-position" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_the_log_names_the_request_of_a_login(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        body, headers = {"username": ADMIN_EMAIL, "password": PASSWORD}, {"X-Request-ID": "the-first"}
        assert (await world.client.post("/v1/login/", json=body, headers=headers)).status_code == 201
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT actor FROM sessions_events WHERE correlation_id = 'the-first'")
            assert await cursor.fetchall() == [(world.system.user_id,)]


async def test_an_unknown_name_is_refused_like_a_wrong_password(database_url: str) -> None:
    async with a_world(database_url) as world:
        wrong = await log_in(world, ADMIN_EMAIL, WRONG, 401)
        unknown = await log_in(world, "nobody@people.test", PASSWORD, 401)
        assert wrong == unknown
        assert code(wrong) == "invalid-credentials"
        assert code(await log_in(world, "apps/records", SERVICE[2], 401)) == "invalid-credentials"


async def test_a_user_without_a_password_is_refused_like_an_unknown_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        await onboard(world, north, "init@people.test")
        assert code(await log_in(world, "init@people.test", PASSWORD, 401)) == "invalid-credentials"


async def test_only_the_right_password_tells_the_state(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        await onboard(world, north, "reg@people.test", **{"auto-sign-up": True, "password": PASSWORD})
        ann = await world.provider(north, "ann@people.test")
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        for username, expected in (("reg@people.test", "user-not-confirmed"), ("ann@people.test", "user-disabled")):
            assert code(await log_in(world, username, WRONG, 401)) == "invalid-credentials"
            assert code(await log_in(world, username, PASSWORD, 403)) == expected


async def test_phone_number_and_user_name_are_as_good_as_the_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        contacts = {"phone-number": "+16505550100", "username": "Ann.B"}
        await onboard(world, north, None, **contacts, **at_once())
        for username in ("+1 (650) 555-0100", "+16505550100", "ann.b", "ANN.B"):
            assert (await log_in(world, username))["username"] == "Ann.B"


async def test_too_many_failures_close_the_account_for_a_while(database_url: str) -> None:
    async with a_world(database_url, login_failures=6) as world:
        for _ in range(3):
            await log_in(world, ADMIN_EMAIL, WRONG, 401)
        answer = await world.client.post("/v1/login/", json={"username": ADMIN_EMAIL.upper(), "password": PASSWORD})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert code(answer.json()) == "too-many-requests"
        for _ in range(3):  # who is unknown is treated alike
            await log_in(world, "nobody@people.test", WRONG, 401)
        await log_in(world, "nobody@people.test", WRONG, 429)


async def test_a_success_forgives_the_account_its_failures(database_url: str) -> None:
    async with a_world(database_url, login_failures=6) as world:
        for _ in range(3):
            await log_in(world, ADMIN_EMAIL, WRONG, 401)
            await log_in(world, ADMIN_EMAIL, WRONG, 401)
            await log_in(world, ADMIN_EMAIL)


async def test_an_address_has_a_limit_of_its_own(database_url: str) -> None:
    async with a_world(database_url, login_failures_address=8) as world:
        for number in range(4):
            await log_in(world, f"nobody-{number}@people.test", WRONG, 401)
        await log_in(world, ADMIN_EMAIL, PASSWORD, 429)


async def test_failures_are_counted_together_in_redis(database_url: str, redis_url: str) -> None:
    email = f"{uuid4().hex}@people.test"
    limits: dict[str, Any] = {"login_failures": 2, "login_failures_address": 10_000, "redis_url": redis_url}
    async with a_world(database_url, **limits) as world:
        await log_in(world, email, WRONG, 401)
        await log_in(world, email, WRONG, 401)
    async with a_world(database_url, projecting=False, **limits) as world:
        await log_in(world, email, WRONG, 429)


async def test_logins_are_limited_while_redis_is_away(database_url: str) -> None:
    async with a_world(database_url, login_failures=4, redis_url="redis://127.0.0.1:1/0") as world:
        await log_in(world, ADMIN_EMAIL, WRONG, 401)
        await log_in(world, ADMIN_EMAIL, WRONG, 401)
        await log_in(world, ADMIN_EMAIL, PASSWORD, 429)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("access-token-expiration-seconds", 3601),
        ("access-token-expiration-seconds", 0),
        ("refresh-token-expiration-seconds", 30 * 24 * 3600 + 1),
        ("simulated-queue-delay", 60_001),
        ("interactive", "yes"),
        ("unknown", 1),
    ],
)
async def test_values_out_of_bounds_are_refused(database_url: str, option: str, value: Any) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await log_in(world, ADMIN_EMAIL, PASSWORD, 400, **{option: value})
        assert refusal["errors"][0]["source"] == {"pointer": f"/{option}"}


async def test_agreeing_to_a_document_that_is_not_there_is_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await log_in(world, ADMIN_EMAIL, PASSWORD, 400, **{"service-document-agreements": [str(uuid4())]})
        assert refusal["errors"][0]["source"] == {"pointer": "/service-document-agreements"}


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


async def onboard(world: World, organization_id: UUID, email: str | None, **attributes: Any) -> Any:
    given = {"organization": str(organization_id), "onboard-type": "patient", "notifications": [], **attributes}
    if email is not None:
        given["patient-email"] = email
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    return await world.post("/v1/onboarding-requests/", body, world.system)


def at_once() -> dict[str, Any]:
    return {"auto-sign-up": True, "auto-confirm": True, "password": PASSWORD}


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
