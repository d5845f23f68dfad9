"""Changing users: profile, contacts, e-mail, phone, classification (K6, K7, K26, K44, K45, K48, K65 to K69, K72)."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine

from tests.api.people.test_codes import ask, codes, log_in, messages
from tests.support.world.product import PASSWORD, Person, World, a_world

Error = tuple[str, str | None]


async def change(world: World, person: Person | UUID, by: Person, status: int = 200, **attributes: Any) -> Any:
    """PATCH the user."""
    user_id = person if isinstance(person, UUID) else person.user_id
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    body = {"data": {"type": "users", "id": str(user_id), "attributes": given}}
    return await world.patch(f"/v1/users/{user_id}/", body, by, status)


async def refusals(world: World, person: Person | UUID, by: Person, status: int, **attributes: Any) -> list[Error]:
    """The codes and pointers of the refusals, by pointer."""
    errors = (await change(world, person, by, status, **attributes))["errors"]
    found = [(error["code"], error["source"].get("pointer")) for error in errors]
    return sorted(found, key=lambda error: error[1] or "")


def at(code: str, *names: str) -> list[Error]:
    return [(code, f"/data/attributes/{name}") for name in sorted(names)]


async def position(world: World) -> int:
    return await world.identity.store.save()


async def test_people_change_their_own_profile(database_url: str) -> None:
    """Ruling K66."""
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        shown = await change(
            world, person, person, first_name="  Ana ", last_name="Ruiz", locale="es_US", tz="Europe/Madrid",
            communication_preferences={"sms": {"quiet": True}, "email": {"weekly": True}},
        )  # fmt: skip
        attributes = shown["data"]["attributes"]
        assert (attributes["first-name"], attributes["last-name"], attributes["locale"]) == ("Ana", "Ruiz", "es_US")
        assert (attributes["locale-explicit"], attributes["tz"], attributes["tz-explicit"]) == (
            True, "Europe/Madrid", True,
        )  # fmt: skip
        shown = await change(
            world, person, person, tz=None, first_name=None, communication_preferences={"sms": {"a": 1}, "email": None}
        )
        attributes = shown["data"]["attributes"]
        assert (attributes["first-name"], attributes["tz"], attributes["tz-explicit"]) == (None, None, False)
        assert attributes["communication-preferences"] == {
            "email": None, "mobile": None, "sms": {"a": 1}, "voice": None, "web": None,
        }  # fmt: skip


async def test_the_same_values_record_nothing(database_url: str) -> None:
    """Ruling K140."""
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        same: dict[str, Any] = {
            "first_name": "Ana",
            "tz": "UTC",
            "communication_preferences": {"web": {"b": 1, "a": 2}},
        }
        await change(world, person, person, **same)
        before = await position(world)
        await change(world, person, person, email="ANN@people.test", **same)
        assert await position(world) == before
        assert messages_of_outbox(world) == []


def messages_of_outbox(world: World) -> list[dict[str, Any]]:
    return [] if world.settings.outbox is None else messages(world)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"first_name": " "}, "first-name"),
        ({"first_name": "x" * 256}, "first-name"),
        ({"first_name": "Ann\x0bLee"}, "first-name"),
        ({"last_name": "Lee\u2028Ann"}, "last-name"),
        ({"locale": "de_DE"}, "locale"),
        ({"tz": "Mars/Base"}, "tz"),
        ({"email": "nobody"}, "email"),
        ({"email": "ann@people.test\r\nBcc: eve@people.test"}, "email"),
        ({"email": '"ann\r\nBcc: eve"@people.test'}, "email"),
        ({"phone": "0301234"}, "phone"),
        ({"username": "ann"}, "username"),
        ({"communication_preferences": {"pigeon": {}}}, "communication-preferences/pigeon"),
    ],
)
async def test_malformed_values_are_refused(database_url: str, attributes: dict[str, Any], name: str) -> None:
    """Rulings K42 and K66: nothing that could add a header to an e-mail gets in."""
    async with a_world(database_url, projecting=False) as world:
        person = world.system
        assert await refusals(world, person, person, 400, **attributes) == at("invalid-attribute", name)


async def test_a_new_address_is_unverified_until_its_code_comes_back(database_url: str, tmp_path: Path) -> None:
    """Rulings K41 and K67."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        shown = await change(world, person, person, email="ann@new.test")
        attributes = shown["data"]["attributes"]
        assert (attributes["email"], attributes["email-verified"], attributes["username"]) == (
            "ann@new.test", False, "ann@new.test",
        )  # fmt: skip
        (code,) = await codes(world, "ann@new.test", "reverify-email")
        (notice,) = messages(world, "ann@people.test")
        assert (notice["template"], notice["code"], notice["link"]) == ("security-notice", None, None)
        assert (await log_in(world, "ann@people.test", PASSWORD), await log_in(world, "ann@new.test", PASSWORD)) == (
            401, 201,
        )  # fmt: skip
        assert (await ask(world, "confirm-sign-up", username="ann@new.test", confirmation_code=code)).is_success
        shown = await world.get(f"/v1/users/{person.user_id}/", person)
        assert shown["data"]["attributes"]["email-verified"] is True


