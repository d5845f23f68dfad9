"""Of two versions of the inline projections only the newer one appends, so that its tables miss nothing."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import psycopg
import pytest

from adapters.log.inline_fence import OutdatedProcess, declare
from domain.access.roles import Role
from domain.core.recorded import Recorded
from projections.core.projection import InlineProjection, WriteCursor
from tests.support.stores import a_store, waits_for_a_lock


class Counts(InlineProjection):
    """An inline projection that writes nothing."""

    name = "counts"

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        pass


class NewerCounts(Counts):
    version = 2


class More(Counts):
    name = "more"


def a_role() -> Role:
    return Role.create(uuid4(), "org.admin", "org.admin")


async def declared_by(database_url: str, *projections: Counts, schema: int = 1) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await declare(connection, "identity", projections, schema)


async def test_a_process_of_the_older_version_appends_no_more(database_url: str) -> None:
    async with (
        a_store(database_url, projections=[Counts()]) as older,
        a_store(database_url, projections=[More(), NewerCounts()]) as newer,
    ):
        await declared_by(database_url, Counts())
        assert await older.save(a_role()) == 1
        await declared_by(database_url, NewerCounts(), More())
        outcomes = await asyncio.gather(*(older.save(a_role()) for _ in range(3)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {OutdatedProcess}
        assert await newer.save(a_role()) == 2


async def test_an_append_that_waits_for_the_declaration_obeys_it(database_url: str) -> None:
    async with a_store(database_url, projections=[Counts()]) as older:
        async with await psycopg.AsyncConnection.connect(database_url) as declaring:
            await declare(declaring, "identity", [NewerCounts()], 1)
            appending = asyncio.create_task(older.save(a_role()))
            await waits_for_a_lock(database_url)
            await declaring.commit()
        with pytest.raises(OutdatedProcess):
            await appending


@pytest.mark.parametrize(
    ("declared", "late"),
    [
        (([NewerCounts()], 1), ([Counts()], 1)),
        (([Counts(), More()], 2), ([NewerCounts(), More()], 1)),
        (([Counts()], 2), ([Counts(), More()], 1)),
    ],
)
async def test_an_older_process_that_starts_late_declares_nothing(
    database_url: str, declared: tuple[list[Counts], int], late: tuple[list[Counts], int]
) -> None:
    await declared_by(database_url, *declared[0], schema=declared[1])
    with pytest.raises(OutdatedProcess):
        await declared_by(database_url, *late[0], schema=late[1])
    await declared_by(database_url, *declared[0], schema=declared[1])
    async with a_store(database_url, projections=declared[0]) as store:
        assert await store.save(a_role()) == 1


async def test_a_newer_process_takes_projections_out(database_url: str) -> None:
    await declared_by(database_url, Counts(), More(), schema=1)
    await declared_by(database_url, Counts(), schema=2)
