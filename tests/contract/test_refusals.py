"""Bad input is refused: by every operation, each violation by its own error, and nothing is recorded."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests.contract.described import Operation, operations
from tests.contract.refusals import (
    Case,
    Request,
    base,
    completed,
    everything_wrong_in_the_body,
    everything_wrong_in_the_query,
    largest_body,
    of_members,
    of_parameters,
    of_whole_bodies,
    refused_as_too_large,
    too_large,
)
from tests.support.world.product import UNLIMITED, Person, World, a_world

pytestmark = pytest.mark.slow

MEDIA_TYPE = "application/vnd.api+json"
RESOURCES = sorted({each.tag for each in operations()})
ANYBODY = {
    "POST /v1/internal-auth/", "POST /v2/internal-auth/", "POST /v1/login/", "POST /v1/refresh-token/",
    "POST /v1/sign-up/", "POST /v1/confirm-sign-up/", "POST /v1/confirm-forgot-password/",
    "POST /v1/resend-invitation/", "POST /v1/password-strength/", "POST /v1/onboarding-info/",
    "GET /v1/organization-code-info/{id}/", "GET /v1/service-documents/",
    "GET /v1/service-documents/{id}/", "GET /v1/saml-login/",
    "POST /v1/saml-acs/{id}/acs/", "GET /v1/saml-acs/{id}/logout/", "GET /v1/oauth2-launcher/",
    "GET /v1/oauth2-redirector/", "POST /v1/oauth2-tokens/", "POST /v1/anonymous-accesses/{id}/proxy/",
    "POST /v1/forgot-password/", "POST /v1/resend-confirmation/",
}  # fmt: skip
"""Semantics 4, first row, and the anonymous extensions of section 12."""
JUDGED_BY_COMMANDS = {"code-mismatch", "invalid-organization-code", "invalid-referral-code", "weak-password"}
"""Codes of refusals with status 400 that no description of a request can avoid."""
ALL_PEOPLE_MAY = {"POST /v1/mfa-totp/"}
"""Commands that no person is refused; a service sends them here, and is refused."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNACCEPTABLE = ["text/html", "image/*, text/*", f"{MEDIA_TYPE};q=0, application/json;q=0", f"{MEDIA_TYPE};version=1"]
READABLE = [
    "application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', MEDIA_TYPE,
    f'{MEDIA_TYPE}; ext="https://people.test/ext"', f'{MEDIA_TYPE};profile="https://people.test/profile"',
]  # fmt: skip
UNREADABLE = [
    "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/json; charset=latin-1", "application/json; version=1", f"{MEDIA_TYPE}; charset=utf-8",
    f"{MEDIA_TYPE}; version=1", "application/vnd.api", "json", "*/*",
]  # fmt: skip


class Asked:
    """One world, a caller who may do nothing, and what went wrong so far."""

    def __init__(self, world: World, caller: Person) -> None:
        self.world = world
        self.caller = caller
        self.wrong: list[str] = []

    async def send(self, request: Request, bearer: dict[str, str] | None = None, **other: Any) -> httpx2.Response:
        sent = {**request.sent(), **other}
        caller = self.world.service if request.operation.title in ALL_PEOPLE_MAY else self.caller
        sent["headers"] = {**(caller.bearer if bearer is None else bearer), **sent["headers"]}
        return await self.world.client.request(**sent)

    async def good(self, operation: Operation) -> Request:
        """A request of the operation in which nothing is wrong but that the caller may not do it."""
        request = base(operation)
        for _ in range(3):
            answer = await self.send(request)
            if answer.status_code != 400 or answer.json()["errors"][0]["code"] in JUDGED_BY_COMMANDS:
                return request
            request = completed(request, answer.json()["errors"])
        raise AssertionError(answer.text)

    async def good_requests(self, operations: Iterable[Operation]) -> AsyncIterator[Request]:
        for operation in operations:
            yield await self.good(operation)

    async def refuses_each(self, cases: Iterable[Case]) -> None:
        for case in cases:
            await self.refuses(case)

    async def refuses(self, case: Case, **other: Any) -> None:
        """Notes what is not as the case says."""
        answer = await self.send(case.request, **other)
        problem = difference(answer, case.status, case.errors)
        if problem:
            self.wrong.append(f"{case.request.operation.title} | {case.what}: {problem}")

    async def heads(self) -> list[Any]:
        async with self.world.pool.connection() as connection:
            rows = await connection.execute("SELECT log, position FROM log_head ORDER BY log")
            return await rows.fetchall()


