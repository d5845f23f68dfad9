"""Text message templates (rulings L16 to L18, L21 to L23, L30, L49 to L55, L62)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.api.organizations.templates import a_theme, an_employee, changed, created, deactivated
from tests.support.world.product import World, a_world

PATH = "/v1/organization-sms-templates/"
KIND = "organization-sms-templates"


def template(**attributes: Any) -> dict[str, Any]:
    usual = {"type": "verify", "locale": "en_US", "template": "Your code is {{ code }}."}
    return created(KIND, **usual | attributes)


def source(answer: dict[str, Any]) -> tuple[str, dict[str, str]]:
    (error,) = answer["errors"]
    return error["code"], error["source"]


async def listed(world: World, by: Any, **query: str) -> list[str]:
    return [row["id"] for row in (await world.get(PATH, by, **query))["data"]]


async def test_an_administrator_creates_reads_changes_and_deletes_a_template(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        made = (await world.post(PATH, template(organization_id=str(clinic)), admin))["data"]
        attributes = made["attributes"]
        assert attributes["created-time"] == attributes["last-modified-time"]
        assert attributes | {"created-time": "", "last-modified-time": ""} == {
            "organization-id": str(clinic), "theme-id": None, "type": "verify", "locale": "en_US",
            "template": "Your code is {{ code }}.", "created-time": "", "last-modified-time": "",
        }  # fmt: skip
        path = f"{PATH}{made['id']}/"
        assert (await world.get(path, admin))["data"] == made
        body = changed(KIND, made["id"], locale="es_US", template="{{code}}")
        after = (await world.patch(path, body, admin))["data"]["attributes"]
        assert (after["locale"], after["template"], after["type"]) == ("es_US", "{{code}}", "verify")
        assert (await world.get(path, admin))["data"]["attributes"] == after
        deleted = await world.client.delete(path, headers=admin.bearer)
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert int(deleted.headers["X-Position"]) > 0
        await world.get(path, admin, 404)
        assert (await world.client.delete(path, headers=admin.bearer)).status_code == 404
        await world.patch(path, body, admin, 404)
        await world.post(PATH, template(organization_id=str(clinic), locale="es_US"), admin)  # its key is free again


async def test_a_template_is_unique_in_its_organization_or_theme(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other, theme = await world.organization(), await world.organization(), await a_theme(world)
        for owner in ({"organization_id": str(clinic)}, {"organization_id": str(other)}, {"theme_id": theme}):
            await world.post(PATH, template(**owner), world.system)
            spanish = await world.post(PATH, template(**owner, locale="es_US"), world.system)
            taken = await world.post(PATH, template(**owner), world.system, 409)
            assert source(taken) == ("already-exists", {"pointer": "/data/attributes/type"})
            body = changed(KIND, spanish["data"]["id"], locale="en_US")
            taken = await world.patch(f"{PATH}{spanish['data']['id']}/", body, world.system, 409)
            assert source(taken) == ("already-exists", {"pointer": "/data/attributes/type"})


async def test_one_of_many_creations_at_once_wins(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        body = template(organization_id=str(clinic))
        answers = await asyncio.gather(
            *(world.client.post(PATH, json=body, headers=world.system.bearer) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_change_that_changes_nothing_is_not_recorded(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        made = await world.post(PATH, template(organization_id=str(clinic)), world.system)
        body = changed(KIND, made["data"]["id"], type="verify")
        after = await world.patch(f"{PATH}{made['data']['id']}/", body, world.system)
        assert after["meta"]["position"] == made["meta"]["position"]
        assert after["data"] == made["data"]


async def test_templates_of_an_organization_have_readers_and_writers(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        admin, stranger = await world.admin(clinic), await world.admin(other)
        provider, patient = await world.provider(clinic), await world.patient(clinic)
        employee = await an_employee(world)
        made = (await world.post(PATH, template(organization_id=str(clinic)), admin))["data"]["id"]
        path, body = f"{PATH}{made}/", changed(KIND, made, template="{{code}}!")
        for reader in (admin, world.system, world.service, employee):
            await world.get(path, reader)
            assert await listed(world, reader) == [made]
        assert await listed(world, stranger) == []
        for reader in (provider, patient):
            await world.get(PATH, reader, 403)
        for reader in (stranger, provider, patient):
            await world.get(path, reader, 404)
            await world.patch(path, body, reader, 404)
            assert (await world.client.delete(path, headers=reader.bearer)).status_code == 404
        for reader in (world.service, employee):
            await world.patch(path, body, reader, 403)
            assert (await world.client.delete(path, headers=reader.bearer)).status_code == 403
        mine = template(organization_id=str(clinic), type="reset-password")
        where = {"pointer": "/data/attributes/organization-id"}
        for writer in (world.service, employee, provider):
            assert source(await world.post(PATH, mine, writer, 403)) == ("forbidden", where)
        for writer in (stranger, patient):
            assert source(await world.post(PATH, mine, writer, 404)) == ("not-found", where)
        unknown = await world.post(PATH, template(organization_id=str(uuid4())), world.system, 404)
        assert source(unknown) == ("not-found", where)


async def test_templates_of_themes_are_written_by_system_administrators(database_url: str) -> None:
    async with a_world(database_url) as world:
        theme, admin = await a_theme(world), await world.admin(await world.organization())
        employee = await an_employee(world)
        made = (await world.post(PATH, template(theme_id=theme), world.system))["data"]["id"]
        path, body = f"{PATH}{made}/", changed(KIND, made, template="{{code}}!")
        for reader in (world.system, world.service, employee):
            assert await listed(world, reader, **{"theme-id": theme}) == [made]
        for writer in (world.service, employee):
            await world.patch(path, body, writer, 403)
        await world.get(path, admin, 404)
        await world.patch(path, body, admin, 404)
        where = {"pointer": "/data/attributes/theme-id"}
        mine = template(theme_id=theme, type="reset-password")
        assert source(await world.post(PATH, mine, admin, 404)) == ("not-found", where)
        assert source(await world.post(PATH, mine, employee, 403)) == ("forbidden", where)
        unknown = await world.post(PATH, template(theme_id=str(uuid4())), world.system, 404)
        assert source(unknown) == ("not-found", where)


async def test_of_an_inactive_organization_only_deletion_is_left(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, employee = await world.admin(clinic), await an_employee(world)
        made = (await world.post(PATH, template(organization_id=str(clinic)), admin))["data"]["id"]
        await deactivated(world, clinic)
        path, body = f"{PATH}{made}/", changed(KIND, made, template="{{code}}!")
        await world.get(path, employee, 404)
        await world.get(path, admin, 404)
        await world.patch(path, body, employee, 404)
        for reader in (world.system, world.service):
            assert await listed(world, reader) == [made]
        more = template(organization_id=str(clinic), locale="es_US")
        assert source(await world.post(PATH, more, world.system, 409))[0] == "invalid-state"
        assert source(await world.patch(path, body, world.system, 409))[0] == "invalid-state"
        assert (await world.client.delete(path, headers=world.system.bearer)).status_code == 204


@pytest.mark.parametrize(
    ("attributes", "code", "pointer"),
    [
        ({"organization_id": None}, "missing-attribute", "organization-id"),
        ({"theme_id": str(uuid4())}, "invalid-attribute", "organization-id"),
        ({"type": "forgot-password"}, "invalid-attribute", "type"),
        ({"locale": "en"}, "invalid-attribute", "locale"),
        ({"template": ""}, "invalid-attribute", "template"),
        ({"template": "{{code}}" + "x" * 1600}, "invalid-attribute", "template"),
        ({"template": "no code"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{ name }}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{code | upper}}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{{code}}}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{user.name}}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {% if x %}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {# x #}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{code"}, "invalid-attribute", "template"),
        ({"template": "{{code}} }}"}, "invalid-attribute", "template"),
        ({"template": "{{code}} {{link}}"}, "invalid-attribute", "template"),
        ({"name": "x"}, "invalid-attribute", "name"),
    ],
)
async def test_bad_attributes_are_refused(
    database_url: str, attributes: dict[str, Any], code: str, pointer: str
) -> None:
    async with a_world(database_url) as world:
        given = {"organization_id": str(await world.organization())} | attributes
        body = template(**{name: value for name, value in given.items() if value is not None})
        refusal = await world.post(PATH, body, world.system, 400)
        assert source(refusal) == (code, {"pointer": f"/data/attributes/{pointer}"})


async def test_unknown_placeholders_are_told(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        refusal = await world.post(
            PATH, template(organization_id=clinic, template="{{code}} {{ zeta }} {{alpha}} { }"), world.system, 400
        )
        assert refusal["errors"][0]["meta"] == {"placeholders": ["alpha", "zeta"]}
        text = "{{link}} for {{first_name}}, { not } a {placeholder}"
        await world.post(PATH, template(organization_id=clinic, type="onboarding", template=text), world.system)


async def test_a_patch_is_judged_by_its_result(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        made = await world.post(
            PATH, template(organization_id=clinic, type="onboarding", template="{{link}}"), world.system
        )
        path = f"{PATH}{made['data']['id']}/"
        refusal = await world.patch(path, changed(KIND, made["data"]["id"], type="verify"), world.system, 400)
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/template"}
        for name in ("organization-id", "theme-id"):
            body = changed(KIND, made["data"]["id"], **{name: clinic})
            assert source(await world.patch(path, body, world.system, 400)) == (
                "invalid-attribute", {"pointer": f"/data/attributes/{name}"},
            )  # fmt: skip


async def test_lists_are_filtered_ordered_and_paged(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, theme = str(await world.organization()), await a_theme(world)
        ids = {}
        for kind, text in (("verify", "{{code}}"), ("onboarding", "{{code}}")):
            for locale in ("es_US", "en_US"):
                body = template(organization_id=clinic, type=kind, locale=locale, template=text)
                ids[kind, locale] = (await world.post(PATH, body, world.system))["data"]["id"]
        by_theme = (await world.post(PATH, template(theme_id=theme), world.system))["data"]["id"]
        in_order = [ids[key] for key in sorted(ids)]
        assert await listed(world, world.system, **{"organization-id": clinic}) == in_order
        assert await listed(world, world.system, **{"theme-id": theme}) == [by_theme]
        assert await listed(world, world.system, **{"theme-id": theme, "organization-id": clinic}) == []
        assert await listed(world, world.system, **{"filter[type]": "onboarding"}) == in_order[:2]
        both = {"filter[type]": "onboarding", "filter[locale]": "es_US"}
        assert await listed(world, world.system, **both) == [in_order[1]]
        page = await world.get(
            PATH, world.system, **{"page[limit]": "2", "page[offset]": "1", "organization-id": clinic}
        )
        assert [row["id"] for row in page["data"]] == in_order[1:3]
        assert page["meta"]["page[total]"] == 4
        assert await listed(world, world.system, **{"organization-id": str(uuid4())}) == []
        await world.get(PATH, world.system, 400, **{"filter[type]": "other"})