async def test_codes_of_the_former_contact_are_void(database_url: str, tmp_path: Path) -> None:
    """Ruling K67."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        await ask(world, "forgot-password", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "forgot-password")
        await change(world, person, person, email="ann@new.test")
        body = {"username": "ann@new.test", "confirmation_code": code, "password": "another-battery-staple-7"}
        assert (await ask(world, "confirm-forgot-password", **body)).status_code == 400


async def test_a_phone_number_gets_its_code_by_sms(database_url: str, tmp_path: Path) -> None:
    """Rulings K66 and K67."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        await change(world, person, person, phone="+12025550147")
        (code,) = await codes(world, "+12025550147", "verify")
        assert await refusals(world, person, person, 409, username="phone") == at("conflict", "username")
        assert (await ask(world, "confirm-sign-up", username="+12025550147", confirmation_code=code)).is_success
        shown = await change(world, person, person, username="phone")
        assert shown["data"]["attributes"]["username"] == "+12025550147"
        assert await refusals(world, person, person, 409, phone=None) == at("conflict", "phone")
        await change(world, person, person, username="email")
        shown = await change(world, person, person, phone=None)
        assert shown["data"]["attributes"]["phone"] is None
        assert await refusals(world, person, person, 409, email=None) == at("conflict", "email")


async def test_a_contact_of_another_user_is_refused_and_counted(database_url: str) -> None:
    """Rulings K67 and K80."""
    async with a_world(database_url, lookup_misses_address=4) as world:
        organization = await world.organization()
        person, other = await world.people(organization, "patient", "patient")
        taken = at("already-exists", "email")
        assert await refusals(world, person, person, 409, email=other.email.upper()) == taken
        answer = await world.post(f"/v1/users/{person.user_id}/change-email/", {"email": other.email}, person, 409)
        assert (answer["errors"][0]["code"], answer["errors"][0]["source"]["pointer"]) == ("already-exists", "/email")
        await change(world, person, person, 429, email="free@people.test")


