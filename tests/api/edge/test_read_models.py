"""The position of an answer is true: it is that of every background read model that the answer rests on (B2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest

from projections import registry
from projections.core.projection import Projection
from tests.api.edge.permission_matrix import families
from tests.support.world.named import Ward, a_ward

pytestmark = pytest.mark.slow

BEHIND = "1"


class Question:
    """A read of the matrix by a principal who may send it; the things that it names exist."""

    def __init__(self, title: str, request: dict[str, Any]) -> None:
        self.title = title
        self._request = request

    async def asked(self, ward: Ward) -> httpx2.Response:
        return await ward.world.client.request(**self._request)


async def questions(ward: Ward) -> list[Question]:
    found = []
    for row in (row for rows in families().values() for row in rows if row.operation.reads):
        for name in row.allowed():
            request = {**await row.request(ward, name), "headers": ward.people[name].bearer}
            found.append(Question(f"{row.title} by {name}", request))
    return found


@asynccontextmanager
async def taken_away(owner: psycopg.AsyncConnection, model: Projection) -> AsyncIterator[None]:
    """Inside, a query of its tables fails."""
    for table in model.tables:
        await owner.execute(f"ALTER TABLE {table} RENAME TO {table}_away".encode())
    yield
    for table in model.tables:
        await owner.execute(f"ALTER TABLE {table}_away RENAME TO {table}".encode())


@asynccontextmanager
async def behind(owner: psycopg.AsyncConnection, model: Projection) -> AsyncIterator[None]:
    """Meanwhile its position is near the beginning of the log."""
    cursor = await owner.execute("SELECT position FROM projections WHERE name = %s", [model.name])
    (position,) = await cursor.fetchone() or (0,)
    await owner.execute("UPDATE projections SET position = %s WHERE name = %s", [int(BEHIND), model.name])
    yield
    await owner.execute("UPDATE projections SET position = %s WHERE name = %s", [position, model.name])


OF_JOBS = {"invitations"}
"""Read models that jobs look at, and no answer."""


async def test_an_answer_has_the_lowest_position_of_its_read_models(database_url: str) -> None:
    async with (
        a_ward(database_url) as ward,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner,
    ):
        asking = await questions(ward)
        await ward.world.catch_up()
        await ward.world.stop_projecting()
        untrue, looked_at = [], set()
        for model in registry.background():
            async with taken_away(owner, model):
                concerned = [each for each in asking if (await each.asked(ward)).status_code == 500]
            async with behind(owner, model):
                for each in concerned:
                    looked_at.add(model.name)
                    if (await each.asked(ward)).headers["X-Position"] != BEHIND:
                        untrue.append(f"{each.title} looks at {model.name}")
        assert not untrue, "\n".join(untrue)
        assert looked_at == {model.name for model in registry.background()} - OF_JOBS
