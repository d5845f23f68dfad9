import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.organizations.organizations import OPERATOR_ID
from tests.api.organizations.templates import each_of
from tests.support.world.product import Person, World, a_world

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