def difference(answer: httpx2.Response, status: int, expected: Iterable[tuple[str, dict[str, str]]]) -> str:
    """Where the answer is not the contract's errors document with these errors; "" when all is well."""
    if answer.status_code != status:
        return f"{answer.status_code} instead of {status}: {answer.text[:300]}"
    if answer.headers["content-type"] != MEDIA_TYPE:
        return answer.headers["content-type"]
    document = answer.json()
    if set(document) != {"errors"}:
        return f"members {set(document)}"
    for error in document["errors"]:
        strange = set(error) != {"code", "detail", "meta", "source", "status"} or error["status"] != status
        if strange or not error["detail"] or not isinstance(error["meta"], dict):
            return f"not an error of the contract: {error}"
    found = sorted((error["code"], sorted(error["source"].items())) for error in document["errors"])
    wanted = sorted((code, sorted(source.items())) for code, source in expected)
    return "" if found == wanted else f"{found[:5]} instead of {wanted[:5]}"


@asynccontextmanager
async def asked(database_url: str) -> AsyncIterator[Asked]:
    """Fails at the end with all that was not as it should be, or when anything was recorded."""
    services: dict[str, Any] = {"services": "sample=http://127.0.0.1:9"}
    async with a_world(database_url, **services, **UNLIMITED) as world:
        person = Asked(world, await world.patient(await world.organization("north")))
        before = await person.heads()
        yield person
        assert not person.wrong, "\n".join(person.wrong)
        assert await person.heads() == before


def test_each_described_member_is_looked_at() -> None:
    (create,) = (each for each in operations() if each.title == "POST /v1/individual-groups/")
    looked_at = {case.what.partition(":")[0] for case in of_members(base(create))}
    attributes = {"name", "organization-id", "node-type", "type", "tags", "tags/0", "leader-ids", "leader-ids/0"}
    assert {f"/data/attributes/{name}" for name in (*attributes, "individual-ids", "individual-ids/0")} < looked_at
    assert {"/data", "/data/type", "/no-such-name", "/data/no-such-name", "an id of the client's"} < looked_at


def of(resource: str) -> list[Operation]:
    return [each for each in operations() if each.tag == resource]


@pytest.mark.parametrize("resource", RESOURCES)
async def test_bad_parameters_and_bodies_are_refused(database_url: str, resource: str) -> None:
    async with asked(database_url) as person:
        async for good in person.good_requests(of(resource)):
            for case in of_parameters(good):
                await person.refuses(case)
            await person.refuses(everything_wrong_in_the_query(good))
            if good.operation.takes_body:
                for case in (*of_members(good), *of_whole_bodies(good)):
                    await person.refuses(refused_as_too_large(case))
                await person.refuses(everything_wrong_in_the_body(good))


async def test_only_json_is_taken_and_answered(database_url: str) -> None:
    async with asked(database_url) as person:
        for operation in operations():
            good = await person.good(operation)
            for accept in UNACCEPTABLE:
                case = Case(f"Accept {accept}", good, 406, [("not-acceptable", {})])
                await person.refuses(replace(case, request=replace(good, headers={"Accept": accept})))
            if operation.takes_body:
                await media_types_are_judged(person, good)


async def media_types_are_judged(person: Asked, good: Request) -> None:
    body = {} if good.body is None else good.body
    usual = (await person.send(replace(good, body=body))).status_code
    for name in READABLE:
        answer = await person.send(replace(good, body=body, headers={"Content-Type": name}))
        if answer.status_code != usual:
            person.wrong.append(f"{good.operation.title} | Content-Type {name}: {answer.status_code}")
    for name in UNREADABLE:
        request = replace(good, body=body, headers={"Content-Type": name})
        await person.refuses(Case(f"Content-Type {name}", request, 415, [("unsupported-media-type", {})]))


