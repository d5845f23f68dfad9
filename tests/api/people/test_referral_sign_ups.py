"""Signing up with the code of an invitation (rulings K8, K81 to K83, K85, K86, K88, K96, K99, K138 and O1)."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine

from tests.api.onboarding.test_requests import allowed
from tests.api.onboarding.test_requests import ask as ask_to_onboard
from tests.api.onboarding.test_service_documents import add
from tests.api.people.test_codes import MISMATCH, ask, codes, log_in, refusal
from tests.support.tables import appended
from tests.support.world.product import PASSWORD, Person, World, a_world

ADDRESS = "ann@people.test"
NUMBER = "+16505550177"
NEW = "another-battery-staple-7"


async def invited(world: World, by: Person, organization_id: UUID, **attributes: Any) -> tuple[dict[str, Any], str]:
    """A request that invites Ann, unless another address is given, by e-mail, and the code of the invitation."""
    wanted = {
        "organization": str(organization_id), "onboard-type": "patient", "patient-email": ADDRESS,
        "notifications": ["email"], **attributes,
    }  # fmt: skip
    body = {"data": {"type": "onboarding-requests", "attributes": wanted}}
    request = (await world.post("/v1/onboarding-requests/", body, by))["data"]
    templates = {"patient": "onboarding", "provider": "onboarding-provider"}
    address = attributes.get("patient-email", ADDRESS)
    sent = await codes(world, address, templates[attributes.get("onboard-type", "patient")])
    return request, sent[-1]


def given(code: str, **members: Any) -> dict[str, Any]:
    return {"referral_code": code, "username": ADDRESS, "password": PASSWORD, **members}


async def request_of(world: World, request: dict[str, Any], by: Person) -> dict[str, Any]:
    await world.catch_up()
    shown = await world.get(f"/v1/onboarding-requests/{request['id']}/", by)
    attributes: dict[str, Any] = shown["data"]["attributes"]
    return attributes


async def test_an_invited_person_signs_up_confirms_and_enters(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        admin, group = await world.admin(north), await world.group(north)
        request, code = await invited(world, admin, north, **{"individual-group-id": str(group)})
        answer = await ask(world, "sign-up", **given(code.lower().replace("-", " "), locale="es_US"))
        assert (answer.status_code, answer.json()) == (201, {"account-type": "patient"})
        assert int(answer.headers["X-Position"]) > 0
        shown = await request_of(world, request, admin)
        assert (shown["status"], shown["last-invite"]["email"]["status"]) == ("registering", "responded")
        assert await log_in(world, ADDRESS, PASSWORD) == 403
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        shown = await request_of(world, request, admin)
        assert (shown["status"], shown["done"]) == ("claimed", True)
        user_id = UUID(shown["claimed-by"])
        assert await allowed(world, user_id, f"group:{group}:contain")
        user = (await world.get(f"/v1/users/{user_id}/", world.system))["data"]["attributes"]
        assert (user["locale"], user["locale-explicit"], user["registration-invite"]) == ("es_US", False, "accepted")


async def test_everything_of_a_confirmation_is_one_append(database_url: str, tmp_path: Path) -> None:
    """Ruling K138."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        given_to_ann = {"onboard-type": "provider", "provider-roles": ["org.admin"]}
        wanted = {**given_to_ann, "individual-group-id": str(await world.group(north))}
        _, code = await invited(world, world.system, north, **wanted)
        assert (await ask(world, "sign-up", **given(code))).is_success
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        before = await world.identity.store.save()
        answer = await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)
        async with world.pool.connection() as connection:
            topics, transactions = await appended(connection, before, int(answer.headers["X-Position"]))
        assert transactions == 1
        assert topics >= {
            "user.confirmed", "user.joined-organization", "role.granted", "roster-entry.added",
            "onboarding-request.claimed", "verification-code.used",
        }  # fmt: skip


