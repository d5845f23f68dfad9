"""Whatever the app's document allows to be sent is answered as that document says, and never by a 5xx.

Half of what schemathesis makes is in order and half is not; ids are mostly replaced by some that exist.
ROLLBOOK_SCHEMATHESIS_EXAMPLES makes it look longer.
"""

import asyncio
import os
import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from zlib import crc32

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from requests.structures import CaseInsensitiveDict
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from api.app import openapi_document
from tests.contract.refusals import LONGEST_URL
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import UNLIMITED, Person

pytestmark = pytest.mark.slow

T = TypeVar("T")

EXAMPLES = int(os.environ.get("ROLLBOOK_SCHEMATHESIS_EXAMPLES", "6"))
PROMISES: list[CheckFunction] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
KINDS = {
    "organization": ("north", "south"),
    "role": ("administrators of north",),
    "task": ("task of LEAD",),
    "replicator": ("replicator",),
    "individual": ("individual of PAT", "record of north"),
    "patient": ("individual of PAT",),
    "user": ("PROV", "MEM", "LEAD", "PAT", "FAR-PROV", "SVC"),
    "leader": ("LEAD", "PROV"),
    "owner": ("PAT", "north"),
    "resource": ("individual of PAT", "north"),
    "with": ("north", "PROV"),
    "group": ("ward", "elsewhere", "all participants", "below"),
}
"""Which things are meant by an id, by a word in its name or in the path; the last one that fits."""
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LAST = "PATCH /v1/organizations/{id}/"
"""It may close the organizations that the others are about."""
UNSTABLE = {"GET /healthz", "GET /readyz", "GET /metrics"}
"""Not answers about resources: tests/api/test_health.py has them."""

SIMPLEST_ADDRESS = "0@0.com"
"""The generator gives it to people, and as a support address to templates of organizations, which is not personal."""


class Explorer:
    """Sends what schemathesis makes, from its thread, into the loop that the world lives in."""

    def __init__(self, ward: Ward, caller: Person, loop: asyncio.AbstractEventLoop) -> None:
        self._ward = ward
        self._caller = caller
        self._loop = loop
        self.succeeded: set[str] = set()
        self.wrong: dict[str, str] = {}

    def explore(self, mode: GenerationMode) -> None:
        """All operations. Notes the first broken promise of each."""
        document = schemathesis.openapi.from_dict(openapi_document())
        results = list(document.get_all_operations())
        found = [each.ok() for each in results if isinstance(each, Ok)]
        assert len(found) == len(results)
        for operation in sorted(found, key=lambda each: each.label == LAST):
            if operation.label not in UNSTABLE:
                with suppress(Unsatisfiable):  # of some operations nothing can be wrong
                    self._explore_one(operation, mode)

    def _explore_one(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # an answer that breaks a promise is told as it is; shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode))
        def judged(case: Case[Any]) -> None:
            self._judge(case, known_ids=mode is GenerationMode.POSITIVE)

        judged()

    def _judge(self, case: Case[Any], *, known_ids: bool) -> None:
        title = case.operation.label
        headers = {name: value for name, value in (case.headers or {}).items() if name != "X-At-Least-Position"}
        case.headers = CaseInsensitiveDict({**headers, **self._caller.bearer})
        if known_ids and case.method != "DELETE":  # the things are needed for longer
            case.path_parameters = self._known(case.path_parameters, case.path)
            case.query = self._known(case.query, case.path)
            case.body = self._known(case.body, case.path)
        prepared = requests.Request(**case.as_transport_kwargs(base_url="http://rollbook.test")).prepare()
        assume(len(prepared.url or "") < LONGEST_URL)
        answer = self._wait(self._send(prepared))
        if answer.is_success:
            self.succeeded.add(title)
        try:
            case.validate_response(
                answer, checks=PROMISES if known_ids else [*PROMISES, checks.negative_data_rejection]
            )
        except FailureGroup as broken:
            sent = f"{case.formatted_path} {case.query} {case.body!r:.2000}"
            self.wrong.setdefault(title, f"{title}\n  {sent}\n  {answer.status_code} {answer.text[:500]}\n  {broken}")

    def _known(self, value: Any, name: str) -> Any:
        """The same with things that exist; an eighth stays as it is, and what is chosen follows from what was there."""
        match value:
            case dict():
                return {each: self._known(member, f"{name} {each}") for each, member in value.items()}
            case list():
                return [self._known(item, name) for item in value]
            case str() if name.endswith(" access-query"):
                return self._query(crc32(value.encode(errors="replace")))
            case str() if UUID_TEXT.fullmatch(value):
                kinds = [things for word, things in KINDS.items() if word in name.rsplit(" ", 1)[-1]]
                kinds = kinds or [things for word, things in KINDS.items() if word in name]
                chosen = crc32(value.encode())
                return self._thing(kinds[-1], chosen) if kinds and chosen % 8 else value
            case _:
                return value

    def _thing(self, names: tuple[str, ...], number: int) -> str:
        return self._ward.things[names[number % len(names)]]

    def _query(self, number: int) -> str:
        kind = ("group", "individual", "organization")[number % 3]
        thing = self._thing(KINDS[kind], number // 3) if number % 4 else ""
        return f"{kind}:{thing}:{('read', 'write')[number // 4 % 2]}"

    async def _send(self, prepared: requests.PreparedRequest) -> httpx2.Response:
        assert prepared.method
        assert prepared.url
        assert isinstance(prepared.body, str | bytes | None)
        headers = {
            name: value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
        }
        return await self._ward.world.client.request(
            prepared.method, prepared.url, headers=headers, content=prepared.body
        )

    def _wait(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result(30)


@pytest.mark.timeout(60 + EXAMPLES * 15)
@pytest.mark.parametrize(
    ("name", "mode"),
    [("SYS", GenerationMode.POSITIVE), ("OADM", GenerationMode.POSITIVE), ("OADM", GenerationMode.NEGATIVE)],
)
async def test_every_answer_is_one_that_the_document_promises(
    database_url: str, name: str, mode: GenerationMode, noted_values: set[str]
) -> None:
    async with a_ward(database_url, **UNLIMITED) as ward:
        explorer = Explorer(ward, ward.people[name], asyncio.get_running_loop())
        await asyncio.to_thread(explorer.explore, mode)
        assert not explorer.wrong, "\n".join(explorer.wrong.values())
        if mode is GenerationMode.POSITIVE:
            assert len(explorer.succeeded) > 25, explorer.succeeded
        noted_values.discard(SIMPLEST_ADDRESS)
