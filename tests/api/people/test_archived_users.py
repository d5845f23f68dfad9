"""Archived users: what lists and pages show of them, and which filters find them (rulings K75, K78, K106, K143, O9)."""

from typing import Any
from uuid import UUID

from domain.people.users import User
from tests.api.organizations.templates import an_employee
from tests.api.organizations.test_enrollment_codes import PATH, a_code
from tests.api.people.test_sign_ups import OPEN, signed_up, user_named
from tests.api.people.test_user_search import DATES, INACTIVE, archive, name
from tests.api.people.test_users import given, listed, shown
from tests.support.world.product import Person, World, a_world

USERS = f"{PATH}North-1/users/"


async def an_archived_sign_up(world: World, organization_id: UUID, **attributes: Any) -> UUID:
    """Somebody who signed up with North-1 and is archived."""
    await a_code(world, organization_id)
    await signed_up(world, **attributes)
    user_id = (await user_named(world)).id
    await archive(world, user_id)
    await world.catch_up()
    return user_id


async def readers(world: World, organization_id: UUID) -> dict[str, Person]:
    """Everybody whose lists may show the archived users of the organization."""
    employee, admin = await an_employee(world), await world.admin(organization_id)
    return {"EMP": employee, "SYS": world.system, "SVC": world.service, "OADM": admin}


async def test_archived_users_match_no_filter_on_what_lists_hide_of_them(database_url: str) -> None:
    """Rulings K75 and O9."""
    async with a_world(database_url) as world:
        north = await world.organization()
        patient = await world.patient(north)
        hidden: list[dict[str, str]] = [
            {"filter[enabled]": "true"}, {"filter[email-verified]": "true"}, {"filter[email-verified]": "false"},
            {"filter[classification]": "customer"}, {"filter[registration-invite]": "accepted"},
            {"filter[primary-individual-ids]": str(patient.individual_id)}, {"shared-with-id": str(north)},
        ]  # fmt: skip
        here = {"organization-id": str(north), **INACTIVE}
        by_kind = await readers(world, north)
        await archive(world, patient.user_id)
        for kind, by in by_kind.items():
            assert patient.user_id in await listed(world, by, **here), kind
            for query in hidden:
                if kind == "OADM" and "filter[classification]" in query:
                    continue  # refused
                for scope in (here,) if kind == "OADM" else (here, INACTIVE):
                    assert patient.user_id not in await listed(world, by, **scope, **query), (kind, query)


async def test_lists_do_not_tell_that_an_archived_user_was_a_tester(database_url: str) -> None:
    """Rulings K75 and O9: what is null does not match, so the exclusion of testers does not meet it."""
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [await world.patient(north) for _ in range(2)]
        for person, classification in zip(people, ("customer_test", "customer"), strict=True):
            user = await world.identity.store.get(User, person.user_id)
            user.classify(classification)
            user.archive()
            await world.identity.store.save(user)
        without = {"organization-id": str(north), **INACTIVE, "filter[include-tester]": "false"}
        for by in (await readers(world, north)).values():
            assert {person.user_id for person in people} <= set(await listed(world, by, **without))


async def test_the_sign_up_of_an_archived_user_is_not_read(database_url: str) -> None:
    """Rulings K78 and K143: the code is shown to those who may know it, and no personal value."""
    async with a_world(database_url, **OPEN) as world:
        data = {"likes": "numbers"}
        user_id = await an_archived_sign_up(
            world, await world.organization(), enrollment_data=data, birth_date="1980-01-01"
        )
        for by in (await an_employee(world), world.system, world.service):
            attributes = await shown(world, by, user_id, **{"with-signups": "true", "with-roles": "true"})
            assert [each["organization-code-id"] for each in attributes["org-code-signup-requests"]] == ["North-1"]
            personal = (
                "enrollment-data", "birth-date", "communication-preferences", "email", "first-name", "last-name",
                "phone", "username",
            )  # fmt: skip
            assert [attributes[name] for name in personal] == [None] * len(personal)


async def test_the_list_of_a_code_shows_state_and_dates_of_archived_people(database_url: str) -> None:
    """Rulings K75 and K106; providers get none of them, as in lists of users."""
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        user_id = await an_archived_sign_up(world, clinic, birth_date="1980-01-01")
        for kind, by in (await readers(world, clinic)).items():
            (row,) = (await world.get(USERS, by, 200, state="archived"))["data"]
            assert (row["id"], row["attributes"]["state"]) == (str(user_id), "archived")
            assert given(row["attributes"]) == {"state", *DATES}, kind
            for hidden in ("true", "false"):
                query = {"state": "archived", "email-verified": hidden}
                answer = await world.get(USERS, by, 200, **query)
                assert (answer["data"], answer["meta"]["page[total]"]) == ([], 0), (kind, query)
        assert (await world.get(USERS, await world.provider(clinic), 200, state="archived"))["data"] == []


async def test_a_repeated_request_tells_nothing_of_a_user_archived_since(database_url: str) -> None:
    """Ruling K143: also while the list of users lags behind."""
    async with a_world(database_url, position_wait=0) as world:
        patient = await world.patient(await world.organization())
        await name(world, patient.user_id, "Pat", "Ent")
        await world.catch_up()
        await world.stop_projecting()
        keyed = {**world.system.bearer, "Idempotency-Key": "once"}

        async def disable() -> dict[str, Any]:
            answer = await world.client.post(f"/v1/users/{patient.user_id}/disable/", headers=keyed)
            assert answer.status_code == 201, answer.text
            attributes: dict[str, Any] = answer.json()["data"]["attributes"]
            return attributes

        assert (await disable())["first-name"] == "Pat"
        await archive(world, patient.user_id)
        again = await disable()
        assert again["state"] == "archived"
        personal = ("first-name", "last-name", "email", "username", "communication-preferences", "birth-date")
        assert [again[each] for each in personal] == [None] * len(personal)