async def test_an_invited_provider_enters_at_the_confirmation(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        _, code = await invited(world, world.system, north, **{"onboard-type": "provider"})
        answer = await ask(world, "sign-up", **given(code, username="ann.smith"))
        assert answer.json() == {"account-type": "provider"}
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        answer = await ask(world, "confirm-sign-up", username="Ann.Smith", confirmation_code=confirmation, login=True)
        assert (answer.json()["account-type"], answer.json()["organizations"]) == ("provider", [str(north)])
        assert answer.json()["username"] == "ann.smith"


async def test_codes_that_lead_nowhere_answer_alike(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        request, code = await invited(world, world.system, north)
        found = [await refusal(world, "sign-up", **given("0000-0000-0000-0000"))]
        change = {"type": "onboarding-requests", "id": request["id"], "attributes": {"email": "other@people.test"}}
        await world.patch(f"/v1/onboarding-requests/{request['id']}/", {"data": change}, world.system)
        found.append(await refusal(world, "sign-up", **given(code)))
        await world.catch_up()
        (newer,) = await codes(world, "other@people.test", "onboarding")
        with time_machine.travel(timedelta(days=31)):
            found.append(await refusal(world, "sign-up", **given(newer, username="other@people.test")))
        assert found == [("invalid-referral-code", "/referral-code")] * 3


async def test_the_code_of_a_claimed_invitation_is_refused(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        await ask(world, "sign-up", **given(code))
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)
        answer = await ask(world, "sign-up", **given(code))
        (error,) = answer.json()["errors"]
        assert (error["code"], error["source"], error["status"]) == (
            "invalid-state", {"pointer": "/referral-code"}, 409,
        )  # fmt: skip


async def test_an_invitation_of_a_confirmed_user_is_no_sign_up(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await world.patient(await world.organization(), ADDRESS)
        south = await world.organization()
        _, code = await invited(world, await world.admin(south), south)
        answer = await ask(world, "sign-up", **given(code))
        (error,) = answer.json()["errors"]
        assert (error["code"], error["source"]) == ("already-exists", {"pointer": "/username"})


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"username": "else@people.test"}, "invalid-attribute", "/username"),
        ({"username": "a b"}, "invalid-attribute", "/username"),
        ({"username": "+12"}, "invalid-attribute", "/username"),
        ({"set_username": "phone"}, "invalid-attribute", "/set-username"),
        ({"source": "sms"}, "invalid-attribute", "/source"),
        ({"password": "password"}, "weak-password", "/password"),
        ({"password": f"{ADDRESS}1"}, "weak-password", "/password"),
        ({"first_name": "Ann"}, "invalid-attribute", "/first-name"),
        ({"tz": "Mars/Base"}, "invalid-attribute", "/tz"),
        ({"organization_code": "north"}, "invalid-attribute", "/referral-code"),
    ],
)
async def test_members_that_do_not_fit_are_refused(
    database_url: str, tmp_path: Path, members: dict[str, Any], code: str, pointer: str
) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, referral = await invited(world, world.system, await world.organization())
        before = await world.identity.store.save()
        assert await refusal(world, "sign-up", **given(referral, **members)) == (code, pointer)
        assert await world.identity.store.save() == before


