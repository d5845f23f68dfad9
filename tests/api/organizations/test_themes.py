"""Themes (rulings L16, L18, L31, L60, L61)."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from tests.api.organizations.templates import THEMES, a_theme, an_employee, changed, created
from tests.support.world.product import World, a_world

KIND = "organization-themes"


async def listed(world: World, by: Any, **query: str) -> list[str]:
    return [row["attributes"]["domain"] for row in (await world.get(THEMES, by, **query))["data"]]


async def test_a_system_administrator_creates_and_changes_a_theme(database_url: str) -> None:
    async with a_world(database_url) as world:
        body = created(
            KIND, domain="care.example.org", support_email="help@Example.org", support_email_name="Help desk"
        )
        made = (await world.post(THEMES, body, world.system))["data"]
        attributes = made["attributes"]
        assert attributes["created-by"]["id"] == str(world.system.user_id)
        assert attributes["last-modified-by"] == attributes["created-by"]
        assert {name: attributes[name] for name in ("domain", "support-email", "support-email-name", "is-active")} == {
            "domain": "care.example.org", "support-email": "help@Example.org", "support-email-name": "Help desk",
            "is-active": True,
        }  # fmt: skip
        path = f"{THEMES}{made['id']}/"
        assert (await world.get(path, world.system))["data"] == made
        after = await world.patch(
            path, changed(KIND, made["id"], domain="b.example.org", support_email_name=None), world.system
        )
        assert after["data"]["attributes"]["domain"] == "b.example.org"
        assert after["data"]["attributes"]["support-email-name"] is None
        assert after["data"]["attributes"]["support-email"] == "help@Example.org"


async def test_themes_have_readers_and_writers(database_url: str) -> None:
    async with a_world(database_url) as world:
        theme, clinic = await a_theme(world), await world.organization()
        employee, admin, patient = await an_employee(world), await world.admin(clinic), await world.patient(clinic)
        path, body = f"{THEMES}{theme}/", changed(KIND, theme, support_email="support@example.org")
        new = created(KIND, domain="new.example.org", support_email="help@example.org")
        for reader in (world.system, employee):
            await world.get(path, reader)
            assert await listed(world, reader) == ["care.example.org"]
        for reader in (admin, patient, world.service):
            await world.get(THEMES, reader, 403)
            await world.get(path, reader, 404)
            await world.patch(path, body, reader, 404)
            await world.post(THEMES, new, reader, 403)
        await world.patch(path, body, employee, 403)
        await world.post(THEMES, new, employee, 403)
        assert (await world.client.delete(path, headers=world.system.bearer)).status_code == 405


async def test_a_domain_is_unique_over_active_and_inactive_themes(database_url: str) -> None:
    async with a_world(database_url) as world:
        theme = await a_theme(world)
        await world.patch(f"{THEMES}{theme}/", changed(KIND, theme, is_active=False), world.system)
        body = created(KIND, domain="care.example.org", support_email="help@example.org")
        refusal = await world.post(THEMES, body, world.system, 409)
        assert refusal["errors"][0]["code"] == "already-exists"
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/domain"}


async def test_a_theme_in_use_stays_active(database_url: str) -> None:
    async with a_world(database_url) as world:
        theme, clinic = await a_theme(world), await world.organization()
        path, organization = f"{THEMES}{theme}/", f"/v1/organizations/{clinic}/"

        async def use(theme_id: str | None, status: int = 200) -> Any:
            return await world.patch(
                organization, changed("organizations", str(clinic), theme_id=theme_id), world.system, status
            )

        assert (await use(theme))["data"]["attributes"]["theme-id"] == theme
        refusal = await world.patch(path, changed(KIND, theme, is_active=False), world.system, 409)
        assert refusal["errors"][0]["code"] == "invalid-state"
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/is-active"}
        await use(None)
        await world.patch(path, changed(KIND, theme, is_active=False), world.system)
        refusal = await use(theme, 409)
        assert refusal["errors"][0]["code"] == "invalid-state"
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/theme-id"}
        refusal = await use(str(uuid4()), 404)
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/theme-id"}


@pytest.mark.parametrize(
    "domain",
    ["example", "Care.example.org", "care.example.org:80", "10.0.0.1", "-a.example.org", "a-.example.org", "a..org", "",
     "a b.org", f"{'a' * 64}.org", ".".join(["a" * 60] * 5), "care.example.org.", "straße.example.org"],
)  # fmt: skip
async def test_a_domain_is_a_host_name_in_lower_case(database_url: str, domain: str) -> None:
    async with a_world(database_url) as world:
        body = created(KIND, domain=domain, support_email="help@example.org")
        refusal = await world.post(THEMES, body, world.system, 400)
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/domain"}


async def test_themes_are_listed_by_domain_or_by_time(database_url: str) -> None:
    async with a_world(database_url) as world:
        early = datetime.now(UTC)
        with time_machine.travel(early, tick=True):
            ids = {
                name: await a_theme(world, f"{name}.example.org", support_email=f"help@{name}.org") for name in "bca"
            }
        await world.patch(f"{THEMES}{ids['c']}/", changed(KIND, ids["c"], is_active=False), world.system)
        assert await listed(world, world.system) == ["a.example.org", "b.example.org"]
        everything = {"filter[include-inactive]": "true"}
        assert await listed(world, world.system, **everything) == ["a.example.org", "b.example.org", "c.example.org"]
        since = {"filter[cmp-last-modified-time]": ">2000-01-01 00:00:00"}
        assert await listed(world, world.system, **everything, **since) == [
            "b.example.org",
            "a.example.org",
            "c.example.org",
        ]
        assert await listed(world, world.system, **{"filter[domain]": "b.example.org"}) == ["b.example.org"]
        assert await listed(world, world.system, **{"filter[support-email]": "HELP@a.org"}) == ["a.example.org"]
        await world.get(f"{THEMES}{ids['c']}/", world.system)  # by id an inactive one is readable
