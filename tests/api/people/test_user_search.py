"""Whom lists of users contain and in which order; archived users (rulings K75 to K77, K79, K143, O1, E10 and I12)."""

from typing import Any
from uuid import UUID

import pytest

from domain.people.user_state import Profile
from domain.people.users import User
from projections.people.user_lists import SORT_KEYS
from tests.api.organizations.templates import an_employee
from tests.api.people.test_codes import registered
from tests.api.people.test_users import BASIC, EVERYBODY, given, listed, shown
from tests.support.world.product import Person, World, a_world

INACTIVE = {"filter[include-inactive]": "true", **EVERYBODY}
DATES = {"date-created", "date-last-modified", "last-modified-time"}


async def name(world: World, user_id: UUID, first: str | None, last: str | None) -> None:
    user = await world.identity.store.get(User, user_id)
    user.change_profile(Profile(first, last, None, None))
    await world.identity.store.save(user)


async def archive(world: World, user_id: UUID) -> None:
    user = await world.identity.store.get(User, user_id)
    user.archive()
    await world.identity.store.save(user)


async def rows(world: World, by: Person, **query: Any) -> dict[str, dict[str, Any]]:
    """The attributes of the listed users by their ids."""
    await world.catch_up()
    return {row["id"]: row["attributes"] for row in (await world.get("/v1/users/", by, **query))["data"]}


async def status_of(world: World, by: Person, user_id: UUID) -> int:
    await world.catch_up()
    return (await world.client.get(f"/v1/users/{user_id}/", headers=by.bearer)).status_code


async def test_archived_users_are_listed_if_asked_for_with_state_and_dates_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, doc, patient = await world.people(north, "admin", "provider", "patient")
        await name(world, patient.user_id, "Pat", "Ent")
        await archive(world, patient.user_id)
        here = {"organization-id": str(north)}
        for by in (await an_employee(world), world.system, world.service, admin):
            assert patient.user_id not in await listed(world, by, **here, **EVERYBODY)
            archived = (await rows(world, by, **here, **INACTIVE))[str(patient.user_id)]
            assert given(archived) == {"state", *DATES}
            assert archived["state"] == "archived"
        assert patient.user_id not in await listed(world, doc, **here, **INACTIVE)
        assert set(await listed(world, doc, **here, **INACTIVE)) == {admin.user_id, doc.user_id}