async def test_a_number_fills_the_contact_that_the_invitation_lacks(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        answer = await ask(world, "sign-up", **given(code, username="+12025550147", source="sms"))
        assert answer.status_code == 201, answer.text
        (confirmation,) = await codes(world, "+12025550147", "verify")
        body = {"username": "+12025550147", "confirmation_code": confirmation, "login": True}
        document = (await ask(world, "confirm-sign-up", **body)).json()
        assert (document["username"], document["email"]) == ("+12025550147", ADDRESS)


async def test_the_contact_that_was_typed_as_user_name_is_the_login_name(database_url: str, tmp_path: Path) -> None:
    """Rulings K82 and K83."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        request, code = await invited(
            world, world.system, await world.organization(), **{"phone-number": NUMBER, "auto-confirm": True}
        )
        assert (await ask(world, "sign-up", **given(code, username=NUMBER))).is_success
        shown = await request_of(world, request, world.system)
        user = (await world.get(f"/v1/users/{shown['claimed-by']}/", world.system))["data"]["attributes"]
        assert (user["username"], user["email"]) == (NUMBER, ADDRESS)


async def test_a_name_of_another_user_is_taken(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        _, code = await invited(world, world.system, north)
        await ask(world, "sign-up", **given(code, username="ann.smith"))
        await ask_to_onboard(
            world, world.system, north, **{"patient-email": "bob@people.test", "notifications": ["email"]}
        )
        (other,) = await codes(world, "bob@people.test", "onboarding")
        answer = await ask(world, "sign-up", **given(other, username="ANN.smith"))
        (error,) = answer.json()["errors"]
        assert (error["code"], error["source"]) == ("already-exists", {"pointer": "/username"})


async def test_a_second_sign_up_replaces_the_first(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        await ask(world, "sign-up", **given(code, username="first.name"))
        (first,) = await codes(world, ADDRESS, "verify-email")
        assert (await ask(world, "sign-up", **given(code, password=NEW))).status_code == 201
        second = (await codes(world, ADDRESS, "verify-email"))[-1]
        assert await refusal(world, "confirm-sign-up", username=ADDRESS, confirmation_code=first) == MISMATCH
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=second)).is_success
        assert (await log_in(world, ADDRESS, PASSWORD), await log_in(world, ADDRESS, NEW)) == (401, 201)
        assert await log_in(world, "first.name", NEW) == 401


async def test_two_sign_ups_at_once_leave_one_account(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        answers = await asyncio.gather(
            *(ask(world, "sign-up", **given(code, password=each)) for each in (PASSWORD, NEW))
        )
        assert [answer.status_code for answer in answers] == [201, 201]
        confirmation = (await codes(world, ADDRESS, "verify-email"))[-1]
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        assert sorted([await log_in(world, ADDRESS, PASSWORD), await log_in(world, ADDRESS, NEW)]) == [201, 401]


async def test_a_request_that_confirms_at_once_needs_no_code(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        request, code = await invited(world, world.system, await world.organization(), **{"auto-confirm": True})
        answer = await ask(world, "sign-up", **given(code))
        assert answer.status_code == 201
        shown = await request_of(world, request, world.system)
        assert shown["status"] == "claimed"
        assert await codes(world, ADDRESS, "verify-email") == []
        assert await log_in(world, ADDRESS, PASSWORD) == 201


async def test_auto_confirm_of_the_public_caller_counts_for_nothing(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        await ask(world, "sign-up", **given(code, auto_confirm=True))
        assert await log_in(world, ADDRESS, PASSWORD) == 403


async def test_a_provisional_account_is_handed_over_to_the_invited_person(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        made = {"password": PASSWORD, "auto-sign-up": True, "auto-confirm": True, "notifications": []}
        contacts = {"patient-email": ADDRESS, "phone-number": NUMBER}
        await ask_to_onboard(world, await world.admin(north), north, **contacts, **made)
        assert await log_in(world, ADDRESS, PASSWORD) == 201
        request, code = await invited(world, await world.admin(south), south, **{"phone-number": NUMBER})
        assert (await ask(world, "sign-up", **given(code, password=NEW, set_username="phone"))).status_code == 201
        assert (await log_in(world, ADDRESS, PASSWORD), await log_in(world, ADDRESS, NEW)) == (401, 201)
        shown = await request_of(world, request, world.system)
        assert shown["status"] == "claimed"
        user = (await world.get(f"/v1/users/{shown['claimed-by']}/", world.system))["data"]["attributes"]
        assert (user["email-verified"], user["username"]) == (True, NUMBER)


async def test_sign_ups_are_limited_by_address(database_url: str) -> None:
    async with a_world(database_url, projecting=False, sign_ups_address=4) as world:
        statuses = [
            (await ask(world, "sign-up", **given("0000-0000-0000-0000", password=each))).status_code
            for each in ("", PASSWORD, PASSWORD)
        ]
        assert statuses == [400, 400, 429]


async def test_it_is_no_sign_up_either_when_the_user_is_disabled(database_url: str, tmp_path: Path) -> None:
    """Ruling K8."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        patient = await world.patient(await world.organization(), ADDRESS)
        south = await world.organization()
        _, code = await invited(world, await world.admin(south), south)
        await world.post(f"/v1/users/{patient.user_id}/disable/", {}, world.system)
        answer = await ask(world, "sign-up", **given(code))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "already-exists")


async def test_the_form_of_a_user_name_is_judged_before_the_code(database_url: str) -> None:
    """Ruling K81: what is wrong with the syntax counts neither as a sign-up nor as an invalid code."""
    async with a_world(database_url, projecting=False, sign_ups_address=2, lookup_misses_address=2) as world:
        for username in ("a b", "ab", "x" * 65, "ann@"):
            bad = given("0000-0000-0000-0000", username=username)
            assert await refusal(world, "sign-up", **bad) == ("invalid-attribute", "/username")
        assert (await refusal(world, "sign-up", **given("0000-0000-0000-0000")))[0] == "invalid-referral-code"


async def test_a_password_that_is_the_name_of_the_invited_person_is_weak(database_url: str, tmp_path: Path) -> None:
    """Ruling K114: the names of the user count, although the invitation does not contain them."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        (user_id,) = (await world.services.directory.users_by_email([ADDRESS])).values()
        named = {"data": {"type": "users", "id": str(user_id), "attributes": {"first-name": "Wolfeschlegel"}}}
        await world.patch(f"/v1/users/{user_id}/", named, world.system)
        weak = given(code, password="wolfeschlegel")
        assert await refusal(world, "sign-up", **weak) == ("weak-password", "/password")


async def test_required_documents_come_before_the_password(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        document = await add(world, organization_id=str(north))
        _, code = await invited(world, world.system, north)
        weak = given(code, password="password")
        answer = await ask(world, "sign-up", **weak)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (403, "service-documents-required")
        assert error["meta"] == {"service-documents": [document]}
        unknown = await refusal(world, "sign-up", **weak, service_document_agreements=[str(UUID(int=1))])
        assert unknown == ("invalid-attribute", "/service-document-agreements/0")
        answer = await ask(world, "sign-up", **given(code), service_document_agreements=[document])
        assert answer.status_code == 201
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        body = {"username": ADDRESS, "confirmation_code": confirmation, "login": True}
        assert "access-token" in (await ask(world, "confirm-sign-up", **body)).json()
