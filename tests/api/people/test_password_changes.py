"""Changing one's own password, and that of another user as support (rulings K10, K46, K47, K64, K70 and K71)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from domain.core.principal import SessionKind
from domain.organizations.organizations import OPERATOR_ID
from tests.api.people.test_codes import ask as ask_anonymously
from tests.api.people.test_codes import assert_ended, codes, log_in, messages
from tests.support.world.product import PASSWORD, UNLIMITED, Person, World, a_world

NEW = "another-battery-staple-7"


async def change(world: World, person: Person, by: Person, status: int = 201, **body: Any) -> Any:
    given = {name.replace("_", "-"): value for name, value in body.items()}
    return await world.post(f"/v1/users/{person.user_id}/change-password/", given, by, status)


async def refusal(world: World, person: Person, by: Person, status: int, **body: Any) -> tuple[str, str | None]:
    """The code and the pointer of the one error."""
    (error,) = (await change(world, person, by, status, **body))["errors"]
    return error["code"], error["source"].get("pointer")


async def another_session(world: World, person: Person) -> Person:
    return await world.as_(person.user_id)


async def test_the_own_password_is_changed_and_other_sessions_end(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        other = await another_session(world, person)
        assert await change(world, person, person, old_password=PASSWORD, new_password=NEW) is None
        await assert_ended(world, other)
        await world.get(f"/v1/users/{person.user_id}/", person)
        assert await log_in(world, "ann@people.test", PASSWORD) == 401
        assert await log_in(world, "ann@people.test", NEW) == 201
        await world.catch_up()
        assert [message["template"] for message in messages(world, "ann@people.test")] == ["security-notice"]


async def test_other_sessions_stay_when_asked(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        other = await another_session(world, person)
        await change(world, person, person, old_password=PASSWORD, new_password=NEW, maintain_active_sessions=True)
        await world.get(f"/v1/users/{person.user_id}/", other)
        await change(world, person, other, old_password=NEW, new_password=PASSWORD)
        await assert_ended(world, person)


async def test_of_four_changes_with_one_old_password_one_succeeds(database_url: str) -> None:
    """Ruling K70: a password that was replaced meanwhile is a wrong one."""
    async with a_world(database_url, **UNLIMITED) as world:
        person = await world.patient(await world.organization())
        path = f"/v1/users/{person.user_id}/change-password/"
        passwords = [f"{NEW}{place}" for place in range(4)]
        sessions = [await another_session(world, person) for _ in passwords]
        answers = await asyncio.gather(
            *(
                world.client.post(
                    path,
                    json={"old-password": PASSWORD, "new-password": new, "maintain-active-sessions": True},
                    headers=session.bearer,
                )
                for new, session in zip(passwords, sessions, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
        refused = [answer.json()["errors"][0] for answer in answers if answer.status_code == 403]
        assert {(each["code"], each["source"]["pointer"]) for each in refused} == {
            ("invalid-credentials", "/old-password")
        }
        kept = next(new for new, answer in zip(passwords, answers, strict=True) if answer.status_code == 201)
        assert await log_in(world, person.email, kept) == 201


async def test_a_session_that_stayed_once_ends_like_all_others(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        await change(world, person, person, old_password=PASSWORD, new_password=NEW)
        await world.post(f"/v1/users/{person.user_id}/disable/", {}, world.system)
        await world.post(f"/v1/users/{person.user_id}/enable/", {}, world.system)
        await assert_ended(world, person)


async def test_refusals_come_in_their_order(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        person, admin = await world.people(organization, "patient", "admin")
        stranger = await world.patient(await world.organization())
        wrong: dict[str, Any] = {"old_password": "wrong-password-1", "new_password": "password"}
        await change(world, person, stranger, 404, **wrong)
        assert await refusal(world, person, admin, 403, **wrong) == ("forbidden", None)
        assert await refusal(world, world.service, world.service, 403, **wrong) == ("forbidden", None)
        borrowed = await world.borrowed(person, "impersonated")
        assert await refusal(world, person, borrowed, 403, **wrong) == ("impersonation-not-allowed", None)
        assert await refusal(world, person, person, 400, **wrong) == ("weak-password", "/new-password")
        same = {"old_password": PASSWORD, "new_password": PASSWORD}
        assert await refusal(world, person, person, 400, **same) == ("invalid-attribute", "/new-password")
        wrong["new_password"] = NEW
        assert await refusal(world, person, person, 403, **wrong) == ("invalid-credentials", "/old-password")


async def test_wrong_old_passwords_count_as_failed_logins(database_url: str) -> None:
    async with a_world(database_url, login_failures=6) as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        wrong: dict[str, Any] = {"old_password": "wrong-password-1", "new_password": NEW}
        await change(world, person, person, 403, **wrong)
        await log_in(world, "ann@people.test", "wrong-password-2")
        await change(world, person, person, 403, **wrong)
        assert await refusal(world, person, person, 429, old_password=PASSWORD, new_password="weak") == (
            "too-many-requests", None,
        )  # fmt: skip
        assert await log_in(world, "ann@people.test", PASSWORD) == 429


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"new_password": NEW}, "/old-password"),
        ({"old_password": PASSWORD, "context": "carium-support", "new_password": NEW}, "/context"),
        ({"context": "other-support", "new_password": NEW}, "/context"),
        ({"old_password": PASSWORD}, "/new-password"),
    ],
)
async def test_a_body_has_one_of_two_shapes(database_url: str, body: dict[str, str], pointer: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        found = await refusal(world, world.system, world.system, 400, **body)
        assert found[1] == pointer


async def test_support_makes_a_user_reset_their_password(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        support: dict[str, Any] = {"context": "carium-support", "new_password": NEW}
        await change(world, person, world.system, **support)
        await change(world, person, world.system, **support)
        await assert_ended(world, person)
        assert await log_in(world, "ann@people.test", PASSWORD) == 401
        answer = await ask_anonymously(world, "login", username="ann@people.test", password=NEW)
        assert answer.json()["errors"][0]["code"] == "password-reset-required"
        shown = (await world.get(f"/v1/users/{person.user_id}/", world.system))["data"]["attributes"]
        assert (shown["state"], shown["status"]) == ("force_reset_password", "RESET_REQUIRED")
        await ask_anonymously(world, "forgot-password", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "forgot-password")
        body = {"username": "ann@people.test", "confirmation_code": code, "password": PASSWORD}
        assert (await ask_anonymously(world, "confirm-forgot-password", **body)).is_success
        assert await log_in(world, "ann@people.test", PASSWORD) == 201


async def test_a_required_reset_only_stops_logins(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization(), "pia@people.test")
        await change(
            world, person, world.system, context="carium-support", new_password=NEW, maintain_active_sessions=True
        )
        await world.get(f"/v1/users/{person.user_id}/", person)
        body = {"access-query": [f"individual:{person.individual_id}:write"], "user-id": str(person.user_id)}
        assert await world.post("/v1/authz-resource-access/", body, person) == {"allow": True}


async def test_support_may_not_change_some_passwords(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, person = await world.people(organization, "admin", "patient")
        staff, colleague = [await world.provider(OPERATOR_ID) for _ in range(2)]
        support: dict[str, Any] = {"context": "carium-support", "new_password": NEW}
        assert await refusal(world, person, admin, 403, **support) == ("forbidden", None)
        assert await refusal(world, world.system, world.system, 403, **support) == ("forbidden", None)
        assert await refusal(world, person, world.service, 403, **support) == ("forbidden", None)
        assert await refusal(world, colleague, staff, 403, **support) == ("forbidden", None)
        assert await refusal(world, world.system, staff, 403, **support) == ("forbidden", None)
        weak = {**support, "new_password": "password"}
        assert await refusal(world, person, staff, 400, **weak) == ("weak-password", "/new-password")
        await change(world, person, staff, **support)
        await change(world, colleague, world.system, **support)


async def test_support_changes_the_password_of_former_staff(database_url: str) -> None:
    """Rulings K47 and O4: whoever left the operator's organization is no staff, whatever their classification is."""
    async with a_world(database_url) as world:
        staff, former, disabled = [await world.provider(OPERATOR_ID) for _ in range(3)]
        leaving = {"data": {"type": "organizations", "attributes": {"user-id": str(former.user_id)}}}
        await world.post(f"/v1/organizations/{OPERATOR_ID}/remove-user/", leaving, world.system)
        support: dict[str, Any] = {"context": "carium-support", "new_password": NEW}
        await change(world, former, staff, **support)
        await world.post(f"/v1/users/{disabled.user_id}/disable/", {}, world.system)
        assert await refusal(world, disabled, staff, 403, **support) == ("forbidden", None)


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_support_changes_no_password_in_a_borrowed_session(database_url: str, kind: SessionKind) -> None:
    """Ruling K131."""
    async with a_world(database_url) as world:
        person, staff = await world.patient(await world.organization()), await world.provider(OPERATOR_ID)
        weak: dict[str, Any] = {"context": "carium-support", "new_password": "password"}
        borrowed = await world.borrowed(staff, kind)
        assert await refusal(world, person, borrowed, 403, **weak) == ("impersonation-not-allowed", None)
