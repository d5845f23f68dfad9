"""Of two things that are wrong with a request, the one is told that stands first in the order (ruling A10).

The caller may do nothing, so that whatever is told here is told before permissions are checked.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import pytest

from tests.contract.described import Operation, operations
from tests.contract.refusals import ACTION, OTHER_ID, UNKNOWN, Case, Request, Source, in_envelope, largest_body
from tests.contract.test_refusals import ANYBODY, RESOURCES, Asked, asked, of

Made = Callable[[Request], Request]


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, how it is brought into a request, and what is said of it. Faults of one rank are
    told together."""

    rank: int
    made: Made
    status: int
    code: str
    source: Source


def faults(operation: Operation) -> Iterator[Fault]:
    """What can be wrong with a request of this operation, in the order in which it must be told."""
    if operation.title not in ANYBODY:
        yield Fault(1, _with_header("Authorization", "Bearer x"), 401, "not-authenticated", {})
    yield Fault(2, _with_header("Accept", "text/html"), 406, "not-acceptable", {})
    if operation.takes_body:
        yield Fault(3, _with_header("Content-Type", "text/plain"), 415, "unsupported-media-type", {})
        yield Fault(4, _with_content(b"{" + b" " * largest_body(operation)), 413, "payload-too-large", {})
    if any((each.where, each.schema.get("format")) == ("path", "uuid") for each in operation.parameters):
        yield Fault(5, _at_no_uuid, 400, "invalid-parameter", {"parameter": "id"})
    yield Fault(5, _with_unknown_parameter, 400, "invalid-parameter", {"parameter": UNKNOWN})
    for taken, name, odd in (
        (operation.reads, "X-At-Least-Position", "-1"),
        (operation.remembers, "Idempotency-Key", "two words"),
    ):
        if taken:
            yield Fault(6, _with_header(name, odd), 400, "invalid-parameter", {"parameter": name})
    if operation.takes_body:
        yield Fault(7, _with_content(b"{"), 400, "invalid-attribute", {"pointer": ""})
        yield Fault(8, _with_unknown_member, 400, "invalid-attribute", {"pointer": f"/{UNKNOWN}"})
    if in_envelope(operation.body or {}):
        yield Fault(9, _with_data("type", UNKNOWN), 409, "type-conflict", {"pointer": "/data/type"})
        status, code = (409, "id-conflict") if ACTION in operation.path else (403, "client-id-not-allowed")
        yield Fault(10, _with_data("id", OTHER_ID), status, code, {"pointer": "/data/id"})


def cases(good: Request) -> Iterator[Case]:
    """All pairs, and each alone."""
    known = list(faults(good.operation))
    for pair in [*combinations(known, 2), *((each, each) for each in known)]:
        first, second = pair
        request = first.made(second.made(good))
        told = {each.code + str(each.source): (each.code, each.source) for each in pair if each.rank == first.rank}
        yield Case(f"{first.code} and {second.code}", request, first.status, list(told.values()))


@pytest.mark.parametrize("resource", RESOURCES)
async def test_the_first_of_two_faults_is_reported(database_url: str, resource: str) -> None:
    async with asked(database_url) as person:
        async for good in person.good_requests(of(resource)):
            await person.refuses_each(cases(good))


async def test_a_missing_route_is_reported_first(database_url: str) -> None:
    async with asked(database_url) as person:
        for operation in operations():
            request = Request(operation, operation.path.replace("{id}", "x"), (), headers={"Accept": "text/html"})
            await _is_nowhere(person, request)
            answer = await person.send(request, {}, method="PUT")
            assert (answer.status_code, answer.headers["x-request-id"] != "") == (405, True), operation.title


async def _is_nowhere(person: Asked, request: Request) -> None:
    answer = await person.send(replace(request, path=f"{request.path}x"), {})
    assert answer.status_code == 404, request.path


def _with_header(name: str, value: str) -> Made:
    return lambda request: replace(request, headers={**request.headers, name: value})


def _with_content(content: bytes) -> Made:
    return lambda request: replace(request, content=content)


def _at_no_uuid(request: Request) -> Request:
    return replace(request, path=request.operation.path.replace("{id}", "x"))


def _with_unknown_parameter(request: Request) -> Request:
    return replace(request, query=(*request.query, (UNKNOWN, "1")))


def _with_unknown_member(request: Request) -> Request:
    return replace(request, body={**(request.body or {}), UNKNOWN: 1})


def _with_data(name: str, value: str) -> Made:
    def made(request: Request) -> Request:
        body = copy.deepcopy(request.body)
        body["data"][name] = value
        return replace(request, body=body)

    return made
