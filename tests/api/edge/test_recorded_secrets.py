"""Commands whose answers show a secret, when the database is lost after the commit (rulings A5, O27 and K139)."""

from typing import Any

import psycopg
import pytest

from domain.organizations.organizations import OPERATOR_ID
from tests.api.sessions.test_impersonation_requests import requested
from tests.support.authenticators import PATH, an_authenticator, an_enabled_authenticator
from tests.support.world.product import PASSWORD, Person, World, a_world

Sent = tuple[str, Any]


async def creation(_world: World, _person: Person) -> Sent:
    return PATH, {}


async def enabling(world: World, person: Person) -> Sent:
    authenticator = await an_authenticator(world, person)
    return f"{authenticator.path}enable/", {"password": PASSWORD, "codes": authenticator.codes()}


async def replacement(world: World, person: Person) -> Sent:
    return f"{(await an_enabled_authenticator(world, person)).path}recovery-codes/", {"password": PASSWORD}


async def switch(_world: World, person: Person) -> Sent:
    body = {"organization-id": str(OPERATOR_ID), "set-default": False}
    return f"/v1/users/{person.user_id}/switch-organization/", body


async def impersonation(world: World, person: Person) -> Sent:
    user = await world.patient(await world.organization())
    return f"/v1/impersonation-requests/{await requested(world, person, user.user_id)}/impersonate/", {}


@pytest.mark.parametrize(
    ("prepare", "rendering"),
    [
        (creation, "api.people.totp.single"), (enabling, "api.people.totp.single"),
        (replacement, "api.people.totp.single"), (switch, "api.sessions.sessions.access_token"),
        (impersonation, "api.sessions.impersonation_requests.login_tokens"),
    ],
)  # fmt: skip
async def test_a_failure_after_the_commit_is_told_with_the_position(
    database_url: str, monkeypatch: pytest.MonkeyPatch, prepare: Any, rendering: str
) -> None:
    def lost(*_: object) -> None:
        raise psycopg.OperationalError("the connection is lost")

    async with a_world(database_url) as world:
        person = await world.provider(OPERATOR_ID)
        path, body = await prepare(world, person)
        before = await world.identity.store.save()
        monkeypatch.setattr(rendering, lost)
        answer = await world.client.post(path, json=body, headers=person.bearer)
        after = await world.identity.store.save()
        assert after > before
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "read-model-behind")
        assert answer.headers["X-Position"] == str(after)


@pytest.mark.parametrize("prepare", [creation, enabling, replacement])
async def test_recovery_codes_are_shown_without_a_read_after_the_commit(
    database_url: str, monkeypatch: pytest.MonkeyPatch, prepare: Any
) -> None:
    """Otherwise a database that is lost right then would cost the user their codes."""
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        path, body = await prepare(world, person)
        store = world.identity.store
        committed = store.save

        async def commit_and_lose(*aggregates: Any, **options: Any) -> int:
            position = await committed(*aggregates, **options)
            monkeypatch.setattr(world.services.pool, "connection", lost)
            return position

        def lost(*_: object, **__: object) -> None:
            raise psycopg.OperationalError("the database is away")

        with monkeypatch.context() as patched:
            patched.setattr(store, "save", commit_and_lose)
            answer = await world.client.post(path, json=body, headers=person.bearer)
        monkeypatch.undo()
        assert answer.status_code == 201, answer.text
        ((_, shown),) = [(row["id"], row["attributes"]) for row in (await world.get(PATH, person))["data"]]
        assert shown == answer.json()["data"]["attributes"] | {"recovery-codes": None}
