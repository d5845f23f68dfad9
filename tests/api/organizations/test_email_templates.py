"""E-mail templates, as far as they are not as text message templates (rulings K42, L49 to L55, L62)."""

from typing import Any

import pytest

from tests.api.organizations.templates import a_theme, changed, created, each_of
from tests.support.world.product import a_world

PATH = "/v1/organization-email-templates/"
KIND = "organization-email-templates"


def template(**attributes: Any) -> dict[str, Any]:
    usual = {"type": "verify-email", "format": "txt", "locale": "en_US", "template": "{{code}}"}
    return created(KIND, **usual | {"subject": "Hello {{first_name}}"} | attributes)


async def test_a_template_is_shown_as_it_was_written(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        sent = template(organization_id=clinic, support_email="help@example.org", support_email_title="Desk")
        made = (await world.post(PATH, sent, world.system))["data"]
        path = f"{PATH}{made['id']}/"
        shown = made["attributes"]
        assert {name: shown[name] for name in sent["data"]["attributes"]} == sent["data"]["attributes"]
        assert shown["theme-id"] is None
        body = changed(KIND, made["id"], support_email=None, subject="Your code", format="html")
        after = (await world.patch(path, body, world.system))["data"]["attributes"]
        assert (after["support-email"], after["subject"], after["format"]) == (None, "Your code", "html")
        assert (await world.get(path, world.system))["data"]["attributes"] == after
        assert (await world.client.delete(path, headers=world.system.bearer)).status_code == 204
        await world.get(path, world.system, 404)


async def test_each_format_has_a_template_of_its_own(database_url: str) -> None:
    async with a_world(database_url) as world:
        for owner in ({"organization_id": str(await world.organization())}, {"theme_id": await a_theme(world)}):
            for kind in ("html", "txt"):
                await world.post(PATH, template(**owner, format=kind), world.system)
            refusal = await world.post(PATH, template(**owner), world.system, 409)
            assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/type"}
        rows = (await world.get(PATH, world.system, **{"filter[format]": "html"}))["data"]
        assert [row["attributes"]["format"] for row in rows] == ["html", "html"]


@pytest.mark.parametrize(
    ("name", "value"),
    each_of(
        {
            "subject": ["", "two\nlines", "two\u2028lines", "a\x0bvertical tab", "x" * 256, "{{link}}", "{{ }}"],
            "format": ["pdf"],
            "template": ["{{code}}" + "x" * 65_536, "no code"],
            "support_email": ["nobody"],
            "support_email_title": ["x" * 256, "two\u0085lines"],
        }
    ),
)
async def test_bad_attributes_are_refused(database_url: str, name: str, value: Any) -> None:
    async with a_world(database_url) as world:
        body = template(**{"organization_id": str(await world.organization())} | {name: value})
        refusal = await world.post(PATH, body, world.system, 400)
        assert refusal["errors"][0]["source"] == {"pointer": f"/data/attributes/{name.replace('_', '-')}"}


async def test_messages_between_people_need_no_code(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = str(await world.organization())
        text = "{{ sender_name }} wrote to you: {{ link }}"
        await world.post(PATH, template(organization_id=clinic, type="messaging-patient", template=text), world.system)
        refused = template(organization_id=clinic, type="messaging-provider", template="{{code}}")
        refusal = await world.post(PATH, refused, world.system, 400)
        assert refusal["errors"][0]["meta"] == {"placeholders": ["code"]}
