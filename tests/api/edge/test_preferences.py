"""`Prefer: return=minimal` on commands (RFC 7240): the status and the position, without waiting and rendering."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from api.app import openapi_document, routers
from api.edge.route import ContractRoute
from tests.api.edge.test_own_writes import GROUPS, nothing_projected
from tests.support.world.product import PASSWORD, a_world

MINIMAL = {"Prefer": "return=minimal"}
KEY = {"Idempotency-Key": "once"}
COMMANDS = "/v1/individual-groups/"


def creation(organization_id: object, name: str = "Ward") -> dict[str, Any]:
    attributes = {"organization-id": str(organization_id), "name": name}
    return {"data": {"type": "individual-groups", "attributes": attributes}}


def assert_minimal(answer: httpx2.Response, status: int = 201) -> int:
    """The position that the answer tells."""
    content = b"" if status == 204 else b"null"
    assert (answer.status_code, answer.content) == (status, content), answer.text
    assert answer.headers["Preference-Applied"] == "return=minimal"
    return int(answer.headers["X-Position"])


async def test_a_command_is_answered_before_its_read_models_show_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization_id = await world.organization()
        async with nothing_projected(world):
            headers = world.system.bearer | MINIMAL
            created = await world.client.post(COMMANDS, json=creation(organization_id), headers=headers)
            position = assert_minimal(created)
            assert position == await world.identity.store.save()
            await world.catch_up()
            at_least = {"X-At-Least-Position": str(position)}
            listed = await world.client.get(GROUPS, headers=world.system.bearer | at_least)
            assert [each["attributes"]["name"] for each in listed.json()["data"]] == ["Ward"]


async def test_changes_and_deletions_are_answered_likewise(database_url: str) -> None:
    async with a_world(database_url) as world:
        path = f"{COMMANDS}{await world.group(await world.organization())}/"
        headers = world.system.bearer | MINIMAL
        body = {"data": {"type": "individual-groups", "id": path.split("/")[-2], "attributes": {"name": "Other"}}}
        assert_minimal(await world.client.patch(path, json=body, headers=headers), 200)
        assert_minimal(await world.client.delete(path, headers=headers), 204)
        assert (await world.client.get(path, headers=world.system.bearer)).status_code == 404


async def test_logging_out_is_reported_all_the_same(database_url: str) -> None:
    async with a_world(database_url) as world:
        provider = await world.provider(await world.organization())
        path = f"/v1/sessions/{world.tokens.verify(provider.token or '').session_id}/"
        with capture_logs() as logs:
            assert_minimal(await world.client.delete(path, headers=provider.bearer | MINIMAL), 204)
        assert "session-revoked" in [each["event"] for each in logs]


async def test_refusals_are_told_in_full(database_url: str) -> None:
    async with a_world(database_url) as world:
        refused = await world.client.post(COMMANDS, json=creation("x"), headers=world.system.bearer | MINIMAL)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "invalid-attribute")
        assert "Preference-Applied" not in refused.headers


@pytest.mark.parametrize(("first", "second"), [(MINIMAL, {}), ({}, MINIMAL), (MINIMAL, MINIMAL)])
async def test_a_retry_is_answered_as_the_retry_prefers(
    database_url: str, first: dict[str, str], second: dict[str, str]
) -> None:
    async with a_world(database_url) as world:
        body, positions = creation(await world.organization()), []
        for preference in (first, second):
            answer = await world.client.post(COMMANDS, json=body, headers=world.system.bearer | KEY | preference)
            if preference:
                positions.append(assert_minimal(answer))
            else:
                assert (answer.status_code, answer.json()["data"]["attributes"]["name"]) == (201, "Ward")
                assert "Preference-Applied" not in answer.headers
                positions.append(int(answer.headers["X-Position"]))
        assert positions[0] == positions[1]
        await world.catch_up()  # a minimal answer waits for no list
        assert len((await world.get(GROUPS, world.system))["data"]) == 1


@pytest.mark.parametrize(
    ("preference", "applied"),
    [
        ("return=minimal", True),
        ('Return = "minimal"', True),
        ("respond-async, wait=10, return=minimal; x=y", True),
        ('foo="a, return=representation", return=minimal', True),
        ("return=representation", False),
        ("return=representation, return=minimal", False),
        ("return=Minimal", False),
        ("return", False),
        ('foo="return=minimal"', False),
        ('", =;', False),
    ],
)
async def test_other_preferences_are_ignored(database_url: str, preference: str, applied: bool) -> None:
    async with a_world(database_url) as world:
        body = creation(await world.organization())
        answer = await world.client.post(COMMANDS, json=body, headers=world.system.bearer | {"Prefer": preference})
        assert answer.status_code == 201
        assert ("Preference-Applied" in answer.headers, answer.json() is None) == (applied, applied)


async def test_reads_and_commands_that_return_secrets_ignore_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        provider = await world.provider(await world.organization())
        login = {"username": provider.email, "password": PASSWORD}
        for answer in (
            await world.client.post("/v1/login/", json=login, headers=MINIMAL),
            await world.client.get(GROUPS, headers=provider.bearer | MINIMAL),
        ):
            assert "Preference-Applied" not in answer.headers
            assert answer.json() is not None


def test_every_command_documents_the_header_and_nothing_else_does() -> None:
    document = openapi_document()
    for route in (each for router in routers() for each in router.routes if isinstance(each, ContractRoute)):
        method = "".join(route.methods or ())
        operation = document["paths"][route.path_format][method.lower()]
        described = [each for each in operation.get("parameters", ()) if each["name"] == "Prefer"]
        assert [each["x-extension"] for each in described] == [True] * route.commands, route.path
