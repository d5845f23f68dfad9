"""Codes confirm contacts and set forgotten passwords.

Rulings K4, K5, K9, K19, K20, K21, K28, K30 to K32, K90 to K92; test_code_tries.py, test_code_lifetimes.py,
test_code_limits.py and test_account_messages.py have more of them.
"""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import time_machine

from domain.people.users import User
from tests.support.world.product import PASSWORD, Person, World, a_world

NEW_PASSWORD = "another-battery-staple-7"
MISMATCH = ("code-mismatch", "/confirmation-code")


def messages(world: World, to: str | None = None) -> list[dict[str, Any]]:
    """The messages in the outbox, in the order in which they were created."""
    assert world.settings.outbox is not None
    found = [json.loads(path.read_text()) for path in sorted(Path(world.settings.outbox).glob("*.json"))]
    return [message for message in found if to in {None, message["to"]}]


async def codes(world: World, to: str, template: str) -> list[str]:
    """The codes that messages of this type carry to the address, in the order in which they were sent."""
    await world.catch_up()
    return [message["code"] for message in messages(world, to) if message["template"] == template]


async def ask(world: World, operation: str, **body: Any) -> Any:
    return await world.client.post(f"/v1/{operation}/", json={name.replace("_", "-"): v for name, v in body.items()})


async def refusal(world: World, operation: str, **body: Any) -> tuple[str, str | None]:
    """The code and the pointer of the one error."""
    answer = await ask(world, operation, **body)
    assert answer.status_code == 400, answer.text
    (error,) = answer.json()["errors"]
    return error["code"], error["source"]["pointer"]


async def log_in(world: World, username: str, password: str) -> int:
    return int((await ask(world, "login", username=username, password=password)).status_code)


async def registered(world: World, email: str, **more: Any) -> UUID:
    """A patient who has a password and no verified contact."""
    attributes = {
        "organization": str(await world.organization()), "onboard-type": "patient", "patient-email": email,
        "password": PASSWORD, "auto-sign-up": True, "notifications": [], **more,
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    await world.post("/v1/onboarding-requests/", body, world.system)
    found = await world.services.directory.users_by_email([email])
    return found[email]


async def state(world: World, user_id: UUID) -> str:
    return (await world.identity.store.get(User, user_id)).state


async def test_a_code_confirms_who_signed_up_and_logs_in(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, "ann@people.test")
        assert await log_in(world, "ann@people.test", PASSWORD) == 403
        assert (await ask(world, "resend-confirmation", username=" ANN@people.test")).json() == {}
        (code,) = await codes(world, "ann@people.test", "verify-email")
        assert (len(code), code.isdecimal()) == (8, True)
        typed = f"{code[:4]} {code[4:]}-"
        answer = await ask(
            world,
            "confirm-sign-up",
            username="ann@people.test",
            confirmation_code=typed,
            login=True,
            tz="Europe/Madrid",
        )
        assert answer.status_code == 201, answer.text
        assert int(answer.headers["X-Position"]) > 0
        document = answer.json()
        assert document["account-type"] == "patient"
        assert (document["login-error"], document["tz"], document["tz-explicit"]) == (None, "Europe/Madrid", False)
        shown = await world.client.get(
            f"/v1/users/{user_id}/", headers={"Authorization": f"Bearer {document['access-token']}"}
        )
        attributes = shown.json()["data"]["attributes"]
        assert (attributes["state"], attributes["email-verified"]) == ("confirmed", True)
        assert (attributes["tz"], attributes["tz-explicit"]) == ("Europe/Madrid", False)


async def test_a_message_with_a_code_is_as_the_ruling_says(database_url: str, tmp_path: Path) -> None:
    """Rulings K37, K38 and K39."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, "ann@people.test", **{"phone-number": "+12025550147"})
        await ask(world, "resend-confirmation", username="ann@people.test", source="sms")
        await ask(world, "forgot-password", username="+1 202 555 0147")
        await world.catch_up()
        sms, email = messages(world)
        assert (sms["kind"], sms["to"], sms["template"], sms["subject"], sms["html"]) == (
            "sms", "+12025550147", "verify", None, None,
        )  # fmt: skip
        assert (email["kind"], email["to"], email["template"]) == ("email", "ann@people.test", "forgot-password")
        for message in (sms, email):
            assert message["code"] in message["text"]
            assert (message["link"], message["locale"], message["user-id"]) == (None, "en_US", str(user_id))


async def test_repeating_the_very_code_records_nothing_and_opens_no_session(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=code)
        before = await world.identity.store.save()
        again = await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=code, login=True)
        assert again.status_code == 201
        assert "access-token" not in again.json()
        assert again.json()["login-error"]["status"] == 403
        assert await world.identity.store.save() == before
        other = str(int(code) + 1).zfill(8)[-8:]
        assert await refusal(world, "confirm-sign-up", username="ann@people.test", confirmation_code=other) == MISMATCH


async def test_unknown_wrong_superseded_and_disabled_answer_alike(database_url: str, tmp_path: Path) -> None:
    """Rulings K4 and K74."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (first,) = await codes(world, "ann@people.test", "verify-email")
        await ask(world, "resend-confirmation", username="ann@people.test")
        second = (await codes(world, "ann@people.test", "verify-email"))[-1]
        texts = set()
        for username, code in (("nobody@people.test", first), ("ann@people.test", first), ("ann@people.test", "1")):
            answer = await ask(world, "confirm-sign-up", username=username, confirmation_code=code)
            texts.add(answer.text)
        await world.post(f"/v1/users/{user_id}/disable/", {}, world.system)
        answer = await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=second)
        texts.add(answer.text)
        assert len(texts) == 1
        await world.post(f"/v1/users/{user_id}/enable/", {}, world.system)
        assert (await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=second)).is_success


