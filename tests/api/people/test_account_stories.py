"""The life of an account, told as its owner sees it: over HTTP, and with the codes that arrive in the outbox."""

from pathlib import Path
from typing import Any

from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import ask, codes
from tests.support.authenticators import an_authenticator, enable
from tests.support.world.product import PASSWORD, Person, World, a_world

ADDRESS = "ann@people.test"
NEW_PASSWORD = "another-battery-staple-7"


async def log_in(world: World, password: str, **members: Any) -> tuple[int, str | None]:
    """The status of a login, and the code of its refusal."""
    answer = await ask(world, "login", username=ADDRESS, password=password, **members)
    return answer.status_code, None if answer.is_success else answer.json()["errors"][0]["code"]


async def reset(world: World, password: str) -> dict[str, Any]:
    """Forget the password and set another one with the code of the last message; log in with it."""
    assert (await ask(world, "forgot-password", username=ADDRESS)).status_code == 201
    code = (await codes(world, ADDRESS, "forgot-password"))[-1]
    body = {"username": ADDRESS, "confirmation_code": code, "password": password, "login": True}
    answer = await ask(world, "confirm-forgot-password", **body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_from_sign_up_to_lock_out_and_back(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", login_failures=6) as world:
        north = await world.organization()
        await a_code(world, north, "North-1")
        told = {"first_name": "Ann", "last_name": "Smith", "organization_code": "north-1", "source": "email"}
        answer = await ask(world, "sign-up", username=ADDRESS, password=PASSWORD, **told)
        assert (answer.status_code, answer.json()) == (201, {"account-type": "patient"})
        assert await log_in(world, PASSWORD) == (403, "user-not-confirmed")

        (code,) = await codes(world, ADDRESS, "verify-email")
        answer = await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=code, login=True)
        session = answer.json()
        ann = Person(session["user-id"], None, ADDRESS, {"Authorization": f"Bearer {session['access-token']}"})
        shown = (await world.get(f"/v1/users/{ann.user_id}/", ann))["data"]["attributes"]
        assert (shown["state"], shown["email-verified"], shown["first-name"]) == ("confirmed", True, "Ann")
        assert [share["id"] for share in shown["shared-with"]] == [str(north)]

        authenticator = await an_authenticator(world, ann)
        await enable(world, ann, authenticator)
        assert await log_in(world, PASSWORD) == (401, "totp-required")
        assert await log_in(world, PASSWORD, totp_code="000000") == (401, "totp-invalid")
        assert await log_in(world, PASSWORD, totp_code=authenticator.code(1)) == (201, None)

        document = await reset(world, NEW_PASSWORD)
        assert document["login-error"]["code"] == "totp-required"
        assert await log_in(world, PASSWORD) == (401, "invalid-credentials")
        recovery_code = authenticator.recovery_codes[0]
        assert await log_in(world, NEW_PASSWORD, totp_code=recovery_code) == (201, None)
        assert await log_in(world, NEW_PASSWORD, totp_code=recovery_code) == (401, "totp-invalid")

        while (await log_in(world, "wrong-password-1"))[0] == 401:
            pass
        assert await log_in(world, NEW_PASSWORD) == (429, "too-many-requests")
        await reset(world, PASSWORD)
        assert await log_in(world, PASSWORD, totp_code=authenticator.recovery_codes[1]) == (201, None)


async def test_from_an_invitation_to_another_address(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        admin = await world.admin(north)
        attributes = {
            "organization": str(north), "onboard-type": "provider", "patient-email": ADDRESS,
            "provider-roles": ["org.admin"],
        }  # fmt: skip
        await world.post(
            "/v1/onboarding-requests/", {"data": {"type": "onboarding-requests", "attributes": attributes}}, admin
        )
        (referral_code,) = await codes(world, ADDRESS, "onboarding-provider")
        body = {"data": {"type": "onboarding-info", "attributes": {"code": referral_code}}}
        answer = await world.client.post("/v1/onboarding-info/", json=body)
        assert answer.json()["data"]["attributes"]["onboarding-request"] == {"done": False, "status": "invited"}
        answer = await ask(world, "sign-up", referral_code=referral_code, username=ADDRESS, password=PASSWORD)
        assert answer.json() == {"account-type": "provider"}
        (code,) = await codes(world, ADDRESS, "verify-email")
        answer = await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=code, login=True)
        session = answer.json()
        assert session["organizations"] == [str(north)]
        ann = Person(session["user-id"], None, ADDRESS, {"Authorization": f"Bearer {session['access-token']}"})
        roles = (await world.post("/v1/authenticate/", {}, ann))["data"]["roles"]
        assert roles == ["org.admin"]

        await world.post(f"/v1/users/{ann.user_id}/change-email/", {"email": "ann@elsewhere.test"}, ann)
        (code,) = await codes(world, "ann@elsewhere.test", "reverify-email")
        answer = await ask(world, "confirm-sign-up", username="ann@elsewhere.test", confirmation_code=code)
        assert answer.status_code == 201
        change = {"old-password": PASSWORD, "new-password": NEW_PASSWORD}
        await world.post(f"/v1/users/{ann.user_id}/change-password/", change, ann)
        answer = await ask(world, "login", username="ann@elsewhere.test", password=NEW_PASSWORD)
        assert answer.status_code == 201
