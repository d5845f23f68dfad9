"""Who changes contacts and passwords of whom, and in which states (rulings K45, K46, K65, K70 to K72, K143, C7)."""

from typing import Any
from uuid import UUID

from domain.people.users import User
from tests.api.organizations.templates import an_employee
from tests.api.people.test_codes import log_in, registered
from tests.api.people.test_contact_changes import an_invited_user
from tests.api.people.test_password_changes import NEW
from tests.api.people.test_password_changes import refusal as password_refusal
from tests.api.people.test_user_changes import at, change, refusals
from tests.api.people.test_user_search import archive
from tests.support.authenticators import an_enabled_authenticator
from tests.support.world.product import PASSWORD, Person, World, a_world

SUPPORT: dict[str, Any] = {"context": "carium-support", "new_password": NEW}


async def refused(world: World, path: str, body: Any, by: Person, status: int) -> str:
    """The code of the refusal of a POST."""
    (error,) = (await world.post(path, body, by, status))["errors"]
    return str(error["code"])


def nobody(user_id: UUID) -> Person:
    return Person(user_id, None, "", {})


async def test_staff_change_their_own_address_and_administrators_of_the_system_any(database_url: str) -> None:
    """Ruling K45."""
    async with a_world(database_url) as world:
        employee, patient = await an_employee(world), await world.patient(await world.organization())
        allowed = [
            (employee, employee),
            (world.system, patient),
            (world.service, patient),
            (world.system, world.system),
        ]
        for number, (by, whom) in enumerate(allowed):
            body = {"email": f"new-{number}@people.test"}
            assert await world.post(f"/v1/users/{whom.user_id}/change-email/", body, by) is None
        body = {"email": "other@people.test"}
        assert await refused(world, f"/v1/users/{patient.user_id}/change-email/", body, employee, 403) == "forbidden"


async def test_staff_change_their_own_passwords(database_url: str) -> None:
    """Ruling K46: with the old password nobody changes that of another user, not even the system's administrators."""
    async with a_world(database_url) as world:
        employee, patient = await an_employee(world), await world.patient(await world.organization())
        body = {"old-password": PASSWORD, "new-password": NEW}
        for by in (employee, world.system):
            other = f"/v1/users/{patient.user_id}/change-password/"
            assert await refused(world, other, body, by, 403) == "forbidden"
            assert await world.post(f"/v1/users/{by.user_id}/change-password/", body, by) is None
        assert await log_in(world, employee.email, NEW) == 201


async def test_an_archived_user_is_not_changed(database_url: str) -> None:
    """Rulings K65, K72 and K143: a conflict for those who may change users, and unknown to all others."""
    async with a_world(database_url) as world:
        north = await world.organization()
        employee, admin = await an_employee(world), await world.admin(north)
        gone = await world.provider(north)
        await archive(world, gone.user_id)
        path = f"/v1/users/{gone.user_id}/"
        number, address = {"phone-number": "+12025550147"}, {"email": "x@people.test"}
        for by in (world.system, world.service):
            for attributes in ({"first_name": "X"}, {"first_name": None}, {"phone": None}):
                found = (await change(world, gone, by, 409, **attributes))["errors"]
                assert [error["code"] for error in found] == ["invalid-state"]
            assert await refused(world, f"{path}change-email/", address, by, 409) == "invalid-state"
        for by in (employee, admin):
            assert (await change(world, gone, by, 404, first_name=None))["errors"][0]["code"] == "not-found"
            assert await refused(world, f"{path}change-email/", address, by, 404) == "not-found"
        for by in (world.system, world.service, employee):
            assert await refused(world, f"{path}confirm-phone/", number, by, 409) == "invalid-state"
        assert await refused(world, f"{path}confirm-phone/", number, admin, 404) == "not-found"


async def test_attributes_are_refused_also_without_a_change(database_url: str) -> None:
    """Ruling K65."""
    async with a_world(database_url) as world:
        admin, doc = await world.people(await world.organization(), "admin", "provider")
        found = await refusals(world, doc, admin, 403, email=doc.email, classification="customer", first_name=None)
        assert found == at("forbidden", "classification", "email")


async def test_the_new_password_is_judged_before_the_old_one(database_url: str) -> None:
    """Ruling K70."""
    async with a_world(database_url, projecting=False) as world:
        person = await world.patient(await world.organization())
        same = {"old_password": NEW, "new_password": NEW}  # and not their password
        expected = ("invalid-attribute", "/new-password")
        assert await password_refusal(world, person, person, 400, **same) == expected


async def test_support_resets_only_passwords_of_those_who_can_log_in(database_url: str) -> None:
    """Rulings K71 and K143."""
    async with a_world(database_url) as world:
        employee, gone = await an_employee(world), await world.patient(await world.organization())
        await archive(world, gone.user_id)
        waiting, invited = await registered(world, "reg@people.test"), await an_invited_user(world, "init@people.test")
        for by in (employee, world.system):
            for user_id in (waiting, invited, gone.user_id):
                found = await password_refusal(world, nobody(user_id), by, 409, **SUPPORT)
                assert found == ("invalid-state", None)


async def test_a_reset_by_support_leaves_the_second_factor(database_url: str) -> None:
    """Ruling K71."""
    async with a_world(database_url) as world:
        person = await world.patient(await world.organization())
        await an_enabled_authenticator(world, person)
        body = {"context": "carium-support", "new-password": NEW}
        await world.post(f"/v1/users/{person.user_id}/change-password/", body, await an_employee(world))
        (row,) = (await world.get("/v1/mfa-totp/", world.system, 200, **{"filter[user-id]": str(person.user_id)}))[
            "data"
        ]
        assert row["attributes"]["enabled-at"] is not None


async def test_the_last_administrator_of_the_system_stays_staff(database_url: str) -> None:
    """Ruling C7: who is reclassified is no administrator of the system any more."""
    async with a_world(database_url) as world:
        found = (await change(world, world.system, world.system, 409, classification="customer"))["errors"]
        assert [error["code"] for error in found] == ["last-admin"]
        assert (await world.identity.store.get(User, world.system.user_id)).classification == "carium"
