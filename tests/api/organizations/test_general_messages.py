"""General messages (rulings L16, L22, L23, L30, L53, L62, L63). Reading and writing rights are those of templates."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.organizations.templates import an_employee, changed, created, deactivated, each_of
from tests.support.world.product import a_world

PATH = "/v1/organization-general-messages/"
KIND = "organization-general-messages"


def message(**attributes: Any) -> dict[str, Any]:
    return created(KIND, **{"name": "contact", "locale": "en_US", "message": "Call us."} | attributes)


async def test_an_administrator_writes_and_deletes_a_message(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        made = (await world.post(PATH, message(organization_id=str(clinic)), admin))["data"]
        path = f"{PATH}{made['id']}/"
        assert (await world.get(path, admin))["data"] == made
        after = await world.patch(path, changed(KIND, made["id"], message="Write to us."), admin)
        assert after["data"]["attributes"]["message"] == "Write to us."
        assert (await world.client.delete(path, headers=admin.bearer)).status_code == 204
        await world.get(path, admin, 404)


async def test_a_message_is_unique_by_name_and_locale(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        await world.post(PATH, message(organization_id=clinic), world.system)
        await world.post(PATH, message(organization_id=clinic, locale="es_US"), world.system)
        refusal = await world.post(PATH, message(organization_id=clinic), world.system, 409)
        assert refusal["errors"][0]["code"] == "already-exists"
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/name"}


async def test_the_list_of_an_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, provider = await world.people(clinic, "admin", "provider")
        stranger = await world.admin(await world.organization())
        employee = await an_employee(world)
        asked = {"organization-id": str(clinic)}
        for locale in ("es_US", "en_US"):
            await world.post(PATH, message(organization_id=str(clinic), locale=locale), admin)
        for reader in (admin, employee, world.system, world.service):
            rows = (await world.get(PATH, reader, **asked))["data"]
            assert [row["attributes"]["locale"] for row in rows] == ["en_US", "es_US"]
        await world.get(PATH, admin, 400)
        for reader, status in ((provider, 403), (stranger, 404)):
            refusal = await world.get(PATH, reader, status, **asked)
            if status == 404:
                assert refusal["errors"][0]["source"] == {"parameter": "organization-id"}
        await world.get(PATH, world.system, 404, **{"organization-id": str(uuid4())})
        await deactivated(world, clinic)
        await world.get(PATH, employee, 404, **asked)
        assert len((await world.get(PATH, world.system, **asked))["data"]) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    each_of(
        {
            "name": ["other"],
            "message": ["", "x" * 1001, " "],
            "locale": ["de_DE"],
            "organization_id": [None],
        }
    ),
)
async def test_bad_attributes_are_refused(database_url: str, name: str, value: Any) -> None:
    async with a_world(database_url) as world:
        given = {"organization_id": str(await world.organization())} | {name: value}
        refusal = await world.post(PATH, message(**given), world.system, 400)
        assert refusal["errors"][0]["source"] == {"pointer": f"/data/attributes/{name.replace('_', '-')}"}


async def test_only_the_text_can_be_changed(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = await world.post(PATH, message(organization_id=str(await world.organization())), world.system)
        for name in ("name", "locale", "organization-id"):
            body = changed(KIND, made["data"]["id"], **{name: "contact"})
            refusal = await world.patch(f"{PATH}{made['data']['id']}/", body, world.system, 400)
            assert refusal["errors"][0]["source"] == {"pointer": f"/data/attributes/{name}"}
