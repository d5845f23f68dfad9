"""Users: who sees whom, and how much; who may disable whom."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from tests.support.world.product import PASSWORD, Person, World, a_world

BASIC = {"email", "enabled", "first-name", "last-name", "organization-ids", "state", "username"}
EVERYBODY = {"filter[include-participants]": "true", "filter[include-unverified]": "true"}


async def listed(world: World, by: Person, **query: Any) -> list[UUID]:
    await world.catch_up()
    return [UUID(row["id"]) for row in (await world.get("/v1/users/", by, **query))["data"]]


async def shown(world: World, by: Person, user_id: UUID, **query: Any) -> Any:
    await world.catch_up()
    return (await world.get(f"/v1/users/{user_id}/", by, **query))["data"]["attributes"]


async def refused(world: World, method: str, path: str, by: Person, **query: Any) -> tuple[int, str]:
    answer = await world.client.request(method, path, params=query, headers=by.bearer)
    return answer.status_code, answer.json()["errors"][0]["code"]


def given(attributes: dict[str, Any]) -> set[str]:
    return {name for name, value in attributes.items() if value is not None}


async def test_a_list_holds_the_providers_of_the_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, provider, patient = await world.admin(north), await world.provider(north), await world.patient(north)
        await world.provider(south)
        here = {"organization-id": str(north)}
        expected = sorted([admin.user_id, provider.user_id])
        assert await listed(world, admin, **here) == expected
        assert await listed(world, provider, **here) == expected
        assert await listed(world, world.system, **here) == expected
        with_patients = await listed(world, admin, **here, **{"filter[include-participants]": "true"})
        assert with_patients == sorted([*expected, patient.user_id])
        everybody = await world.get("/v1/users/", world.service)
        assert everybody["meta"]["page[total]"] == 4  # and no service account
        assert everybody["meta"]["position"] > 0


async def test_colleagues_see_the_basics_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, provider = await world.admin(north), await world.provider(north)
        await world.catch_up()
        rows = (await world.get("/v1/users/", provider, **{"organization-id": str(north)}))["data"]
        assert {row["id"] for row in rows} == {str(admin.user_id), str(provider.user_id)}
        assert all(given(row["attributes"]) <= BASIC for row in rows)  # their own user is in the list too
        assert given(await shown(world, provider, admin.user_id)) <= BASIC
        whole = await shown(world, admin, provider.user_id)
        assert whole["primary-individual-id"] == str(provider.individual_id)
        assert set(whole) == set(await shown(world, provider, admin.user_id))


async def test_lists_are_not_for_participants_and_strangers(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        assert await refused(world, "GET", "/v1/users/", patient, **{"organization-id": str(north)}) == (
            403,
            "forbidden",
        )
        assert await refused(world, "GET", "/v1/users/", provider) == (400, "invalid-parameter")
        stranger = await refused(world, "GET", "/v1/users/", provider, **{"organization-id": str(south)})
        assert stranger == (404, "not-found")
        classified = {"organization-id": str(north), "filter[classification]": "customer"}
        assert await refused(world, "GET", "/v1/users/", provider, **classified) == (403, "forbidden")


async def test_filters(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, doc = await world.admin(north, "adam@north.test"), await world.provider(north, "doc_1@north.test")
        patient = await world.patient(south, "pat@south.test")
        nina = await onboarded(world, south, {"phone-number": "+16505550100", "username": "Nina"})
        unverified = await onboarded(world, south, {"patient-email": "reg@south.test"}, at_once=False)
        system = world.system.user_id
        everybody = sorted([system, admin.user_id, doc.user_id, patient.user_id, nina, unverified])
        expected: list[tuple[dict[str, Any], list[UUID]]] = [
            ({}, [system, admin.user_id, doc.user_id]),
            (EVERYBODY, everybody),
            ({"filter[include-participants]": "true"}, [each for each in everybody if each != unverified]),
            ({"email": "ADAM@north.test"}, [admin.user_id]),
            ({**EVERYBODY, "filter[username]": "nina"}, [nina]),
            ({**EVERYBODY, "filter[username]": "pat@SOUTH.test"}, [patient.user_id]),
            ({**EVERYBODY, "filter[phone-number]": "+16505550100"}, [nina]),
            ({**EVERYBODY, "filter[email-verified]": "false"}, [nina, unverified]),
            ({"text": "DOC_"}, [doc.user_id]),
            ({"text": "do%"}, []),
            ({"text": "north"}, []),
            ({"filter[organization-admin]": "true"}, [system, admin.user_id]),
            ({"filter[organization-admin]": "true", "organization-id": str(north)}, [admin.user_id]),
            ({"filter[classification]": "carium"}, [system]),
            ({"filter[enabled]": "false"}, []),
            ({"shared-with-id": str(south)}, [patient.user_id, nina]),
            ({"shared-with-id": str(north)}, []),
            ({**EVERYBODY, "filter[primary-individual-ids]": str(patient.individual_id)}, [patient.user_id]),
            ({**EVERYBODY, "filter[registration-invite]": "none"}, [system, unverified]),
            (
                {**EVERYBODY, "filter[registration-invite]": ["accepted", "failed"]},
                [each for each in everybody if each not in {system, unverified}],
            ),
            ({"filter[cmp-last-modified-time]": ">2100-01-01 00:00:00"}, []),
            ({"filter[include-tester]": "false"}, [system, admin.user_id, doc.user_id]),
        ]
        inside = {north: {admin.user_id, doc.user_id}, south: {patient.user_id, nina}}
        for query, users in expected:
            assert await listed(world, world.system, **query) == sorted(users), query
            for here, people in [(None, set(users)), *([] if "organization-id" in query else inside.items())]:
                scope = {} if here is None else {"organization-id": str(here)}
                counted = await world.get("/v1/users/", world.system, **scope, **query, **{"page[limit]": 1})
                found = [row["id"] for row in counted["data"]]
                assert counted["meta"]["page[total]"] == len(people & set(users)), (query, here)
                assert found == [str(user) for user in sorted(people & set(users))[:1]], (query, here)


async def test_a_user_shared_with_a_user_is_found(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        patient, friend = await world.patient(north), await world.patient(north)
        share = {"with": {"type": "user", "id": str(friend.user_id)}, "operation": "read"}
        await world.post(f"/v1/individuals/{patient.individual_id}/share/", share, patient)
        assert await listed(world, world.service, **{"shared-with-id": str(friend.user_id)}) == [patient.user_id]
        shares = (await shown(world, patient, patient.user_id))["shared-with"]
        assert {(each["type"], each["id"]) for each in shares} == {
            ("organization", str(north)),
            ("user", str(friend.user_id)),
        }


async def test_callers_see_the_users_they_may_read(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        people = {
            "admin": await world.admin(north),
            "provider": await world.provider(north),
            "patient": await world.patient(north),
            "stranger": await world.provider(south),
            "other": await world.patient(north),
        }
        expected = {
            "admin": {"admin", "provider", "patient", "other"},
            "provider": {"admin", "provider", "patient", "other"},
            "patient": {"patient"},
            "stranger": {"stranger"},
        }
        await world.catch_up()
        for viewer, visible in expected.items():
            seen = set()
            for name, person in people.items():
                answer = await world.client.get(f"/v1/users/{person.user_id}/", headers=people[viewer].bearer)
                assert answer.status_code in {200, 404}
                if answer.status_code == 200:
                    seen.add(name)
            assert seen == visible, viewer
        for viewer_everywhere in (world.system, world.service):
            for person in people.values():
                await shown(world, viewer_everywhere, person.user_id)
            assert await refused(world, "GET", f"/v1/users/{uuid4()}/", viewer_everywhere) == (404, "not-found")
        assert await refused(world, "GET", f"/v1/users/{world.service.user_id}/", world.system) == (404, "not-found")


async def test_a_service_account_is_visible_to_itself_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        service = world.service
        attributes = await shown(world, service, service.user_id, **{"with-roles": "true", "with-signups": "true"})
        assert {name: value for name, value in attributes.items() if value not in (None, [])} == {
            "classification": "customer",
            "enabled": True,
            "state": "confirmed",
            "username": "apps/records",
        }
        assert set(attributes) == set(await shown(world, world.system, world.system.user_id))
        unseen = (404, "not-found")
        for by in (world.system, await world.provider(await world.organization())):
            assert await refused(world, "GET", f"/v1/users/{service.user_id}/", by) == unseen


async def test_administered_organizations_elsewhere_are_hidden(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, boss = await world.admin(north), await world.admin(south)
        adding = {"data": {"type": "organizations", "attributes": {"user-id": str(boss.user_id)}}}
        await world.post(f"/v1/organizations/{north}/add-user/", adding, world.system)
        for asked in ({}, {"organization-id": str(north)}, {"organization-id": str(south)}):
            assert (await shown(world, admin, boss.user_id, **asked))["organization-admin"] is False
            elsewhere = asked.get("organization-id") == str(north)
            assert (await shown(world, boss, boss.user_id, **asked))["organization-admin"] is not elsewhere
            assert (await shown(world, world.system, boss.user_id, **asked))["organization-admin"] is not elsewhere


async def test_a_user_is_shown_with_all_attributes_to_administrators(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        admin, doc = await world.admin(north), await world.provider(north, "doc@north.test", roles=["org.admin"])
        adding = {"data": {"type": "organizations", "attributes": {"user-id": str(doc.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", adding, world.system)
        login = {"username": "doc@north.test", "password": PASSWORD}
        assert (await world.client.post("/v1/login/", json=login)).status_code == 201
        asked = {"with-roles": "true", "with-signups": "true"}
        by_admin = await shown(world, admin, doc.user_id, **asked)
        assert [role["name"] for role in by_admin["roles"]] == ["org.admin"]
        assert by_admin["roles"][0]["organization-name"] == "north"
        assert len(by_admin["onboarding-requests"]) == 1
        assert [each["name"] for each in by_admin["organizations"]] == ["north"]
        by_himself = await shown(world, doc, doc.user_id, **asked)
        assert [each["name"] for each in by_himself["organizations"]] == ["north", "south"]
        assert (by_himself["organization-admin"], by_himself["organization-count"]) == (True, 2)
        assert by_himself["organization-id"] == str(north)
        assert by_himself["organization-ids"] == [str(north), str(south)]
        assert by_himself["authz-last-event-time"] <= by_himself["authz-last-populated-time"]
        assert (by_himself["status"], by_himself["state"]) == ("CONFIRMED", "confirmed")
        last = datetime.strptime(by_himself["last-login-time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - last).total_seconds()) < 60
        in_south = await shown(world, world.system, doc.user_id, **asked, **{"organization-id": str(south)})
        assert (in_south["organization-admin"], in_south["roles"]) == (False, [])
        plain = await shown(world, admin, doc.user_id)
        assert (plain["roles"], plain["onboarding-requests"]) == (None, None)


async def onboarded(world: World, organization_id: UUID, contact: dict[str, str], *, at_once: bool = True) -> UUID:
    attributes = {
        "organization": str(organization_id),
        "onboard-type": "patient",
        "notifications": [],
        "auto-sign-up": True,
        "auto-confirm": at_once,
        "password": PASSWORD,
        **contact,
    }
    body = {"data": {"type": "onboarding-requests", "attributes": attributes}}
    claimed = (await world.post("/v1/onboarding-requests/", body, world.system))["data"]["attributes"]["claimed-by"]
    if claimed is not None:
        return UUID(claimed)
    found = await world.services.directory.user_by_login(next(iter(contact.values())))
    assert found is not None
    return found