async def test_a_too_large_body_is_refused_with_and_without_length(database_url: str) -> None:
    async def parts(largest: int) -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b" " * (largest // 4)
        yield b"{}"

    async with asked(database_url) as person:
        for operation in operations():
            if operation.takes_body:
                case = too_large(base(operation))
                await person.refuses(case)
                await person.refuses(case, content=parts(largest_body(operation)))


async def test_all_but_the_anonymous_operations_need_a_token(database_url: str) -> None:
    async with asked(database_url) as person:
        for operation in operations():
            good = await person.good(operation)
            usual = await person.send(good)
            for bearer in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}):
                answer = await person.send(good, bearer)
                if operation.title in ANYBODY:
                    problem = "" if answer.status_code == usual.status_code else "needs a session"
                else:
                    problem = difference(answer, 401, [("not-authenticated", {})])
                    problem = problem or ("" if answer.headers["www-authenticate"] == "Bearer" else "no challenge")
                if problem:
                    person.wrong.append(f"{operation.title} | {bearer}: {problem}")


def is_at(path: str, template: str) -> bool:
    """Whether a request to the path may be one of an operation: `{id}` stands for any text, other words too."""
    return re.fullmatch(template.replace("{id}", "[^/]+"), path) is not None


async def test_other_methods_and_paths_without_their_slash_are_refused(database_url: str) -> None:
    async with asked(database_url) as person:
        for path in {each.path for each in operations()}:
            there = [each for each in operations() if each.path == path]
            known = sorted({each.method for each in operations() if is_at(path, each.path)})
            request = replace(base(there[0]), query=(), body=None)
            for method in METHODS - set(known):
                answer = await person.send(request, method=method)
                problem = "" if method == "HEAD" else difference(answer, 405, [("method-not-allowed", {})])
                if problem or answer.status_code != 405 or answer.headers["allow"] != ", ".join(known):
                    person.wrong.append(f"{method} {path}: {answer.status_code} {answer.headers} {problem}")
            for wrong in (request.path.rstrip("/"), f"/identity{request.path}", f"{request.path}x/y/"):
                answer = await person.send(replace(request, path=wrong))
                if problem := difference(answer, 404, [("not-found", {})]):
                    person.wrong.append(f"{wrong}: {problem}")


async def test_an_unknown_id_in_the_path_is_named_by_its_parameter(database_url: str) -> None:
    """Ruling D12."""
    async with asked(database_url) as person:
        told = {}
        for operation in operations():
            if "{id}" in operation.path:
                good = await person.good(operation)
                callers = (person.caller, person.world.system, person.world.service)
                answers = [await person.send(good, by.bearer) for by in callers]
                found = [difference(each, 404, [("not-found", {"parameter": "id"})]) for each in answers]
                told[operation.title] = [each for each in found if not each.startswith("403 ")]
        wrong = {title: found for title, found in told.items() if not found or any(found)}
        assert told
        assert not wrong


async def test_syntax_is_judged_before_permission_and_after_the_token(database_url: str) -> None:
    """Ruling A10, for every operation: whatever else is wrong, the earlier refusal answers."""
    async with asked(database_url) as person:
        for operation in operations():
            wrong = replace(
                base(operation), query=(("no-such-name", "1"),), content=b"{", path=operation.path.replace("{id}", "x"),
                headers={"Accept": "text/html", "Content-Type": "text/plain"},
            )  # fmt: skip
            answers = [(await person.send(wrong, {})).status_code, (await person.send(wrong)).status_code]
            json_only = replace(wrong, headers={"Accept": "*/*", "Content-Type": "text/plain"})
            answers.append((await person.send(json_only)).status_code)
            answers.append((await person.send(replace(json_only, headers={}))).status_code)
            expected = [406 if operation.title in ANYBODY else 401, 406, 415 if operation.takes_body else 400, 400]
            if answers != expected:
                person.wrong.append(f"{operation.title}: {answers} instead of {expected}")
