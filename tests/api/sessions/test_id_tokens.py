"""What id tokens tell about users (ruling K123)."""

from typing import Any
from uuid import uuid4

from api.sessions.tokens import id_claims
from domain.core.personal import Personal
from domain.people.users import User
from domain.sessions.sessions import Session
from tests.api.sessions.test_sessions import log_in
from tests.api.sessions.test_tokens import read_token, refresh
from tests.support.world.product import PASSWORD, World, a_world

OF_EVERY_ID_TOKEN = {
    "iss", "aud", "sub", "sid", "iat", "exp", "auth_time", "amr", "preferred_username", "locale",
}  # fmt: skip


async def test_an_id_token_tells_who_logged_in_and_how(database_url: str) -> None:
    async with a_world(database_url) as world:
        tokens = await log_in(world, (await world.provider(await world.organization(), "ann@people.test")).email)
        claims = read_token(tokens["id-token"])
        assert claims.keys() == OF_EVERY_ID_TOKEN | {"email", "email_verified"}
        told = {name: claims[name] for name in ("iss", "aud", "sub", "sid", "amr", "email", "email_verified", "locale")}
        assert told == {
            "iss": "rollbook", "aud": "rollbook", "sub": tokens["user-id"], "sid": tokens["session-id"],
            "amr": ["pwd"], "email": "ann@people.test", "email_verified": True, "locale": "en-US",
        }  # fmt: skip
        assert claims["preferred_username"] == "ann@people.test"
        assert abs(claims["auth_time"] - claims["iat"]) <= 1


async def test_claims_without_a_value_are_absent(database_url: str) -> None:
    async with a_world(database_url) as world:
        attributes = {"phone-number": "+12025550123", "username": "ann.without.mail"}
        await onboarded(world, **attributes)
        claims = read_token((await log_in(world, "ann.without.mail"))["id-token"])
        assert claims.keys() == OF_EVERY_ID_TOKEN | {"phone_number", "phone_number_verified"}
        assert (claims["phone_number"], claims["preferred_username"]) == ("+12025550123", "ann.without.mail")


async def test_a_refresh_keeps_the_time_of_the_login(database_url: str) -> None:
    async with a_world(database_url) as world:
        tokens = await log_in(world, (await world.provider(await world.organization())).email, locale="es_US")
        again = read_token((await refresh(world, tokens["refresh-token"]))["id-token"])
        first = read_token(tokens["id-token"])
        assert [again[name] for name in ("auth_time", "amr", "locale")] == [first["auth_time"], ["pwd"], "es-US"]


def test_names_and_time_zone_are_told_as_openid_connect_names_them() -> None:
    user = User.create(uuid4(), classification="customer", individual_id=uuid4(), email="ann@people.test")
    user.first_name, user.last_name = Personal(user.id, "Ann"), Personal(user.id, "Lee")
    user.tz, user.locale = "America/Chicago", "es_US"
    session = Session.open(uuid4(), user, organization_id=None, position=0, kind="impersonated", seconds=60)
    claims = id_claims(session, user)
    assert claims | {"auth_time": 0} == {
        "auth_time": 0, "email": "ann@people.test", "email_verified": False, "given_name": "Ann", "family_name": "Lee",
        "preferred_username": "ann@people.test", "locale": "es-US", "zoneinfo": "America/Chicago",
    }  # fmt: skip


async def onboarded(world: World, **attributes: str) -> Any:
    given = {
        "organization": str(await world.organization()), "onboard-type": "provider", "password": PASSWORD,
        "auto-sign-up": True, "auto-confirm": True, "notifications": [], **attributes,
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    return await world.post("/v1/onboarding-requests/", body, world.system)


async def test_a_login_tells_names_and_time_zone_of_the_profile(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        told = {"first-name": "Ann", "last-name": "Lee", "tz": "America/Chicago", "locale": "es_US"}
        body = {"data": {"type": "users", "id": str(person.user_id), "attributes": told}}
        await world.patch(f"/v1/users/{person.user_id}/", body, person)
        claims = read_token((await log_in(world, person.email))["id-token"])
        names = ("given_name", "family_name", "zoneinfo", "locale")
        assert [claims[name] for name in names] == ["Ann", "Lee", "America/Chicago", "es-US"]