async def test_only_the_right_code_learns_that_it_is_late(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        with time_machine.travel(timedelta(days=2)):
            late = await refusal(world, "confirm-sign-up", username="ann@people.test", confirmation_code=code)
            wrong = await refusal(world, "confirm-sign-up", username="ann@people.test", confirmation_code="1")
        assert (late, wrong) == (("code-expired", "/confirmation-code"), MISMATCH)


async def test_five_wrong_tries_make_the_codes_void_also_in_a_race(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=0) as world:
        await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        wrong = [
            ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=f"{number:08}")
            for number in range(8)
        ]
        await asyncio.gather(*wrong)
        assert await refusal(world, "confirm-sign-up", username="ann@people.test", confirmation_code=code) == MISMATCH
        await ask(world, "resend-confirmation", username="ann@people.test")
        newer = (await codes(world, "ann@people.test", "verify-email"))[-1]
        assert (await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=newer)).is_success


async def test_two_confirmations_with_one_code_record_one_event(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        body = {"username": "ann@people.test", "confirmation_code": code, "login": True}
        answers = await asyncio.gather(*(ask(world, "confirm-sign-up", **body) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {201}
        assert sum("access-token" in answer.json() for answer in answers) == 1


async def test_a_forgotten_password_is_set_with_a_code_and_ends_all_sessions(database_url: str, tmp_path: Path) -> None:
    """Rulings K41 and K91."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ben@people.test")
        assert (await ask(world, "forgot-password", username="ben@people.test")).json() == {}
        (code,) = await codes(world, "ben@people.test", "forgot-password")
        weak = {"username": "ben@people.test", "confirmation_code": code, "password": "password"}
        assert await refusal(world, "confirm-forgot-password", **weak) == ("weak-password", "/password")
        right = {**weak, "password": NEW_PASSWORD}
        sms = await refusal(world, "confirm-forgot-password", **right, source="sms")
        answer = await ask(world, "confirm-forgot-password", **right, login=True)
        assert (sms, answer.status_code) == (MISMATCH, 201)
        assert answer.json()["access-token"]
        await assert_ended(world, person)
        assert await log_in(world, "ben@people.test", PASSWORD) == 401
        assert await log_in(world, "ben@people.test", NEW_PASSWORD) == 201
        assert await refusal(world, "confirm-forgot-password", **right) == MISMATCH
        await world.catch_up()
        assert messages(world, "ben@people.test")[-1]["template"] == "security-notice"


async def assert_ended(world: World, person: Person) -> None:
    answer = await world.client.post("/v1/authenticate/", json={}, headers=person.bearer)
    assert answer.json()["errors"][0]["code"] == "session-revoked"


async def test_of_two_resets_with_one_code_one_wins(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await world.patient(await world.organization(), "ben@people.test")
        await ask(world, "forgot-password", username="ben@people.test")
        (code,) = await codes(world, "ben@people.test", "forgot-password")
        body = {"username": "ben@people.test", "confirmation_code": code, "password": NEW_PASSWORD}
        answers = await asyncio.gather(*(ask(world, "confirm-forgot-password", **body) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [201, 400]


async def test_the_code_for_a_forgotten_password_confirms_who_signed_up(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id = await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        await ask(world, "forgot-password", username="ann@people.test")
        (sign_up,) = await codes(world, "ann@people.test", "verify-email")
        (reset,) = await codes(world, "ann@people.test", "forgot-password")
        body = {"username": "ann@people.test", "confirmation_code": reset, "password": NEW_PASSWORD}
        assert (await ask(world, "confirm-forgot-password", **body)).is_success
        assert await state(world, user_id) == "confirmed"
        assert (
            await refusal(world, "confirm-sign-up", username="ann@people.test", confirmation_code=sign_up) == MISMATCH
        )
        assert await log_in(world, "ann@people.test", PASSWORD) == 401


async def test_nothing_is_sent_to_unknown_disabled_and_unverified_contacts(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ben@people.test")
        await ask(world, "forgot-password", username="nobody@people.test")
        await ask(world, "resend-confirmation", username="ben@people.test")
        await ask(world, "forgot-password", username="ben@people.test", source="sms")
        await world.post(f"/v1/users/{person.user_id}/disable/", {}, world.system)
        await ask(world, "forgot-password", username="ben@people.test")
        await world.catch_up()
        assert messages(world) == []


async def test_requests_of_codes_are_limited_by_the_name_known_or_not(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_requests=4) as world:
        await world.patient(await world.organization(), "ben@people.test")
        for operation in ("forgot-password", "resend-confirmation"):
            for name in ("ben@people.test", "nobody@people.test"):
                answers = [await ask(world, operation, username=each) for each in (name, name.upper(), name)]
                assert [answer.status_code for answer in answers] == [201, 201, 429]
                assert int(answers[-1].headers["Retry-After"]) >= 1
                assert "X-Position" not in answers[0].headers


async def test_wrong_codes_are_limited_by_the_name_and_success_clears_the_count(
    database_url: str, tmp_path: Path
) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox", code_failures=6) as world:
        await registered(world, "ann@people.test")
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        for _ in range(2):
            for name in ("ann@people.test", "nobody@people.test"):
                await refusal(world, "confirm-sign-up", username=name, confirmation_code="1")
        assert (await ask(world, "confirm-sign-up", username="ann@people.test", confirmation_code=code)).is_success
        statuses = [
            (await ask(world, "confirm-sign-up", username=name, confirmation_code="1")).status_code
            for name in ("ann@people.test", "ann@people.test", "nobody@people.test", "nobody@people.test")
        ]
        assert statuses == [400, 400, 400, 429]
