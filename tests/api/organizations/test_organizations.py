import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.organizations.organizations import OPERATOR_ID
from tests.api.organizations.templates import each_of
from tests.support.world.product import Person, World, a_world, role_id

PATH = "/v1/organizations/"


def create(**attributes: Any) -> dict[str, Any]:
    return {"data": {"type": "organizations", "attributes": {"name": f"org-{uuid4().hex[:12]}", **attributes}}}


def change(organization_id: UUID, **attributes: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"data": {"type": "organizations", "id": str(organization_id), "attributes": given}}


def action(**attributes: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
    return {"data": {"type": "organizations", "attributes": given}}


async def names(world: World, by: Person, **parameters: Any) -> list[str]:
    answer = await world.get(PATH, by, **parameters)
    return [each["attributes"]["name"] for each in answer["data"]]


async def refused(world: World, path: str, body: Any, by: Person, refusal: str) -> list[dict[str, Any]]:
    """The errors of a refused action, all of the one kind."""
    status, code = refusal.split()
    errors: list[dict[str, Any]] = (await world.post(path, body, by, int(status)))["errors"]
    assert {error["code"] for error in errors} == {code}
    return errors


async def test_a_system_administrator_creates_an_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        body = create(name="north-clinic", **{"display-name": "North", "timezone": "Europe/Vienna"})
        answer = await world.client.post(PATH, json=body, headers=world.system.bearer)
        assert answer.status_code == 201
        document = answer.json()
        assert document["data"]["attributes"] | {"last-modified-time": ""} == {
            "authorization-type": "restricted",
            "classification": "customer",
            "display-name": "North",
            "is-active": True,
            "last-modified-time": "",
            "logo-ready-to-use": False,
            "name": "north-clinic",
            "provider-type": "coach",
            "theme-id": None,
            "timezone": "Europe/Vienna",
        }
        assert answer.headers["X-Position"] == str(document["meta"]["position"])
        detail = await world.get(f"{PATH}{document['data']['id']}/", world.system)
        assert detail["data"] == document["data"]


@pytest.mark.parametrize(
    ("name", "value"),
    each_of(
        {
            "name": ["North", "-north", "n" * 64, ""],
            "timezone": ["Mars/Olympus"],
            "classification": ["other"],
            "provider-type": ["x" * 65],
            "is-active": [False],
            "authorization-type": ["open"],
        }
    ),
)
async def test_invalid_organizations_are_refused(database_url: str, name: str, value: Any) -> None:
    async with a_world(database_url, projecting=False) as world:
        (error,) = await refused(world, PATH, create(**{name: value}), world.system, "400 invalid-attribute")
        assert error["source"]["pointer"] == f"/data/attributes/{name}"


async def test_a_name_is_taken_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        await world.organization("clinic")
        other = await world.organization("other")
        (error,) = await refused(world, PATH, create(name="clinic"), world.system, "409 already-exists")
        assert error["source"]["pointer"] == "/data/attributes/name"
        answer = await world.patch(f"{PATH}{other}/", change(other, name="clinic"), world.system, 409)
        assert answer["errors"][0]["source"]["pointer"] == "/data/attributes/name"


async def test_one_of_two_concurrent_creations_gets_the_name(database_url: str) -> None:
    async with a_world(database_url) as world:
        body = create(name="clinic")
        answers = await asyncio.gather(
            *(world.client.post(PATH, json=body, headers=world.system.bearer) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        assert await names(world, world.system) == ["clinic", "operator"]


async def test_only_system_administrators_create_organizations(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        staff = await world.provider(OPERATOR_ID)
        for by in (await world.admin(clinic), await world.patient(clinic), staff, world.service):
            await refused(world, PATH, create(), by, "403 forbidden")


async def test_callers_see_the_organizations_they_may_read(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b, _ = [await world.organization(name) for name in ("a", "b", "c")]
        provider, patient = await world.provider(a), await world.patient(b)
        assert await names(world, provider) == ["a"]
        assert await names(world, patient) == ["b"]
        for everything in (world.system, world.service, await world.provider(OPERATOR_ID)):
            assert await names(world, everything) == ["a", "b", "c", "operator"]
        (shown,) = (await world.get(PATH, patient))["data"]
        assert {name for name, value in shown["attributes"].items() if value is not None} == {
            "name",
            "display-name",
            "logo-ready-to-use",
            "is-active",
        }
        assert (await world.get(f"{PATH}{b}/", patient))["data"] == shown
        for by, organization in ((patient, a), (provider, b), (provider, uuid4())):
            await world.get(f"{PATH}{organization}/", by, 404)


async def test_pages_and_filters(database_url: str) -> None:
    async with a_world(database_url) as world:
        for name in ("north-clinic", "south-clinic", "lab"):
            await world.organization(name)
        page = await world.get(PATH, world.system, **{"page[limit]": 2, "page[offset]": 1})
        assert [each["attributes"]["name"] for each in page["data"]] == ["north-clinic", "operator"]
        assert {name: value for name, value in page["meta"].items() if name != "position"} == {
            "page[limit]": 2,
            "page[offset]": 1,
            "page[total]": 4,
        }
        assert await names(world, world.system, **{"filter[name]": "lab"}) == ["lab"]
        assert await names(world, world.system, **{"filter[name][contains]": "Clinic"}) == [
            "north-clinic",
            "south-clinic",
        ]
        future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
        assert await names(world, world.system, **{"filter[cmp-last-modified-time]": f">{future}"}) == []
        before = await names(world, world.system, **{"filter[cmp-last-modified-time]": f"<{future}"})
        assert before == ["operator", "north-clinic", "south-clinic", "lab"]
        for bad in (
            {"page[limit]": 0},
            {"page[limit]": 1001},
            {"filter[cmp-last-modified-time]": ">=2026-01-01 00:00:00"},
        ):
            await world.get(PATH, world.system, 400, **bad)


async def test_administrators_are_told_each_attribute_they_may_not_change(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization("clinic")
        admin = await world.admin(clinic)
        path = f"{PATH}{clinic}/"
        answer = await world.patch(path, change(clinic, display_name="New", timezone="Europe/Vienna"), admin)
        assert answer["data"]["attributes"]["display-name"] == "New"
        body = change(clinic, display_name="Newer", name="clinic", is_active=True, theme_id=None)
        answer = await world.patch(path, body, admin, 403)
        assert [error["source"]["pointer"] for error in answer["errors"]] == [
            f"/data/attributes/{name}" for name in ("is-active", "name", "theme-id")
        ]
        assert (await world.get(path, admin))["data"]["attributes"]["display-name"] == "New"


async def test_readers_of_an_organization_cannot_change_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        body = change(clinic, display_name="New")
        for by, status in (
            (await world.provider(clinic), 403),
            (world.service, 403),
            (await world.provider(OPERATOR_ID), 403),
            (await world.admin(other), 404),
            (await world.patient(clinic), 404),
        ):
            await world.patch(f"{PATH}{clinic}/", body, by, status)


async def test_a_repeated_change_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        body = change(clinic, display_name="New", authorization_type="open")
        first = await world.patch(f"{PATH}{clinic}/", body, world.system)
        assert first["data"]["attributes"]["authorization-type"] == "open"
        assert await world.patch(f"{PATH}{clinic}/", body, world.system) == first


async def test_deactivation_ends_grants_and_activation_restores_them(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization("clinic")
        admin, patient = await world.admin(clinic), await world.patient(clinic)
        await world.patch(f"{PATH}{clinic}/", change(clinic, is_active=False), world.system)
        assert await names(world, admin) == []
        assert await names(world, admin, **{"filter[include-inactive]": "true"}) == ["clinic"]
        assert await names(world, patient, **{"filter[include-inactive]": "true"}) == []
        assert await names(world, world.system) == ["operator"]
        await world.get(f"{PATH}{clinic}/", admin, 404)
        await world.get(f"/v1/individuals/{patient.individual_id}/", admin, 404)
        assert not (await world.get(f"{PATH}{clinic}/", world.system))["data"]["attributes"]["is-active"]
        await refused(world, f"{PATH}{clinic}/add-user/", action(user_id=admin.user_id), admin, "404 not-found")
        await world.patch(f"{PATH}{clinic}/", change(clinic, is_active=True), world.system)
        assert await names(world, admin) == ["clinic"]
        await world.get(f"/v1/individuals/{patient.individual_id}/", admin)


async def test_an_administrator_adds_a_readable_provider_by_id_or_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        ann, bob = await world.provider(a), await world.provider(a, "Bob@people.test")
        admin = await world.admin(a)
        for organization in (a, b):
            body = action(user_id=admin.user_id, role_id=role_id(organization, "org.admin"))
            assert await world.post(f"{PATH}{organization}/add-user/", body, world.system) is None
        await world.post(f"{PATH}{b}/add-user/", action(user_id=ann.user_id), admin)
        await world.post(f"{PATH}{b}/add-user/", action(email="bob@PEOPLE.test"), admin)
        assert await names(world, ann) == ["a", "b"]
        assert await names(world, bob) == ["a", "b"]


async def test_an_unreadable_user_is_answered_like_an_unknown_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, stranger = await world.admin(a), await world.provider(b, "stranger@people.test")
        for operation in ("add-user", "remove-user"):
            path = f"{PATH}{a}/{operation}/"
            answers = [
                await refused(world, path, action(email=email), admin, "404 not-found")
                for email in ("stranger@people.test", "nobody@people.test")
            ]
            assert answers[0] == answers[1]
            assert answers[0][0]["source"]["pointer"] == "/data/attributes/email"
            await refused(world, path, action(user_id=stranger.user_id), admin, "404 not-found")
            await refused(world, path, action(user_id=uuid4()), world.system, "404 not-found")


async def test_a_participant_is_not_added(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, patient = await world.admin(clinic), await world.patient(clinic)
        body = action(user_id=patient.user_id)
        await refused(world, f"{PATH}{clinic}/add-user/", body, admin, "409 user-is-participant")
        unshare = {"with": {"type": "organization", "id": str(clinic)}}
        await world.post(f"/v1/individuals/{patient.individual_id}/unshare/", unshare, patient)
        await world.post(f"{PATH}{clinic}/add-user/", body, world.system)
        assert len(await names(world, patient)) == 1


async def test_a_role_of_another_organization_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, ann = await world.admin(a), await world.provider(a)
        path = f"{PATH}{a}/add-user/"
        for role in (uuid4(), role_id(b, "org.admin")):
            (error,) = await refused(world, path, action(user_id=ann.user_id, role_id=role), admin, "404 not-found")
            assert error["source"]["pointer"] == "/data/attributes/role-id"
        body = action(user_id=ann.user_id, role_id=role_id(b, "org.admin"))
        await refused(world, path, body, world.system, "409 conflict")


async def test_exactly_one_of_address_and_id_names_the_user(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        path = f"{PATH}{uuid4()}/add-user/"
        await refused(world, path, action(), world.system, "400 missing-attribute")
        both = action(email="a@people.test", user_id=uuid4())
        await refused(world, path, both, world.system, "400 invalid-attribute")
        other = {"data": {**both["data"], "attributes": {"user-id": str(uuid4())}, "id": str(uuid4())}}
        await refused(world, path, other, world.system, "409 id-conflict")


async def test_services_staff_and_strangers_add_no_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        ann, staff = await world.provider(clinic), await world.provider(OPERATOR_ID)
        for operation in ("add-user", "remove-user"):
            for by, status in ((world.service, 403), (ann, 403), (staff, 403), (await world.admin(other), 404)):
                await world.post(f"{PATH}{clinic}/{operation}/", action(user_id=ann.user_id), by, status)
            await world.post(f"{PATH}{uuid4()}/{operation}/", action(user_id=ann.user_id), world.system, 404)


async def test_only_system_administrators_add_users_to_the_operator_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann, colleague = await world.provider(clinic), await world.provider(clinic)
        body = action(user_id=ann.user_id, role_id=role_id(OPERATOR_ID, "org.admin"))
        await world.post(f"{PATH}{OPERATOR_ID}/add-user/", body, world.system)
        await refused(world, f"{PATH}{OPERATOR_ID}/add-user/", action(user_id=colleague.user_id), ann, "403 forbidden")
        system = action(user_id=ann.user_id, role_id=role_id(OPERATOR_ID, "carium.admin"))
        await world.post(f"{PATH}{OPERATOR_ID}/add-user/", system, world.system)
        await refused(world, PATH, create(), ann, "403 forbidden")  # the role alone does not make a user staff


async def test_leaving_ends_rights_roles_places_and_sessions_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, ann = await world.admin(a), await world.admin(a)
        patient = await world.patient(a)
        rosters: dict[str, Any] = {"leader-ids": [str(ann.user_id)], "individual-ids": [str(patient.individual_id)]}
        group = await world.group(a, **rosters)
        await world.post(f"{PATH}{b}/add-user/", action(user_id=ann.user_id), world.system)
        await world.get(f"/v1/individuals/{patient.individual_id}/", ann)
        await world.post(f"{PATH}{a}/remove-user/", action(user_id=ann.user_id), admin)
        await world.get(PATH, ann, 401)  # the session was in that organization
        again = await world.as_(ann.user_id)
        assert await names(world, again) == ["b"]
        await world.get(f"/v1/individuals/{patient.individual_id}/", again, 404)
        roles = await world.get("/v1/role-users/", admin, **{"role-id": str(role_id(a, "org.admin"))})
        assert [each["attributes"]["user"]["id"] for each in roles["data"]] == [str(admin.user_id)]
        await world.catch_up()
        leaders = await world.get("/v1/individual-group-leaders/", admin, **{"individual-group-id": str(group)})
        assert leaders["data"] == []
        logs = await world.get("/v1/individual-group-logs/", admin, **{"individual-group-id": str(group)})
        newest = logs["data"][0]["attributes"]
        assert (newest["event"], newest["subject"]) == ("remove", "leader")


async def test_a_user_added_while_leaving_has_no_entry_and_no_rights(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, patient = await world.admin(clinic), await world.patient(clinic)
        people = [await world.provider(clinic) for _ in range(8)]
        group = await world.group(clinic, **_rosters(patient))
        sent: list[Any] = []
        for person in people:
            leaders = {"user-ids": [str(person.user_id)]}
            sent += [
                world.client.post(f"/v1/individual-groups/{group}/add-leaders/", json=leaders, headers=admin.bearer),
                world.client.post(
                    f"{PATH}{clinic}/remove-user/", json=action(user_id=person.user_id), headers=admin.bearer
                ),
            ]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers[1::2]} == {201}
        assert {answer.status_code for answer in answers[::2]} <= {201, 404, 409}
        await world.catch_up()
        leaders_now = await world.get("/v1/individual-group-leaders/", admin, **{"individual-group-id": str(group)})
        assert leaders_now["data"] == []
        for person in people:
            await world.get(f"/v1/individuals/{patient.individual_id}/", await world.as_(person.user_id), 404)


def _rosters(patient: Person) -> dict[str, Any]:
    return {"individual-ids": [str(patient.individual_id)]}


async def test_removing_again_records_nothing_and_succeeds(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, ann = await world.admin(clinic), await world.provider(clinic)
        path, body = f"{PATH}{clinic}/remove-user/", action(email=ann.email)
        positions = [
            (await world.client.post(path, json=body, headers=admin.bearer)).headers["X-Position"] for _ in range(2)
        ]
        assert positions[0] == positions[1]
        await world.post(f"{PATH}{clinic}/add-user/", body, admin)  # the organization still knows the user
        assert len(await names(world, await world.as_(ann.user_id))) == 1


async def test_no_caller_removes_the_last_administrator(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        path, body = f"{PATH}{clinic}/remove-user/", action(user_id=admin.user_id)
        for by in (admin, world.system):
            await refused(world, path, body, by, "409 last-admin")
