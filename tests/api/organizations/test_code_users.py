"""People who signed up with a code, in the list of the code and on their own pages (rulings K54, K78 and K106)."""

from typing import Any
from uuid import UUID

from domain.people.login_names import parse_login_name
from domain.people.users import User
from tests.api.organizations.templates import an_employee
from tests.api.organizations.test_enrollment_codes import PATH, a_code
from tests.api.people.test_sign_ups import OPEN, signed_up
from tests.support.world.product import Person, World, a_world

USERS = f"{PATH}North-1/users/"


async def user_id_of(world: World, email: str) -> UUID:
    (user_id,) = await world.services.directory.users_named([parse_login_name(email)])
    return user_id


async def people(world: World, organization_id: UUID) -> dict[str, UUID]:
    """Ada, Bob and Cy, who signed up in this order."""
    await a_code(world, organization_id)
    found = {}
    for first, last in (("Ada", "Byron"), ("Bob", "Boole"), ("Cy", "Cantor")):
        email = f"{first.lower()}@people.test"
        await signed_up(world, username=email, first_name=first, last_name=last)
        found[first] = await user_id_of(world, email)
    return found


async def listed(world: World, by: Person, **asked: Any) -> list[str]:
    answer = await world.get(USERS, by, 200, **asked)
    assert answer["meta"]["page[total]"] >= len(answer["data"])
    return [row["id"] for row in answer["data"]]


async def test_the_newest_sign_up_is_the_first(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        ids = await people(world, clinic)
        newest = [str(ids[name]) for name in ("Cy", "Bob", "Ada")]
        for by in (await world.provider(clinic), await an_employee(world), world.system, world.service):
            assert await listed(world, by) == newest
        page = {"page[limit]": "1", "page[offset]": "1"}
        answer = await world.get(USERS, world.system, 200, **page)
        assert [row["id"] for row in answer["data"]] == newest[1:2]
        assert answer["meta"]["page[total]"] == 3
        await world.get(USERS, await world.patient(clinic), 404)
        await world.get(USERS, await world.provider(await world.organization()), 404)
        await world.get(f"{PATH}North-9/users/", world.system, 404)


async def test_providers_see_the_basic_attributes_only(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        await people(world, clinic)
        for by, whole in ((await world.admin(clinic), True), (await world.provider(clinic), False)):
            row = (await world.get(USERS, by))["data"][0]
            assert row["type"] == "organization-code-users"
            shown = row["attributes"]
            assert (shown["first-name"], shown["email"], shown["state"]) == ("Cy", "cy@people.test", "registered")
            assert (shown["registered"], shown["locale"]) == ((True, "en_US") if whole else (None, None))
        assert await listed(world, await world.provider(clinic), **{"email-verified": "false"}) == []


async def test_people_are_found_by_all_filters_together(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        ids = await people(world, clinic)
        user = await world.identity.store.get(User, ids["Bob"])
        user.confirm(email_verified=True)
        await world.identity.store.save(user)
        user = await world.identity.store.get(User, ids["Ada"])
        user.archive()
        await world.identity.store.save(user)
        await world.catch_up()
        ada, bob, cy = (str(ids[name]) for name in ("Ada", "Bob", "Cy"))
        for asked, expected in (
            ({}, [cy, bob]),
            ({"email": "BOB@people.test"}, [bob]),
            ({"email": "bo"}, []),
            ({"email-verified": "true"}, [bob]),
            ({"email-verified": "false"}, [cy]),
            ({"state": "confirmed"}, [bob]),
            ({"state": "registered"}, [cy]),
            ({"state": "archived"}, [ada]),
            ({"state": "disabled"}, []),
            ({"text": "CAN"}, [cy]),
            ({"text": "bob bo"}, [bob]),
            ({"text": "cy@"}, [cy]),
            ({"text": "oole"}, []),
            ({"text": "b", "state": "registered"}, []),
        ):
            assert await listed(world, world.system, **asked) == expected, asked
        for bad in (
            {"state": "gone"},
            {"email-verified": "yes"},
            {"text": "x" * 256},
            {"page[limit]": "0"},
            {"x": "1"},
        ):
            await world.get(USERS, world.system, 400, **bad)


async def test_sign_ups_are_shown_to_those_who_may_know_them(database_url: str) -> None:
    """Ruling K78."""
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        await a_code(world, clinic)
        data = {"likes": "numbers"}
        await signed_up(world, organization_code="nORTH-1", enrollment_data=data)
        user_id = await user_id_of(world, "ada@people.test")
        user = await world.identity.store.get(User, user_id)
        user.confirm(email_verified=True)
        await world.identity.store.save(user)
        await world.catch_up()
        path, asked = f"/v1/users/{user_id}/", {"with-signups": "true"}
        for by, told in (
            (await world.as_(user_id), data),
            (await world.admin(clinic), data),
            (world.service, data),
            (await an_employee(world), None),
            (world.system, None),
        ):
            shown = (await world.get(path, by, 200, **asked))["data"]["attributes"]
            assert [each["organization-code-id"] for each in shown["org-code-signup-requests"]] == ["North-1"]
            assert shown["enrollment-data"] == told
            plain = (await world.get(path, by))["data"]["attributes"]
            assert (plain["org-code-signup-requests"], plain["enrollment-data"]) == (None, None)
        basic = (await world.get(path, await world.provider(clinic), 200, **asked))["data"]["attributes"]
        assert (basic["org-code-signup-requests"], basic["enrollment-data"]) == (None, None)
