"""Anonymous accesses: who makes, sees and changes them (semantics 7, rulings K61, K62, K132, K139 and K140)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.organizations.organizations import OPERATOR_ID
from tests.api.sessions.test_sessions import code
from tests.api.sessions.test_switching import set_active
from tests.support.world.product import Person, World, a_world

PATH = "/v1/anonymous-accesses/"
SERVICES: dict[str, Any] = {"services": "records=http://127.0.0.1:9/api,mail=https://mail.example.org"}
ENDPOINT = {"service": "records", "path": "/forms/{id}/"}


def moment(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%d %H:%M:%S")


def creation(user_id: UUID | str, **attributes: Any) -> Any:
    given = {"user-id": str(user_id), "expired-at": moment(days=1), "allowed-endpoints": [ENDPOINT]}
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"data": {"type": "anonymous-accesses", "attributes": given | named}}


def change(access_id: str, **attributes: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return {"data": {"type": "anonymous-accesses", "id": access_id, "attributes": named}}


async def made(world: World, user_id: UUID, by: Person | None = None, **attributes: Any) -> Any:
    return (await world.post(PATH, creation(user_id, **attributes), by or world.service))["data"]


async def test_an_access_is_shown_as_it_was_made(database_url: str) -> None:
    """Ruling K150: the method of an endpoint is get by default."""
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        until = moment(days=90, seconds=-10)
        endpoints = [ENDPOINT, {"service": "mail", "path": "/", "method": "post"}]
        access = await made(world, patient.user_id, expired_at=until, allowed_endpoints=endpoints)
        attributes = access["attributes"]
        assert attributes["allowed-endpoints"] == [{**ENDPOINT, "method": "get"}, endpoints[1]]
        assert (attributes["expired-at"], attributes["user-id"]) == (until, str(patient.user_id))
        assert attributes["created-at"] == attributes["last-modified-at"]
        assert UUID(access["id"]).version == 4
        for person in (world.service, world.system):
            assert (await world.get(f"{PATH}{access['id']}/", person))["data"] == access
        assert (await world.client.get(PATH, headers=world.service.bearer)).status_code == 405


async def test_the_id_stands_in_no_log(database_url: str) -> None:
    """Who has the id may use the access."""
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        access_id = (await made(world, patient.user_id))["id"]
        await world.patch(f"{PATH}{access_id}/", change(access_id, expired_at=moment(days=2)), world.service)
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "SELECT originator_id::text || convert_from(state, 'utf8') FROM events WHERE topic LIKE 'anonymous-%'"
            ).fetchall()
        assert len(rows) == 2
        assert all(access_id not in text and UUID(access_id).hex not in text for (text,) in rows)


async def test_administrators_make_accesses_for_participants_of_their_organizations(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        north, south = await world.organization(), await world.organization()
        admin, provider, far = await world.admin(north), await world.provider(north), await world.admin(south)
        patient, staff = await world.patient(north), await world.provider(OPERATOR_ID)
        access_id = (await made(world, patient.user_id, admin))["id"]
        path = f"{PATH}{access_id}/"
        await world.get(path, admin)
        await world.patch(path, change(access_id, expired_at=moment(days=2)), admin)
        for person in (patient, provider, staff, world.system):
            (error,) = (await world.post(PATH, creation(patient.user_id), person, 403))["errors"]
            assert (error["code"], error["source"]) == ("forbidden", {"pointer": "/data/attributes/user-id"})
        (error,) = (await world.post(PATH, creation(patient.user_id), far, 404))["errors"]
        assert error["source"] == {"pointer": "/data/attributes/user-id"}
        for person in (patient, provider, staff, far):
            await world.get(path, person, 404)
            await world.patch(path, change(access_id), person, 404)
        assert code(await world.patch(path, change(access_id), world.system, 403)) == "forbidden"


async def test_unknown_and_unreadable_users_are_alike(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        admin = await world.admin(await world.organization())
        stranger = await world.patient(await world.organization())
        answers = [
            await world.client.post(PATH, json=creation(user_id), headers=admin.bearer)
            for user_id in (uuid4(), stranger.user_id)
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        await world.post(PATH, creation(world.service.user_id), world.service, 404)


async def test_the_user_is_a_participant_who_is_not_disabled(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        north = await world.organization()
        provider, patient, admin = await world.provider(north), await world.patient(north), await world.admin(north)
        for person in (world.service, admin):
            assert code(await world.post(PATH, creation(provider.user_id), person, 409)) == "conflict"
        await world.post(f"/v1/users/{patient.user_id}/disable/", {}, world.system)
        assert code(await world.post(PATH, creation(patient.user_id), world.service, 409)) == "invalid-state"


async def test_administrators_of_an_inactive_organization_make_none(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        north, south = await world.organization(), await world.organization()
        admin, patient = await world.admin(north), await world.patient(north)
        access_id = (await made(world, patient.user_id, admin))["id"]
        await set_active(world, north, active=False)
        await world.get(f"{PATH}{access_id}/", admin, 404)
        assert await world.post(PATH, creation(patient.user_id), admin, 404)
        assert south


@pytest.mark.parametrize("later", [{"seconds": -1}, {"days": 90, "seconds": 60}, {"days": 400}])
async def test_a_new_access_ends_in_the_next_ninety_days(database_url: str, later: dict[str, float]) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        (error,) = (await world.post(PATH, creation(patient.user_id, expired_at=moment(**later)), world.service, 400))[
            "errors"
        ]
        assert (error["code"], error["source"]) == ("invalid-attribute", {"pointer": "/data/attributes/expired-at"})


async def test_a_change_may_end_the_access_at_once(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        access_id = (await made(world, patient.user_id))["id"]
        path = f"{PATH}{access_id}/"
        for refused in (moment(days=91), "soon", None):
            (error,) = (await world.patch(path, change(access_id, expired_at=refused), world.service, 400))["errors"]
            assert error["source"] == {"pointer": "/data/attributes/expired-at"}
        past = moment(days=-1)
        changed = await world.patch(path, change(access_id, expired_at=past), world.service)
        assert changed["data"]["attributes"]["expired-at"] == past


async def test_a_change_replaces_the_endpoints_as_a_whole(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        access = await made(world, patient.user_id, expired_at=moment(days=30))
        path = f"{PATH}{access['id']}/"
        endpoints = [{"service": "mail", "path": "/x", "method": "patch"}]
        changed = await world.patch(path, change(access["id"], allowed_endpoints=endpoints), world.service)
        attributes = changed["data"]["attributes"]
        assert attributes["allowed-endpoints"] == endpoints
        assert attributes["expired-at"] == access["attributes"]["expired-at"]
        assert attributes["last-modified-at"] >= attributes["created-at"]


async def test_a_change_to_the_same_values_records_nothing(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        until = moment(days=1)
        access_id = (await made(world, patient.user_id, expired_at=until))["id"]
        before = await world.identity.store.save()
        for attributes in ({}, {"expired_at": until}, {"allowed_endpoints": [ENDPOINT]}):
            await world.patch(f"{PATH}{access_id}/", change(access_id, **attributes), world.service)
        assert await world.identity.store.save() == before


BAD_PATHS = [
    "", "x", "forms/", "/a/../b", "/..", "/a..b", "/./a", "/a/.", "//", "/a//b", "/a%2fb", "/a?x=1", "/a#x", "/a\\b",
    "/a b", "/é", "/a\tb", "/{id}x/", "/x{id}", "/{name}/", "/{", "/" + "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
async def test_paths_that_a_server_might_read_differently_are_refused(database_url: str, path: str) -> None:
    async with a_world(database_url, projecting=False, **SERVICES) as world:
        endpoints = [ENDPOINT, {"service": "records", "path": path}]
        body = creation(uuid4(), allowed_endpoints=endpoints)
        (error,) = (await world.post(PATH, body, world.service, 400))["errors"]
        assert error["source"] == {"pointer": "/data/attributes/allowed-endpoints/1/path"}


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/{id}", "/a/{id}/b/", "/.well-known/x", "/a.json", "/A_b-c~:@!$&'()*+,;="]
)
async def test_other_paths_are_accepted(database_url: str, path: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        access = await made(world, patient.user_id, allowed_endpoints=[{"service": "records", "path": path}])
        assert access["attributes"]["allowed-endpoints"][0]["path"] == path


async def test_only_services_of_the_setting_are_allowed(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        names = ("records", "other", "Records")
        endpoints = [{"service": name, "path": "/"} for name in names]
        refused = await world.post(PATH, creation(patient.user_id, allowed_endpoints=endpoints), world.service, 400)
        assert [error["source"]["pointer"] for error in refused["errors"]] == [
            f"/data/attributes/allowed-endpoints/{place}/service" for place in (1, 2)
        ]
        access_id = (await made(world, patient.user_id))["id"]
        body = change(access_id, allowed_endpoints=endpoints[:2])
        (error,) = (await world.patch(f"{PATH}{access_id}/", body, world.service, 400))["errors"]
        assert error["source"] == {"pointer": "/data/attributes/allowed-endpoints/1/service"}


@pytest.mark.parametrize("number", [0, 51])
async def test_an_access_has_up_to_fifty_endpoints(database_url: str, number: int) -> None:
    async with a_world(database_url, projecting=False, **SERVICES) as world:
        endpoints = [{"service": "records", "path": f"/{place}"} for place in range(number)]
        (error,) = (await world.post(PATH, creation(uuid4(), allowed_endpoints=endpoints), world.service, 400))[
            "errors"
        ]
        assert error["source"] == {"pointer": "/data/attributes/allowed-endpoints"}


async def test_a_retried_creation_makes_one_access(database_url: str) -> None:
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        headers = {**world.service.bearer, "Idempotency-Key": "once"}
        body = creation(patient.user_id)
        first, second = [await world.client.post(PATH, json=body, headers=headers) for _ in range(2)]
        assert first.json() == second.json()
        assert first.headers["x-position"] == second.headers["x-position"]