async def test_of_two_who_take_one_address_one_gets_it(database_url: str) -> None:
    """Ruling K142."""
    async with a_world(database_url) as world:
        people = await world.people(await world.organization(), "patient", "patient")
        bodies = [
            {"data": {"type": "users", "id": str(each.user_id), "attributes": {"email": "one@people.test"}}}
            for each in people
        ]
        answers = await asyncio.gather(
            *(
                world.client.patch(f"/v1/users/{each.user_id}/", json=body, headers=each.bearer)
                for each, body in zip(people, bodies, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert refused.json()["errors"][0]["source"] == {"pointer": "/data/attributes/email"}


async def test_contacts_are_changed_only_after_a_fresh_login(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        person = await world.patient(organization)
        system = world.system
        with time_machine.travel(timedelta(minutes=59, seconds=30)):
            await change(world, person, person, email="early@people.test")
        session = (await ask(world, "login", username="early@people.test", password=PASSWORD)).json()
        bearer = {"Authorization": f"Bearer {session['access-token']}"}
        with time_machine.travel(timedelta(hours=2)):
            refreshed = await ask(world, "refresh-token", refresh_token=session["refresh-token"])
            bearer = {"Authorization": f"Bearer {refreshed.json()['access-token']}"}
            late = Person(person.user_id, None, "", bearer)
            for name, value in (("email", "late@people.test"), ("phone", "+12025550147"), ("username", "email")):
                found = await refusals(world, late, late, 403, **{name: value})
                assert found == at("reauthentication-required", name)
            await change(world, late, late, first_name="Ana")
            fresh = await world.as_(system.user_id)
            await change(world, person, fresh, email="by.system@people.test")


@pytest.mark.parametrize(("seconds", "status"), [(7200, 200), (3600, 403), (0, 200)])
async def test_the_age_of_a_fresh_login_is_a_setting(database_url: str, seconds: int, status: int) -> None:
    """Ruling K26; 0 is off."""
    async with a_world(database_url, fresh_login_seconds=seconds) as world:
        person = await world.patient(await world.organization())
        session = (await ask(world, "login", username=person.email, password=PASSWORD)).json()
        with time_machine.travel(timedelta(minutes=90)):
            refreshed = await ask(world, "refresh-token", refresh_token=session["refresh-token"])
            bearer = {"Authorization": f"Bearer {refreshed.json()['access-token']}"}
            late = Person(person.user_id, None, "", bearer)
            await change(world, late, late, status, email="late@people.test")


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_change_no_contacts(database_url: str, kind: Any) -> None:
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        borrowed = await world.borrowed(person, kind)
        for name, value in (("email", "x@people.test"), ("phone", "+12025550147"), ("username", "email")):
            assert (await refusals(world, person, borrowed, 403, **{name: value}))[0][0] == "impersonation-not-allowed"
        path = f"/v1/users/{person.user_id}/change-email/"
        answer = await world.post(path, {"email": "x@people.test"}, borrowed, 403)
        assert answer["errors"][0]["code"] == "impersonation-not-allowed"
        await change(world, person, borrowed, first_name="Ana")


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_change_no_contacts_of_others(database_url: str, kind: Any) -> None:
    """Ruling K131."""
    async with a_world(database_url) as world:
        admin, provider = await world.people(await world.organization(), "admin", "provider")
        acting, stranger = await world.borrowed(admin, kind), await world.patient(await world.organization())
        system = await world.borrowed(world.system, kind)
        for by, name, value in (
            (acting, "phone", "+12025550147"), (system, "email", "x@people.test"), (system, "phone", "+12025550147"),
            (system, "username", "email"), (system, "communication_preferences", {"sms": {}}),
        ):  # fmt: skip
            found = await refusals(world, provider, by, 403, first_name="Ana", **{name: value})
            assert [code for code, _ in found] == ["impersonation-not-allowed"], name
        path = f"/v1/users/{provider.user_id}/change-email/"
        answer = await world.post(path, {"email": "x@people.test"}, system, 403)
        assert answer["errors"][0]["code"] == "impersonation-not-allowed"
        await change(world, stranger, acting, 404, phone="+12025550147")
        await change(world, provider, acting, first_name="Ana")


async def test_administrators_change_little_of_their_providers(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, provider, patient = await world.people(north, "admin", "provider", "patient")
        await change(world, provider, admin, first_name="Pia", locale="en_US", tz="UTC", phone="+12025550147")
        found = await refusals(
            world, provider, admin, 403, email="x@people.test", last_name="Q", classification="carium"
        )
        assert found == at("forbidden", "classification", "email")
        shown = await world.get(f"/v1/users/{provider.user_id}/", admin)
        assert shown["data"]["attributes"]["last-name"] is None
        assert await refusals(world, patient, admin, 403, first_name="X") == at("forbidden", "first-name")
        joining = {"data": {"type": "organizations", "attributes": {"user-id": str(provider.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", joining, world.system)
        assert await refusals(world, provider, admin, 403, phone="+12025550148") == at("forbidden", "phone")
        await change(world, provider, admin, last_name="Quist")


async def test_only_some_callers_may_change_other_users(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        provider, patient = await world.people(organization, "provider", "patient")
        stranger = await world.patient(await world.organization())
        for by in (provider, stranger):
            statuses = {403, 404}
            body = {"data": {"type": "users", "id": str(patient.user_id), "attributes": {"first-name": "X"}}}
            answer = await world.client.patch(f"/v1/users/{patient.user_id}/", json=body, headers=by.bearer)
            assert answer.status_code in statuses
        await change(world, patient, world.service, first_name="By service")
        assert await refusals(world, patient, world.service, 403, classification="customer_test") == at(
            "forbidden", "classification"
        )
        assert await refusals(world, patient, world.system, 409, classification="carium") == at(
            "conflict", "classification"
        )
        await change(world, patient, world.system, classification="customer_test")
        await change(world, uuid4(), world.system, 404, first_name="X")


async def test_the_default_organization_must_be_ones_own(database_url: str) -> None:
    """Ruling K68."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider = await world.provider(north)
        assert await refusals(world, provider, provider, 409, default_organization_id=str(south)) == at(
            "not-in-organization", "default-organization-id"
        )
        shown = await change(world, provider, provider, default_organization_id=str(north))
        assert shown["data"]["attributes"]["default-organization-id"] == str(north)
        shown = await change(world, provider, provider, default_organization_id=None)
        assert shown["data"]["attributes"]["default-organization-id"] is None


async def test_change_email_answers_null(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        path = f"/v1/users/{person.user_id}/change-email/"
        assert await world.post(path, {"email": "new@people.test"}, person) is None
        shown = await world.get(f"/v1/users/{person.user_id}/", person)
        assert shown["data"]["attributes"]["email"] == "new@people.test"


async def test_staff_and_services_confirm_the_phone_number_of_a_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, person = await world.people(organization, "admin", "patient")
        path = f"/v1/users/{person.user_id}/confirm-phone/"
        number = {"phone-number": "+12025550147"}
        answer = await world.post(path, number, world.service, 409)
        assert answer["errors"][0]["code"] == "conflict"
        await change(world, person, person, phone="+12025550147")
        await world.post(path, {"phone-number": "+442079460018"}, world.service, 400)
        await world.post(path, number, admin, 403)
        await world.post(path, number, person, 403)
        await world.post(f"/v1/users/{uuid4()}/confirm-phone/", number, world.service, 404)
        await world.post(path, {"phone-number": "+12025550148"}, world.service, 409)
        assert await world.post(path, number, world.service) is None
        before = await position(world)
        assert await world.post(path, number, world.system) is None
        assert await position(world) == before
        shown = await world.get(f"/v1/users/{person.user_id}/", person)
        assert shown["data"]["attributes"]["phone-verified"] is True
