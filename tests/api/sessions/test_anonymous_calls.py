"""Calls through anonymous accesses to a real server (semantics 7, rulings K15, K16, K23, K133 to K137 and K141)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import time_machine

from domain.onboarding.invitations import Contacts, Invitation
from tests.api.sessions.test_anonymous_accesses import PATH, change, made, moment
from tests.api.sessions.test_sessions import bearer, code, whoami
from tests.api.sessions.test_tokens import read_token
from tests.support.upstreams import Upstream, an_upstream
from tests.support.world.product import Person, World, a_world

FORM = "6c1f0d0e-3b5a-4c77-9d4e-2a0f5b1c8e11"
ENDPOINTS = [
    {"service": "records", "path": "/forms/{id}/"},
    {"service": "records", "path": "/forms/", "method": "post"},
    {"service": "records", "path": "/forms/{id}/", "method": "patch"},
    {"service": "records", "path": "/forms/{id}/", "method": "delete"},
]
READ = {"endpoint": f"/records/forms/{FORM}/", "method": "get"}


@dataclass
class Call:
    """A patient with an access to an upstream."""

    world: World
    upstream: Upstream
    patient: Person
    access_id: str

    async def sent(self, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        path = f"{PATH}{self.access_id}/proxy/"
        return await self.world.client.post(path, json=READ | body, headers=headers)

    async def answered(self, **body: Any) -> Any:
        answer = await self.sent(**body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def refused(self, status: int, **body: Any) -> Any:
        answer = await self.sent(**body)
        assert answer.status_code == status, answer.text
        return answer.json()["errors"]


@asynccontextmanager
async def an_access(database_url: str, base: str = "/api", **settings: Any) -> AsyncIterator[Call]:
    with an_upstream() as upstream:
        async with a_world(database_url, services=f"records={upstream.url}{base}", **settings) as world:
            patient = await world.patient(await world.organization())
            access = await made(world, patient.user_id, allowed_endpoints=ENDPOINTS)
            yield Call(world, upstream, patient, access["id"])


async def test_the_answer_has_the_status_and_json_of_the_service(database_url: str) -> None:
    async with an_access(database_url) as call:
        answer = await call.sent()
        assert answer.json() == {"status-code": 200, "json": {"ok": True}}
        assert answer.headers["cache-control"] == "no-store"
        assert "x-position" not in answer.headers
        (received,) = call.upstream.received
        assert (received.method, received.path, received.body) == ("GET", f"/api/forms/{FORM}/", b"")


async def test_the_service_gets_a_token_of_the_user_alone(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        own = {"Cookie": "a=b", "X-Own": "1", "X-Request-ID": "the-request", "Authorization": "Bearer x.y.z"}
        assert (await call.sent(own)).status_code == 201
        (received,) = call.upstream.received
        token = received.headers.pop("authorization").removeprefix("Bearer ")
        host = call.upstream.url.removeprefix("http://")
        assert received.headers == {
            "host": host, "accept": "application/json", "accept-encoding": "identity", "x-request-id": "the-request",
            "x-anonymous-access": call.access_id,
        }  # fmt: skip
        claims = read_token(token)
        assert (claims["sub"], claims["org"]) == (str(call.patient.user_id), None)
        assert 58 <= claims["exp"] - claims["iat"] <= 60
        assert (await whoami(call.world, token))["data"]["user-id"] == str(call.patient.user_id)
        with time_machine.travel(timedelta(seconds=91)):
            assert code(await whoami(call.world, token, 401)) == "token-expired"


async def test_the_token_only_authenticates(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        await call.answered()
        headers = {"Authorization": call.upstream.received[0].headers["authorization"]}
        user, session = call.patient.user_id, read_token(headers["Authorization"].removeprefix("Bearer "))["sid"]
        others = [
            ("GET", f"/v1/users/{user}/", None), ("GET", "/v1/organizations/", None),
            ("GET", f"/v1/sessions/{session}/", None), ("DELETE", f"/v1/sessions/{session}/", None),
            ("POST", "/v1/authz-resource-access/", {"user-id": str(user), "access-query": ["organization::read"]}),
            ("POST", f"/v1/users/{user}/switch-organization/", {"organization-id": FORM, "set-default": False}),
        ]  # fmt: skip
        for method, path, body in others:
            answer = await call.world.client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, code(answer.json())) == (403, "forbidden"), path


async def test_parameters_and_body_are_passed_on(database_url: str) -> None:
    async with an_access(database_url) as call:
        params = {"text": "a b&c=d", "number": 3, "flag": True, "list": ["x", 1.5, False], "none": []}
        body = {"answers": [1, None, {"a": "é"}]}
        await call.answered(endpoint="/records/forms/", method="post", params=params, json=body)
        (received,) = call.upstream.received
        assert received.path == "/api/forms/?text=a+b%26c%3Dd&number=3&flag=true&list=x&list=1.5&list=false"
        assert (json.loads(received.body), received.headers["content-type"]) == (body, "application/json")


@pytest.mark.parametrize("method", ["patch", "delete"])
async def test_each_allowed_method_is_used(database_url: str, method: str) -> None:
    async with an_access(database_url) as call:
        await call.answered(method=method)
        assert call.upstream.received[0].method == method.upper()


@pytest.mark.parametrize(
    ("endpoint", "method"),
    [
        (f"/records/forms/{FORM}/", "post"), (f"/records/forms/{FORM}", "get"), ("/records/forms/", "get"),
        ("/records/forms/x/", "get"), ("/records/forms/{id}/", "get"), (f"/records/forms/{FORM}/x/", "get"),
        (f"/other/forms/{FORM}/", "get"), (f"/records/Forms/{FORM}/", "get"), ("/records/", "get"),
        (f"/records/forms/{UUID(FORM).hex}/", "get"),
    ],
)  # fmt: skip
async def test_other_calls_are_refused_before_they_are_made(database_url: str, endpoint: str, method: str) -> None:
    async with an_access(database_url) as call:
        (error,) = await call.refused(403, endpoint=endpoint, method=method)
        assert error["code"] == "forbidden"
        assert call.upstream.received == []


@pytest.mark.parametrize(
    "endpoint",
    ["", "/", "/records", "records/forms/", "//records/", "/records//forms", "/records/../x", "/records/a..b",
     "/records/./x", "/records/x%2fy", "/records/x?y=1", "/records/x#y", "/records/x\\y", "/records/é", "/records/a b"],
)  # fmt: skip
async def test_endpoints_that_are_no_plain_paths_are_refused(database_url: str, endpoint: str) -> None:
    """Ruling K134."""
    async with an_access(database_url) as call:
        (error,) = await call.refused(400, endpoint=endpoint)
        assert (error["code"], error["source"]) == ("invalid-attribute", {"pointer": "/endpoint"})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"params": {"a": None}}, "/params/a"), ({"params": {"a": {}}}, "/params/a"),
        ({"params": {"a": [[1]]}}, "/params/a"), ({"params": {"a": [None]}}, "/params/a"),
        ({"params": []}, "/params"), ({"params": None}, "/params"), ({"json": {}}, "/json"),
        ({"method": "delete", "json": {"a": 1}}, "/json"), ({"method": "patch", "json": [1]}, "/json"),
        ({"method": "put"}, "/method"), ({"method": "GET"}, "/method"), ({"url": "http://x/"}, "/url"),
    ],
)  # fmt: skip
async def test_malformed_calls_are_refused(database_url: str, body: dict[str, Any], pointer: str) -> None:
    """Ruling K134."""
    async with an_access(database_url) as call:
        (error,) = await call.refused(400, **body)
        assert error["source"] == {"pointer": pointer}


async def test_a_redirect_is_an_answer_and_not_followed(database_url: str) -> None:
    """Rulings K135 and K136."""
    async with an_access(database_url) as call:
        call.upstream.status = 302
        call.upstream.headers = {"Location": f"{call.upstream.url}/secret"}
        assert await call.answered() == {"status-code": 302, "json": {"ok": True}}
        assert len(call.upstream.received) == 1


async def test_errors_of_the_service_are_answers(database_url: str) -> None:
    async with an_access(database_url) as call:
        for status in (400, 401, 404, 429, 500, 503):
            call.upstream.status = status
            assert (await call.answered())["status-code"] == status


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", None), (b"<p>Hello</p>", None), (b"[1,2]", {"value": [1, 2]}), (b'"x"', {"value": "x"}), (b"NaN", None),
     (b"null", {"value": None}), (b'{"a":', None), (b'"\xff"', None)],
)  # fmt: skip
async def test_what_is_no_object_is_a_value_or_null(database_url: str, body: bytes, expected: Any) -> None:
    """Ruling K136."""
    async with an_access(database_url) as call:
        call.upstream.body = body
        assert await call.answered() == {"status-code": 200, "json": expected}


async def test_cookies_of_the_service_are_not_kept(database_url: str) -> None:
    """Ruling K135."""
    async with an_access(database_url) as call:
        call.upstream.headers = {"Set-Cookie": "session=1; Path=/"}
        answer = await call.sent()
        assert "set-cookie" not in answer.headers
        await call.answered()
        assert all("cookie" not in received.headers for received in call.upstream.received)


async def test_proxies_of_the_environment_are_not_used(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ruling K135."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with an_access(database_url) as call:
        assert (await call.answered())["status-code"] == 200


@pytest.mark.parametrize("part", ["held", "half_held"])
async def test_a_service_that_takes_too_long_is_answered_504(database_url: str, part: str) -> None:
    """The time is that of the whole call, also of a service that sends a part at once."""
    async with an_access(database_url, proxy_seconds=0.3) as call:
        getattr(call.upstream, part).clear()
        assert await call.answered() == {"status-code": 504, "json": None}


async def test_an_answer_that_is_too_large_is_answered_502(database_url: str) -> None:
    """Ruling K136."""
    async with an_access(database_url, proxy_bytes=1024) as call:
        call.upstream.body = b'"' + b"x" * 1022 + b'"'
        assert (await call.answered())["status-code"] == 200
        call.upstream.body += b" "
        assert await call.answered() == {"status-code": 502, "json": None}


async def test_an_unreachable_service_is_answered_502(database_url: str) -> None:
    """Ruling K136."""
    async with an_access(database_url) as call:
        call.upstream.announced = 1000  # the connection ends before
        assert await call.answered() == {"status-code": 502, "json": None}
    with an_upstream() as gone:
        pass
    async with a_world(database_url, services=f"records={gone.url}") as world:
        headers = {"X-At-Least-Position": "0"}
        path = f"{PATH}{call.access_id}/proxy/"
        assert (await world.client.post(path, json=READ, headers=headers)).json() == {"status-code": 502, "json": None}
    async with a_world(database_url, services=f"other={gone.url}") as world:
        assert (await world.client.post(path, json=READ)).json() == {"status-code": 502, "json": None}


async def test_unknown_accesses_are_not_found_and_counted_by_address(database_url: str) -> None:
    async with an_access(database_url, lookup_misses_address=4) as call:
        for _ in range(3):  # without Redis the limit is half of the setting, rounded up
            answer = await call.world.client.post(f"{PATH}{uuid4()}/proxy/", json=READ)
            assert answer.status_code in {404, 429}
        refusal = await call.sent()
        assert (refusal.status_code, code(refusal.json())) == (429, "too-many-requests")
        assert int(refusal.headers["retry-after"]) >= 1
        assert call.upstream.received == []


async def test_known_accesses_are_not_counted_as_misses(database_url: str) -> None:
    async with an_access(database_url, lookup_misses_address=2) as call:
        for _ in range(4):
            await call.answered()


async def test_an_access_has_a_limited_number_of_calls_in_a_minute(database_url: str) -> None:
    async with an_access(database_url, proxy_calls=6) as call:
        other = await made(call.world, call.patient.user_id, allowed_endpoints=ENDPOINTS)
        for _ in range(3):
            await call.answered()
        (error,) = await call.refused(429, endpoint="/records/not-allowed/")
        assert error["code"] == "too-many-requests"
        call.access_id = other["id"]
        await call.answered()


async def test_an_expired_access_is_gone_at_once(database_url: str) -> None:
    async with an_access(database_url) as call:
        path = f"{PATH}{call.access_id}/"
        await call.world.patch(path, change(call.access_id, expired_at=moment(seconds=-1)), call.world.service)
        (error,) = await call.refused(410)
        assert error["code"] == "expired"
        await call.world.post(f"/v1/users/{call.patient.user_id}/disable/", {}, call.world.system)
        await call.refused(410)
        await call.world.patch(path, change(call.access_id, expired_at=moment(days=1)), call.world.service)
        with time_machine.travel(timedelta(days=1, seconds=5)):
            await call.refused(410)


async def test_the_access_of_a_disabled_user_is_refused(database_url: str) -> None:
    async with an_access(database_url, proxy_calls=1) as call:
        await call.answered()
        headers = {"Authorization": call.upstream.received[0].headers["authorization"]}
        await call.world.post(f"/v1/users/{call.patient.user_id}/disable/", {}, call.world.system)
        assert [error["code"] for error in await call.refused(403)] == ["forbidden"]
        answer = await call.world.client.post("/v1/authenticate/", headers=headers)
        assert (answer.status_code, code(answer.json())) == (401, "session-revoked")


async def test_users_without_an_account_are_authenticated_for_the_service(database_url: str) -> None:
    """That is what anonymous accesses are for: the user is not confirmed."""
    async with an_access(database_url) as call:
        contacts = Contacts(email="eve@people.test")
        invitation = Invitation(await call.world.organization(), "patient", contacts, notifications=[])
        request, _ = await call.world.identity.onboarding_requests.create(call.world.administrator, invitation)
        call.access_id = (await made(call.world, request.user_id, allowed_endpoints=ENDPOINTS))["id"]
        await call.answered()
        token = call.upstream.received[0].headers["authorization"].removeprefix("Bearer ")
        known = (await whoami(call.world, token))["data"]
        assert (known["user-id"], known["email"]) == (str(request.user_id), "eve@people.test")
        path = f"/v1/users/{request.user_id}/"
        assert (await call.world.client.get(path, headers=bearer(token))).status_code == 403


async def test_tokens_are_ignored_and_idempotency_keys_too(database_url: str) -> None:
    async with an_access(database_url) as call:
        for headers in ({"Authorization": "Bearer nonsense"}, {"Idempotency-Key": "once"}, {"Idempotency-Key": "once"}):
            assert (await call.sent(headers)).status_code == 201
        assert len(call.upstream.received) == 3


async def test_the_log_tells_of_each_call(database_url: str) -> None:
    async with an_access(database_url) as call:
        call.upstream.status = 418
        await call.answered(params={"name": "somebody@people.test"})
        session_id = UUID(read_token(call.upstream.received[0].headers["authorization"].removeprefix("Bearer "))["sid"])
        async with call.world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT topic, convert_from(state, 'utf8') FROM sessions_events WHERE originator_id = %s"
                " ORDER BY originator_version",
                [session_id],
            )
            (opened, first), (proxied, second) = await cursor.fetchall()
        assert (opened, proxied) == ("session.opened", "session.call-proxied")
        assert '"kind":"anonymous"' in first
        told = json.loads(second)
        assert (told["service"], told["path"], told["method"]) == ("records", f"/forms/{FORM}/", "get")
        assert told["status"] == 418
        assert call.access_id not in first + second
        assert "somebody" not in second


async def test_a_call_is_no_login(database_url: str) -> None:
    async with an_access(database_url) as call:
        path = f"/v1/users/{call.patient.user_id}/"
        before = (await call.world.get(path, call.world.system))["data"]["attributes"]["last-login-time"]
        with time_machine.travel(timedelta(seconds=60)):
            await call.answered()
        assert (await call.world.get(path, call.world.system))["data"]["attributes"]["last-login-time"] == before