async def test_archived_users_match_no_personal_filter(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, patient = await world.admin(north), await world.patient(north, "pat@north.test")
        await name(world, patient.user_id, "Pat", "Ent")
        found = {"organization-id": str(north), **INACTIVE, "text": "pat e"}
        assert await listed(world, admin, **found) == [patient.user_id]
        await archive(world, patient.user_id)
        personal: list[dict[str, str]] = [
            {"text": "pat"}, {"text": "pat ent"}, {"email": "pat@north.test"}, {"filter[username]": "pat@north.test"},
        ]  # fmt: skip
        hidden = [
            {"filter[primary-individual-ids]": str(patient.individual_id)}, {"filter[enabled]": "true"},
            {"shared-with-id": str(north)},
        ]  # fmt: skip
        for query in personal:
            assert await listed(world, world.system, **INACTIVE, **query) == []
        for query in (*personal, *hidden):
            assert patient.user_id not in await listed(
                world, admin, **{"organization-id": str(north)}, **INACTIVE, **query
            )
        since = {"organization-id": str(north), **INACTIVE, "filter[cmp-last-modified-time]": ">2020-01-01 00:00:00"}
        assert (await listed(world, admin, **since))[-1] == patient.user_id


async def test_an_archived_user_is_read_without_personal_values_by_staff_and_services(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, doc, patient = await world.people(north, "admin", "provider", "patient")
        await name(world, patient.user_id, "Pat", "Ent")
        assert [await status_of(world, by, patient.user_id) for by in (admin, doc)] == [200, 200]
        await archive(world, patient.user_id)
        for by in (world.system, world.service):
            attributes = await shown(world, by, patient.user_id)
            assert (attributes["state"], attributes["status"], attributes["enabled"]) == ("archived", "ARCHIVED", False)
            assert attributes["classification"] == "customer"
            assert attributes["date-created"] is not None
            personal = (
                "birth-date",
                "communication-preferences",
                "email",
                "first-name",
                "last-name",
                "phone",
                "username",
            )
            assert [attributes[each] for each in personal] == [None] * 7
        assert [await status_of(world, by, patient.user_id) for by in (admin, doc)] == [404, 404]


async def test_disabled_users_are_listed_unless_filtered_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, doc = await world.admin(north), await world.provider(north)
        await world.post(f"/v1/users/{doc.user_id}/disable/", {}, admin)
        for by in (admin, world.system, world.service):
            here = {"organization-id": str(north)}
            assert await listed(world, by, **here) == sorted([admin.user_id, doc.user_id])
            assert await listed(world, by, **here, **{"filter[enabled]": "false"}) == [doc.user_id]
            assert await listed(world, by, **here, **{"filter[enabled]": "true"}) == [admin.user_id]


async def test_addresses_names_and_numbers_are_compared_in_their_normal_form(database_url: str) -> None:
    """Ruling K76."""
    async with a_world(database_url) as world:
        user_id = await registered(world, "Ann.Lee@BÜCHER.example", **{"phone-number": "+12025550147"})
        other = await registered(world, "ann.lee2@people.test")
        for query in (
            {"email": "ANN.lee@bücher.example"},
            {"email": "ann.lee@xn--bcher-kva.example"},
            {"filter[username]": " ann.LEE@bücher.EXAMPLE "},
            {"filter[phone-number]": "+12025550147"},
        ):
            assert await listed(world, world.system, **EVERYBODY, **query) == [user_id], query
        for query in ({"email": "ann.lee"}, {"filter[username]": "ann.lee"}, {"filter[phone-number]": "+1202555014"}):
            assert await listed(world, world.system, **EVERYBODY, **query) == [], query
        assert await listed(world, world.system, **EVERYBODY, text="ann.lee2") == [other]


async def test_text_begins_a_name_both_names_or_the_address(database_url: str) -> None:
    """Ruling K76."""
    async with a_world(database_url) as world:
        north = await world.organization()
        people = {each: await world.provider(north, f"{each}@north.test") for each in "abcd"}
        ids = {each: person.user_id for each, person in people.items()}
        await name(world, ids["a"], "Ana María", "Ibáñez")
        await name(world, ids["b"], "Ana", None)
        await name(world, ids["c"], None, "Anaya")
        await name(world, ids["d"], "Élodie", "100%_a")
        expected = {
            "ana": "abc", "ANA": "abc", "ana ": "a", "ana maría ib": "a", "ANA MARÍA IBÁÑEZ": "a", "ibáñez": "a",
            "ibáñez ana": "", "maría": "", "anaya": "c", "b@north": "b", "B@NORTH.TEST": "b", "north": "",
            "élodie 100%": "d", "E\u0301LODIE": "d", "100%_": "d", "100_": "", "%": "", "_": "", "\\": "", "none": "",
            "null": "", "elodie": "",
        }  # fmt: skip
        for text, found in expected.items():
            wanted = sorted(ids[each] for each in found)
            for scope in ({}, {"organization-id": str(north)}):
                assert await listed(world, world.system, **scope, text=text) == wanted, text
            assert await listed(world, people["b"], **{"organization-id": str(north)}, text=text) == wanted, text


async def test_all_filters_must_hold_and_any_of_the_individuals(database_url: str) -> None:
    """Ruling K76."""
    async with a_world(database_url) as world:
        north = await world.organization()
        ann, ben = await world.patient(north, "ann@north.test"), await world.patient(north, "ben@north.test")
        both = {"filter[primary-individual-ids]": [str(ann.individual_id), str(ben.individual_id)]}
        assert await listed(world, world.system, **EVERYBODY, **both) == sorted([ann.user_id, ben.user_id])
        assert await listed(world, world.system, **EVERYBODY, **both, text="ann") == [ann.user_id]
        assert await listed(world, world.system, **EVERYBODY, **both, text="ann", email="ben@north.test") == []


async def test_neither_confirmed_nor_verified_users_are_listed_if_asked_for(database_url: str) -> None:
    """O1: a confirmed user is always listed, even when no contact of theirs is verified."""
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        waiting = await registered(world, "waiting@people.test")
        attributes = {
            "organization": str(north), "onboard-type": "patient", "patient-email": "provisional@north.test",
            "auto-sign-up": True, "auto-confirm": True, "password": "a-battery-staple-7", "notifications": [],
        }  # fmt: skip
        body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
        made = await world.post("/v1/onboarding-requests/", body, admin)
        provisional = UUID(made["data"]["attributes"]["claimed-by"])
        participants = {"filter[include-participants]": "true"}
        attributes_of = await rows(world, world.system, **participants)
        assert str(waiting) not in attributes_of
        shown_one = attributes_of[str(provisional)]
        assert (shown_one["state"], shown_one["email-verified"], shown_one["phone-verified"]) == (
            "confirmed", False, False,
        )  # fmt: skip
        assert waiting in await listed(world, world.system, **EVERYBODY)
        assert provisional in await listed(world, admin, **participants, **{"organization-id": str(north)})


@pytest.mark.parametrize("key", sorted(SORT_KEYS))
async def test_names_are_sorted_without_case_and_nulls_come_last(database_url: str, key: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [await world.provider(north, f"{letter}@north.test") for letter in "Zbaéx"]
        for person, text in zip(people, ("Zoe", "ann", "Ann", "éva", None), strict=True):
            await name(world, person.user_id, text, text)
        attribute = {"id": "id", "email": "email"}.get(key, key)
        here = {"organization-id": str(north)}
        users = await rows(world, world.system, **here)

        def value(user_id: str) -> str | None:
            found = user_id if attribute == "id" else users[user_id][attribute]
            return None if found is None else str(found).lower()

        ordered = sorted(users, key=lambda user_id: (value(user_id) is None, value(user_id) or "", user_id))
        assert list(await rows(world, world.system, **here, **{"sort-by": key})) == ordered
        assert list(await rows(world, world.system, **here, **{"sort-by": f"-{key}"})) == ordered[::-1]
        everywhere = [each for each in await rows(world, world.system, **{"sort-by": f"-{key}"}) if each in users]
        assert everywhere == ordered[::-1]


async def test_addresses_are_sorted_as_they_are_shown(database_url: str) -> None:
    """Ruling K77: by code points, without case; an internationalized domain stands where its letters do."""
    async with a_world(database_url) as world:
        north = await world.organization()
        ordered = [
            (await world.provider(north, address)).user_id
            for address in ("a@Apple.test", "A@Bücher.test", "a@cat.test", "a@xn--anders-bcher-klb.test", "a@yes.test")
        ]
        for order, expected in (("email", ordered), ("-email", ordered[::-1])):
            for scope in ({}, {"organization-id": str(north)}):
                query = {"sort-by": order, **scope}
                everybody = await listed(world, world.system, **query)
                assert [user_id for user_id in everybody if user_id in ordered] == expected, query


async def test_a_chosen_order_wins_over_that_of_modification_times(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [(await world.provider(north, f"{letter}@north.test")).user_id for letter in "cab"]
        await name(world, people[0], "C", "C")
        await world.catch_up()
        changed = {"organization-id": str(north), "filter[cmp-last-modified-time]": ">2020-01-01 00:00:00"}
        assert await listed(world, world.system, **changed) == [people[1], people[2], people[0]]
        assert await listed(world, world.system, **changed, **{"sort-by": "email"}) == [people[1], people[2], people[0]]
        assert await listed(world, world.system, **changed, **{"sort-by": "-email"}) == [
            people[0],
            people[2],
            people[1],
        ]
        assert await listed(world, world.system, **changed, **{"sort-by": "id"}) == sorted(people)


async def test_a_required_reset_shows_in_the_status_while_disabled(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        waiting = await registered(world, "waiting@people.test")
        completed = (await shown(world, world.system, person.user_id))["registration-completed-time"]
        assert completed is not None
        user = await world.identity.store.get(User, person.user_id)
        user.require_password_reset("hashed", ends_sessions=True)
        await world.identity.store.save(user)
        for action, state in (
            (None, "force_reset_password"),
            ("disable", "disabled"),
            ("enable", "force_reset_password"),
        ):
            if action is not None:
                await world.post(f"/v1/users/{person.user_id}/{action}/", {}, world.system)
            attributes = await shown(world, world.system, person.user_id)
            assert (attributes["state"], attributes["status"]) == (state, "RESET_REQUIRED")
            assert attributes["registration-completed-time"] == completed  # the first confirmation
        attributes = await shown(world, world.system, waiting)
        assert (attributes["status"], attributes["registration-completed-time"]) == ("UNCONFIRMED", None)


async def test_providers_get_the_basic_attributes_in_lists_and_match_no_others(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        _, doc, patient = await world.people(north, "admin", "provider", "patient")
        here = {"organization-id": str(north), **EVERYBODY}
        assert all(given(attributes) <= BASIC for attributes in (await rows(world, doc, **here)).values())
        for query in (
            {"filter[primary-individual-ids]": str(patient.individual_id)},
            {"filter[email-verified]": "true"},
            {"filter[registration-invite]": "accepted"},
            {"filter[organization-admin]": "true"},
            {"filter[cmp-last-modified-time]": ">2020-01-01 00:00:00"},
            {"filter[phone-number]": "+12025550147"},
            {"shared-with-id": str(north)},
        ):
            assert await listed(world, doc, **here, **query) == [], query


async def test_services_list_the_users_of_all_organizations_as_staff_do(database_url: str) -> None:
    async with a_world(database_url) as world:
        for _ in range(2):
            await world.people(await world.organization(), "provider", "patient")
        staff = await listed(world, world.system, **EVERYBODY, text="p")
        assert staff == await listed(world, world.service, **EVERYBODY, text="p")
        for key in ("email", "-last-name"):
            by_staff = await listed(world, world.system, **EVERYBODY, **{"sort-by": key})
            assert by_staff == await listed(world, world.service, **EVERYBODY, **{"sort-by": key})
            assert len(by_staff) == 5
