"""Service documents (rulings K63, K109 to K111). Who may add them is in the permission matrix."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.organizations.templates import created, deactivated
from tests.support.world.product import World, a_world

PATH = "/v1/service-documents/"
MAX_HTML = 1024 * 1024
BROWSER = {"Accept": "text/html"}


def document(version: str = "1", **attributes: Any) -> dict[str, Any]:
    usual = {"type": "terms", "version": version, "title": "Terms", "html": "<p>English</p>"}
    return created("service-documents", **usual | attributes)


SPANISH = {"locale": "es_US", "title": "Condiciones", "html": "<p>Español</p>"}


async def add(world: World, version: str = "1", **attributes: Any) -> str:
    return str((await world.post(PATH, document(version, **attributes), world.system))["data"]["id"])


async def asked(world: World, document_id: str, **query: str) -> dict[str, Any]:
    """The attributes, for a caller without a token."""
    answer = await world.client.get(f"{PATH}{document_id}/", params=query)
    assert answer.status_code == 200, answer.text
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    return attributes


async def listed(world: World, *, latest: bool = True, **query: Any) -> list[str]:
    """The ids, for a caller without a token."""
    answer = await world.client.get(PATH, params={"latest": str(latest).lower(), **query})
    assert answer.status_code == 200, answer.text
    meta, rows = answer.json()["meta"], answer.json()["data"]
    assert (meta["page[limit]"], meta["page[offset]"], meta["page[total]"]) == (len(rows), 0, len(rows))
    assert all(row["attributes"]["html"] is None for row in rows)
    return [row["id"] for row in rows]


async def page(world: World, document_id: str, **query: str) -> httpx2.Response:
    return await world.client.get(f"/service-documents/{document_id}/", params=query, headers=BROWSER)


async def test_a_document_is_answered_and_read_as_it_was_added(database_url: str) -> None:
    async with a_world(database_url, public_url="https://id.example.org/") as world:
        clinic = str(await world.organization())
        answer = await world.post(PATH, document(organization_id=clinic, translations=[SPANISH]), world.system)
        made = answer["data"]
        link = f"https://id.example.org/service-documents/{made['id']}/?locale="
        assert made["attributes"] | {"created-time": ""} == {
            "type": "terms", "version": "1", "title": "Terms", "html": None, "html-link": f"{link}en_US",
            "organization": {"id": clinic}, "created-time": "",
            "translations": [
                {"locale": "en_US", "title": "Terms", "html-link": f"{link}en_US"},
                {"locale": "es_US", "title": "Condiciones", "html-link": f"{link}es_US"},
            ],
        }  # fmt: skip
        assert await asked(world, made["id"]) == made["attributes"]
        assert answer["meta"]["position"] > 0


async def test_a_document_without_organization_is_in_english_unless_said_otherwise(database_url: str) -> None:
    """Ruling K150."""
    async with a_world(database_url) as world:
        attributes = await asked(world, await add(world))
        assert attributes["organization"] is None
        assert [each["locale"] for each in attributes["translations"]] == ["en_US"]
        spanish = await asked(world, await add(world, "2", locale="es_US"))
        assert [each["locale"] for each in spanish["translations"]] == ["es_US"]


async def test_a_version_of_a_type_is_there_once_in_each_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        for owner in ({}, {"organization_id": clinic}):
            await add(world, **owner)
            await add(world, type="privacy-policy", **owner)
            refusal = await world.post(PATH, document(**owner), world.system, 409)
            assert refusal["errors"][0]["code"] == "already-exists"
            assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/version"}


async def test_a_document_is_never_changed_or_deleted(database_url: str) -> None:
    async with a_world(database_url) as world:
        path = f"{PATH}{await add(world)}/"
        for method in ("PATCH", "DELETE"):
            answer = await world.client.request(method, path, headers=world.system.bearer)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"type": "Terms"}, "type"),
        ({"type": "a" * 65}, "type"),
        ({"type": "terms\n"}, "type"),
        ({"type": ""}, "type"),
        ({"version": ""}, "version"),
        ({"version": "1" * 33}, "version"),
        ({"title": " "}, "title"),
        ({"html": ""}, "html"),
        ({"html": "é" * (MAX_HTML // 2 + 1)}, "html"),
        ({"locale": "de_DE"}, "locale"),
        ({"translations": [SPANISH, SPANISH]}, "translations"),
        ({"translations": [SPANISH | {"locale": "en_US"}]}, "translations"),
        ({"translations": [SPANISH | {"html": "x" * (MAX_HTML + 1)}]}, "translations/0/html"),
    ],
)
async def test_bad_attributes_are_refused(database_url: str, attributes: dict[str, Any], name: str) -> None:
    async with a_world(database_url) as world:
        refusal = await world.post(PATH, document(**attributes), world.system, 400)
        assert refusal["errors"][0]["source"] == {"pointer": f"/data/attributes/{name}"}


async def test_attributes_may_be_as_long_as_said(database_url: str) -> None:
    async with a_world(database_url) as world:
        html = "é" * (MAX_HTML // 2)
        made = await add(world, "1" * 32, type="a-0" + "b" * 61, html=html)
        assert (await asked(world, made, html="true"))["html"] == html


async def test_a_document_needs_an_active_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        await deactivated(world, clinic)
        for organization_id, status in ((str(uuid4()), 404), (str(clinic), 409)):
            refusal = await world.post(PATH, document(organization_id=organization_id), world.system, status)
            assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/organization-id"}


async def test_the_latest_is_the_last_one_added(database_url: str) -> None:
    """Ruling K110."""
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        old, new = await add(world, "2"), await add(world, "1")
        policy = await add(world, type="privacy-policy")
        own = await add(world, "0", organization_id=clinic)
        assert await listed(world) == [policy, new]
        assert await listed(world, latest=False) == [policy, new, old]
        assert await listed(world, organizations=clinic) == [own, policy, new]
        assert await listed(world, latest=False, organizations=clinic) == [own, policy, new, old]


async def test_documents_of_organizations_are_listed_when_they_are_named(database_url: str) -> None:
    """Ruling K110."""
    async with a_world(database_url) as world:
        for_all = await add(world)
        clinics = [str(await world.organization()) for _ in range(3)]
        own = [await add(world, organization_id=clinic) for clinic in clinics]
        assert await listed(world) == [for_all]
        assert await listed(world, organizations=[clinics[0], clinics[2], str(uuid4())]) == [own[2], own[0], for_all]
        codes: dict[str, Any] = {"organization-code": "NORTH-1", "referral-code": "ABCD-EFGH-JKMN-PQRS"}
        assert await listed(world, **codes) == [for_all]
        too_many = await world.client.get(PATH, params={"latest": "true", "organizations": [str(uuid4())] * 11})
        assert too_many.status_code == 400


async def test_documents_of_an_inactive_organization_are_hidden(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        made = await add(world, organization_id=str(clinic))
        await deactivated(world, clinic)
        assert await listed(world, organizations=str(clinic)) == []
        await world.get(f"{PATH}{made}/", world.system, 404)
        assert (await page(world, made)).status_code == 404


async def test_a_list_needs_to_know_whether_the_latest_are_wanted(database_url: str) -> None:
    """Ruling K110."""
    async with a_world(database_url) as world:
        for query in ({}, {"latest": "true", "page[limit]": "1"}):
            assert (await world.client.get(PATH, params=query)).status_code == 400


async def test_a_bad_token_is_ignored(database_url: str) -> None:
    async with a_world(database_url) as world:
        for path in (f"{PATH}?latest=true", f"{PATH}{await add(world)}/"):
            answer = await world.client.get(path, headers={"Authorization": "Bearer nonsense"})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("own", "translated", "locale", "title"),
    [
        ("en_US", "es_US", "es_US", "translated"),
        ("en_US", "es_US", "es_MX", "translated"),
        ("en_US", "es_US", "es", "translated"),
        ("en_US", "es_US", "fr_FR", "own"),
        ("en_US", "es_US", None, "own"),
        ("es_US", "en_US", "es_US", "own"),
        ("es_US", "en_US", "fr_FR", "translated"),
        ("es_US", "en_US", None, "translated"),
        ("es_US", None, "fr_FR", "own"),
    ],
)
async def test_the_text_is_in_the_best_locale(
    database_url: str, own: str, translated: str | None, locale: str | None, title: str
) -> None:
    async with a_world(database_url) as world:
        more = {"locale": translated, "title": "translated", "html": "<p>translated</p>"}
        made = await add(
            world, title="own", html="<p>own</p>", locale=own, translations=[] if translated is None else [more]
        )
        query = {} if locale is None else {"locale": locale}
        attributes = await asked(world, made, html="true", **query)
        assert (attributes["title"], attributes["html"]) == (title, f"<p>{title}</p>")
        assert attributes["html-link"].endswith({"own": own, "translated": translated}[title] or "")
        assert (await page(world, made, **query)).text == f"<p>{title}</p>"


async def test_the_text_is_there_when_it_is_asked_for(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = await add(world, translations=[SPANISH])
        assert (await asked(world, made, html="true", locale="es_US"))["html"] == SPANISH["html"]
        for query in ({}, {"html": "false"}, {"reflow": "true"}, {"locale": "es_US"}):
            attributes = await asked(world, made, **query)
            assert (attributes["html"], attributes["title"]) == (None, "Terms")


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<p>Text</p>", ""),
        ("<!DOCTYPE html><p>Text</p>", "<!DOCTYPE html>"),
        ("<!doctype html><HEAD><title>T</title></HEAD><header>Text</header>", "<!doctype html><HEAD><title>T</title>"),
    ],
)
async def test_a_reflowed_text_has_a_style_sheet_more(database_url: str, html: str, before: str) -> None:
    async with a_world(database_url) as world:
        made = await add(world, html=html)
        reflowed = (await asked(world, made, html="true", reflow="true"))["html"]
        assert reflowed.startswith(f"{before}<style>")
        style = reflowed[len(before) : reflowed.index("</style>") + len("</style>")]
        assert reflowed == before + style + html.removeprefix(before)


async def test_the_link_leads_to_a_page_that_runs_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        made = await add(world, html="<h1>Terms &amp; more</h1><script>x</script>", translations=[SPANISH])
        link = (await asked(world, made))["html-link"]
        answer = await world.client.get(link.removeprefix(world.settings.public_base), headers=BROWSER)
        assert (answer.status_code, answer.text) == (200, "<h1>Terms &amp; more</h1><script>x</script>")
        expected = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
            "Content-Language": "en-US",
        }
        assert {name: answer.headers[name] for name in expected} == expected
        assert (await page(world, made, reflow="true")).status_code == 400
        for missing, status in ((str(uuid4()), 404), ("x", 400)):
            refused = await page(world, missing)
            assert (refused.status_code, refused.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


async def test_reads_from_one_address_are_bounded(database_url: str) -> None:
    async with a_world(database_url, service_documents_address=2) as world:
        made = await add(world)
        answers = [await world.client.get(f"{PATH}?latest=true") for _ in range(3)]
        answers += [await world.client.get(f"{PATH}{made}/"), await page(world, made)]
        # without Redis each process grants half of it
        assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429]
