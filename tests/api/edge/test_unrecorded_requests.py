"""Refusals, wrong tries and look-ups record no event in either log (ruling K137)."""

from typing import Any
from uuid import uuid4

from tests.api.onboarding.test_agreements import recorded
from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_sign_ups import body as sign_up
from tests.api.sessions.test_anonymous_calls import Call, an_access
from tests.support.authenticators import an_enabled_authenticator
from tests.support.world.product import PASSWORD, UNLIMITED, Person, a_world

ANN = "ann@people.test"
WRONG = "wrong-password-1"
CODE = {"username": ANN, "confirmation-code": "00000000"}


def anonymous() -> list[tuple[str, str, Any, int]]:
    return [
        ("POST", "login", {"username": ANN, "password": WRONG}, 401),
        ("POST", "login", {"username": ANN, "password": PASSWORD}, 401),  # without a TOTP code
        ("POST", "login", {"username": ANN, "password": PASSWORD, "totp-code": "000000"}, 401),
        ("POST", "login", {"username": "nobody@people.test", "password": PASSWORD}, 401),
        ("POST", "refresh-token", {"refresh-token": f"{uuid4().hex}.wrong"}, 401),
        ("POST", "confirm-sign-up", CODE, 400),
        ("POST", "confirm-forgot-password", CODE | {"password": "another-battery-staple-7"}, 400),
        ("POST", "forgot-password", {"username": "nobody@people.test"}, 201),
        ("POST", "sign-up", sign_up(username=ANN), 409),
        ("POST", "sign-up", sign_up(organization_code="unknown"), 400),
        ("POST", "password-strength", {"password": WRONG}, 201),
        ("POST", "onboarding-info", {"data": {"type": "onboarding-info", "attributes": {"code": "0" * 16}}}, 404),
        ("GET", "organization-code-info/North-1", None, 200),
        ("GET", "organization-code-info/unknown", None, 404),
        ("GET", "service-documents", None, 400),
    ]


def refused(ann: Person, totp: str) -> list[tuple[str, str, Any, int]]:
    me, somebody = f"users/{ann.user_id}", f"users/{uuid4()}"
    named = {"data": {"type": "impersonation-requests", "attributes": {"user-id": str(ann.user_id)}}}
    classified = {"data": {"type": "users", "id": str(ann.user_id), "attributes": {"classification": "carium"}}}
    return [
        ("GET", me, None, 200),
        ("GET", somebody, None, 404),
        ("PATCH", me, classified, 403),
        ("POST", f"{me}/change-password", {"old-password": WRONG, "new-password": "another-staple-7"}, 403),
        ("POST", f"{me}/disable", {}, 403),
        ("POST", f"{somebody}/enable", {}, 404),
        ("POST", f"mfa-totp/{totp}/disable", {"password": WRONG}, 403),
        ("POST", f"mfa-totp/{totp}/enable", {"password": PASSWORD, "codes": ["000000", "000001"]}, 409),
        ("POST", "impersonation-requests", named, 403),
        ("POST", "synthetic-user-tokens", {"data": {"user-id": str(ann.user_id)}}, 403),
        ("POST", "onboarding-requests/claim", {"referral-code": "0000-0000-0000-0000"}, 404),
    ]


async def test_what_is_refused_or_looked_up_is_not_recorded(database_url: str) -> None:
    async with a_world(database_url, **UNLIMITED) as world:
        north = await world.organization()
        await a_code(world, north)
        ann = await world.patient(north, ANN)
        totp = (await an_enabled_authenticator(world, ann)).id
        before = await recorded(world)
        nobody: dict[str, str] = {}
        sent = [(each, nobody) for each in anonymous()] + [(each, ann.bearer) for each in refused(ann, totp)]
        for (method, path, body, status), headers in sent:
            answer = await world.client.request(method, f"/v1/{path}/", json=body, headers=headers)
            assert answer.status_code == status, (path, answer.text)
            assert await recorded(world) == before, path


async def test_refused_calls_through_an_access_are_not_recorded(database_url: str) -> None:
    async with an_access(database_url) as call:
        before = await recorded(call.world)
        await call.refused(403, endpoint="/records/not-allowed/")
        await call.refused(400, endpoint="records")
        await unknown(call).refused(404)
        assert await recorded(call.world) == before


def unknown(call: Call) -> Call:
    return Call(call.world, call.upstream, call.patient, str(uuid4()))
