"""Large and unusual calls through anonymous accesses, and accesses of archived users (rulings K132 to K137)."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.api.people.test_codes import log_in, registered
from tests.api.people.test_user_search import archive
from tests.api.sessions.test_anonymous_accesses import PATH, SERVICES, change, creation, made, moment
from tests.api.sessions.test_anonymous_calls import ENDPOINTS, an_access
from tests.api.sessions.test_sessions import code, whoami
from tests.support.world.product import PASSWORD, World, a_world

FORMS: dict[str, Any] = {"endpoint": "/records/forms/", "method": "post"}


async def heads(world: World) -> tuple[int, int]:
    """The heads of the two logs."""
    return await world.identity.store.save(), await world.session_store.save()


@pytest.mark.parametrize("params", [{"x" * 7000: list(range(12))}, {"a": "é" * 6000}, {"a": "x" * 32_767}])
async def test_a_query_that_is_too_long_is_refused(database_url: str, params: dict[str, Any]) -> None:
    """Ruling K134."""
    async with an_access(database_url) as call:
        before = await heads(call.world)
        (error,) = await call.refused(400, params=params)
        assert (error["code"], error["source"]) == ("invalid-attribute", {"pointer": "/params"})
        assert (call.upstream.received, await heads(call.world)) == ([], before)


async def test_the_longest_query_arrives(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        await call.answered(**FORMS, params={"a": "x" * 32_766})
        assert call.upstream.received[0].path == "/api/forms/?a=" + "x" * 32_766


async def test_a_body_may_be_as_large_as_that_of_a_sign_up(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        text = {"text": "x" * 100_000}
        await call.answered(**FORMS, json=text)
        assert json.loads(call.upstream.received[0].body) == text
        (error,) = await call.refused(413, **FORMS, json={"text": "x" * 128 * 1024})
        assert error["code"] == "payload-too-large"


@pytest.mark.parametrize("depth", [100, 260, 900])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_a_deep_answer_is_passed_on(database_url: str, depth: int, opening: bytes, closing: bytes) -> None:
    """Ruling K136."""
    async with an_access(database_url) as call:
        sent = opening * depth + b"1" + closing * depth
        call.upstream.body = sent
        expected = sent if opening.startswith(b"{") else b'{"value":%b}' % sent
        answer = await call.sent()
        assert (answer.status_code, answer.content) == (201, b'{"status-code":200,"json":%b}' % expected)


async def test_an_answer_too_deep_to_be_read_has_no_json(database_url: str) -> None:
    """Ruling K136."""
    async with an_access(database_url) as call:
        call.upstream.body = b"[" * 5000 + b"]" * 5000
        assert await call.answered() == {"status-code": 200, "json": None}


async def test_numbers_of_an_answer_are_not_rounded(database_url: str) -> None:
    """Ruling K136."""
    async with an_access(database_url) as call:
        call.upstream.body = b'{"n":123456789012345678901234567890,"m":9007199254740993.0}'
        assert b'"json":' + call.upstream.body in (await call.sent()).content


async def test_all_violations_are_named_before_the_user_is_looked_up(database_url: str) -> None:
    """Ruling K132."""
    async with a_world(database_url, **SERVICES) as world:
        patient = await world.patient(await world.organization())
        wrong = {"expired_at": moment(days=91), "allowed_endpoints": [{"service": "other", "path": "/"}]}
        pointers = ["/data/attributes/allowed-endpoints/0/service", "/data/attributes/expired-at"]
        path = f"{PATH}{uuid4()}/"
        for answer in (
            await world.post(PATH, creation(uuid4(), **wrong), world.service, 400),
            await world.post(PATH, creation(patient.user_id, **wrong), patient, 400),
            await world.patch(path, change(path.split("/")[-2], **wrong), patient, 400),
        ):
            assert [error["source"]["pointer"] for error in answer["errors"]] == pointers


async def test_the_access_of_an_archived_user_is_shown_and_not_changed(database_url: str) -> None:
    """Rulings K132, K133 and K143."""
    async with an_access(database_url) as call:
        world = call.world
        north = await world.organization()
        admin, patient = await world.people(north, "admin", "patient")
        call.access_id = (await made(world, patient.user_id, admin, allowed_endpoints=ENDPOINTS))["id"]
        await archive(world, patient.user_id)
        path, body = f"{PATH}{call.access_id}/", change(call.access_id, expired_at=moment(days=2))
        for by in (world.service, world.system):
            shown = await world.get(path, by)
            assert shown["data"]["attributes"]["user-id"] == str(patient.user_id)
        await world.get(path, admin, 404)
        assert code(await world.patch(path, body, world.service, 409)) == "invalid-state"
        assert code(await world.patch(path, body, world.system, 403)) == "forbidden"
        await world.patch(path, body, admin, 404)
        assert code(await world.post(PATH, creation(patient.user_id), world.service, 409)) == "invalid-state"
        await world.post(PATH, creation(patient.user_id), admin, 404)
        assert [error["code"] for error in await call.refused(403)] == ["forbidden"]
        assert call.upstream.received == []


async def test_users_who_are_not_confirmed_are_authenticated_for_the_service(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        world = call.world
        user_id = await registered(world, "new@people.test")
        call.access_id = (await made(world, user_id, allowed_endpoints=ENDPOINTS))["id"]
        await call.answered()
        token = call.upstream.received[0].headers["authorization"].removeprefix("Bearer ")
        known = (await whoami(world, token))["data"]
        assert (known["user-id"], known["email"]) == (str(user_id), "new@people.test")
        assert await log_in(world, "new@people.test", PASSWORD) == 403


async def test_the_token_of_a_call_is_ignored_where_none_is_needed(database_url: str) -> None:
    """Ruling K63, the paragraph after it."""
    async with an_access(database_url) as call:
        await call.answered()
        headers = {"Authorization": call.upstream.received[0].headers["authorization"]}
        asked: dict[str, Any] = {
            "onboarding-info": {"data": {"type": "onboarding-info", "attributes": {"code": "0000-0000-0000-0000"}}},
            "resend-invitation": {"username": "nobody@people.test"},
            "forgot-password": {"username": "nobody@people.test"},
            "password-strength": {"password": "quite-a-walrus-77"},
        }
        for name, body in asked.items():
            with_token, without = [
                await call.world.client.post(f"/v1/{name}/", json=body, headers=sent) for sent in (headers, {})
            ]
            assert (with_token.status_code, with_token.content) == (without.status_code, without.content), name
            assert with_token.status_code != 403
