"""The longest texts of accounts, and what is answered to longer ones (ruling K149)."""

from typing import Any
from uuid import uuid4

from tests.api.people.test_sign_ups import body as sign_up
from tests.support.world.product import PASSWORD, UNLIMITED, a_world

LONG, EMAIL, PHONE = "x" * 256, "a" * 249 + "@p.test", "+" + "1" * 30
LOGIN = {"username": "ann@people.test", "password": PASSWORD}
INVITED = {"organization": str(uuid4()), "patient-email": "ann@people.test"}
REFERRED: dict[str, Any] = dict.fromkeys(("first_name", "last_name", "organization_code"), ...)

ANONYMOUS: list[tuple[str, str, Any]] = [
    *((name, "sign-up", sign_up(**{name.replace("-", "_"): LONG}))
      for name in ("first-name", "last-name", "preferred-name", "username", "password")),
    ("email", "sign-up", sign_up(email=EMAIL)),
    ("contact-phone-mobile", "sign-up", sign_up(contact_phone_mobile=PHONE)),
    ("organization-code", "sign-up", sign_up(organization_code="x" * 21)),
    ("referral-code", "sign-up", sign_up(**REFERRED, referral_code="x" * 21)),
    ("username", "login", LOGIN | {"username": LONG}),
    ("password", "login", LOGIN | {"password": LONG}),
    ("totp-code", "login", LOGIN | {"totp-code": "1" * 65}),
    *(("username", name, {"username": LONG})
      for name in ("forgot-password", "resend-confirmation", "resend-invitation")),
    ("username", "confirm-sign-up", {"username": LONG, "confirmation-code": "12345678"}),
    ("username", "confirm-forgot-password", LOGIN | {"username": LONG, "confirmation-code": "12345678"}),
    ("password", "confirm-forgot-password", LOGIN | {"password": LONG, "confirmation-code": "12345678"}),
]  # fmt: skip

ONBOARDED: dict[str, str] = {
    "username": LONG, "patient-email": EMAIL, "phone-number": PHONE, "first-name": LONG, "last-name": LONG,
    "password": LONG,
}  # fmt: skip


async def test_longer_texts_are_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        for name, operation, body in ANONYMOUS:
            answer = await world.client.post(f"/v1/{operation}/", json=body)
            assert answer.status_code == 400, answer.text
            errors = [(error["code"], error["source"]) for error in answer.json()["errors"]]
            assert errors == [("invalid-attribute", {"pointer": f"/{name}"})], (name, operation)


async def test_longer_texts_of_users_and_onboardings_are_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        user_id = str(world.system.user_id)
        for name, value in {"first-name": LONG, "last-name": LONG, "email": EMAIL, "phone": PHONE}.items():
            body = {"data": {"type": "users", "id": user_id, "attributes": {name: value}}}
            (error,) = (await world.patch(f"/v1/users/{user_id}/", body, world.system, 400))["errors"]
            assert (error["code"], error["source"]["pointer"]) == ("invalid-attribute", f"/data/attributes/{name}")
        for name, value in ONBOARDED.items():
            body = {"data": {"type": "onboarding-requests", "attributes": INVITED | {name: value}}}
            (error,) = (await world.post("/v1/onboarding-requests/", body, world.system, 400))["errors"]
            assert (error["code"], error["source"]["pointer"]) == ("invalid-attribute", f"/data/attributes/{name}")


async def test_the_longest_texts_are_accepted(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        user_id = str(world.system.user_id)
        longest = {"first-name": "é" * 255, "last-name": f" {'x' * 255} "}
        body = {"data": {"type": "users", "id": user_id, "attributes": longest}}
        shown = (await world.patch(f"/v1/users/{user_id}/", body, world.system))["data"]["attributes"]
        assert (shown["first-name"], shown["last-name"]) == ("é" * 255, "x" * 255)
        answer = await world.client.post("/v1/login/", json=LOGIN | {"totp-code": "1" * 64, "password": "x" * 255})
        assert answer.status_code == 401
