"""Asks the running product every question about authorization through HTTP, as a service that asks about all users."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.core.ports import AccessQuery
from tests.support.world.product import World

CHECK = "/v1/authz-resource-access/"
BULK = "/v1/bulk-authz-resource-access/"
ACCESSIBLE = "/v1/authz-get-accessible-resources/"
INDIVIDUALS = "/v1/authz-individuals/"
ACCESSORS = "/v1/authz-resource-accessors/"
MOST_QUERIES = 50


class Found(NamedTuple):
    """A list, read page by page, and what it said of its length."""

    ids: list[UUID]
    totals: set[int]


class Asking:
    """The ids of what is asked about are real ones."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def check(self, user_id: UUID, *queries: AccessQuery) -> bool:
        body = {"user-id": str(user_id), "access-query": [text(each) for each in queries]}
        allow: bool = (await self._world.post(CHECK, body, self._world.service))["allow"]
        return allow

    async def bulk(self, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]) -> list[list[bool]]:
        """For each user an answer to each query."""
        answers: list[list[bool]] = [[] for _ in user_ids]
        for start in range(0, len(queries), MOST_QUERIES):
            some = [text(each) for each in queries[start : start + MOST_QUERIES]]
            asked = {"user-ids": [str(each) for each in user_ids], "access-query": some, "individually": True}
            rows = (await self._world.post(BULK, {"multi-user-ids": asked}, self._world.service))["access-queries"]
            for place, row in enumerate(rows):
                answers[place // len(some)].append(row["allow"])
        return answers

    async def accessible(
        self, user_id: UUID, queries: Sequence[AccessQuery], organization_id: UUID | None, limit: int
    ) -> Found:
        body: dict[str, Any] = {"user-id": str(user_id), "access-query": [text(each) for each in queries]}
        if organization_id is not None:
            body["organization-id"] = str(organization_id)

        async def page(limit: int, offset: int) -> tuple[int, list[str]]:
            sent = body | {"page[limit]": limit, "page[offset]": offset}
            answer = await self._world.post(ACCESSIBLE, sent, self._world.service)
            return answer["meta"]["page[total]"], answer["resource-ids"]

        return await _read(page, limit)

    async def individuals(self, user_id: UUID, operation: str, filters: dict[str, Any], limit: int) -> Found:
        """Filters by their contract names."""
        query = {"user-id": str(user_id), "operation": operation}
        chosen = {f"filter[{name}]": _sent(value) for name, value in filters.items()}

        async def page(limit: int, offset: int) -> tuple[int, list[str]]:
            asked = {**query, **chosen, "page[limit]": limit, "page[offset]": offset}
            answer = await self._world.get(INDIVIDUALS, self._world.service, **asked)
            return answer["meta"]["page[total]"], answer["resource-ids"]

        return await _read(page, limit)

    async def accessors(
        self, kind: str, things: Sequence[UUID], operation: str, organization_id: UUID | None, limit: int
    ) -> Found:
        query = {"resource-type": kind, "resource-id": [str(each) for each in things], "operation": operation}
        if organization_id is not None:
            query["organization-id"] = str(organization_id)

        async def page(limit: int, offset: int) -> tuple[int, list[str]]:
            asked: dict[str, Any] = {**query, "page[limit]": limit, "page[offset]": offset}
            answer = await self._world.get(ACCESSORS, self._world.service, **asked)
            return answer["meta"]["page[total]"], [row["id"] for row in answer["data"]]

        return await _read(page, limit)


def text(query: AccessQuery) -> str:
    return f"{query.resource_type}:{query.resource_id or ''}:{query.operation}"


async def _read(page: Any, limit: int) -> Found:
    """Page by page; a page of nothing tells the total as well."""
    total, nothing = await page(0, 0)
    assert nothing == []
    ids: list[str] = []
    totals = {total}
    while True:
        total, some = await page(limit, len(ids))
        ids += some
        totals.add(total)
        if len(some) < limit:
            return Found([UUID(each) for each in ids], totals)


def _sent(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return [str(each) for each in value] if isinstance(value, list) else str(value)
