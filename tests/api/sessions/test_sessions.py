"""Getting in, staying in, getting out."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.world.product import ADMIN_EMAIL, PASSWORD, SERVICE, World, a_world

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


async def onboard(world: World, organization_id: UUID, email: str | None, **attributes: Any) -> Any:
    given = {"organization": str(organization_id), "onboard-type": "patient", "notifications": [], **attributes}
    if email is not None:
        given["patient-email"] = email
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    return await world.post("/v1/onboarding-requests/", body, world.system)


def at_once() -> dict[str, Any]:
    return {"auto-sign-up": True, "auto-confirm": True, "password": PASSWORD}
