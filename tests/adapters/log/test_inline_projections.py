"""Inline projections write in the transaction of the append."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import uuid4

import psycopg
import pytest

from domain.core.errors import DomainError
from domain.core.recorded import Recorded
from domain.organizations.organizations import Organization, OrganizationNameTaken
from projections.core.projection import InlineProjection, WriteCursor
from tests.adapters.log.aggregates import positions
from tests.support.stores import a_store


class Names(InlineProjection):
    """Organization names are unique; a name "poison" cannot be projected."""

    name = "names"
    events = (Organization.Created,)

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        return {"names_pkey": OrganizationNameTaken}

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        for recorded in events:
            event = recorded.event
            assert isinstance(event, Organization.Created)
            if event.details.name == "poison":
                await cursor.execute("SELECT 1 / 0")
            await cursor.execute(
                "INSERT INTO names (name, position) VALUES (%s, %s)", (event.details.name, recorded.position)
            )


def an_organization(name: str) -> Organization:
    return Organization.create(
        uuid4(), name, display_name=name, classification="customer", provider_type="coach", timezone="UTC"
    )


def make_names_table(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE names (name text PRIMARY KEY, position bigint)")
        connection.execute("GRANT SELECT, INSERT ON names TO rollbook_app")


async def test_inline_rows_are_written_in_the_transaction_of_the_append(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        await asyncio.gather(*(store.save(an_organization(f"org-{number}")) for number in range(30)))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT n.position = e.notification_id FROM names n JOIN events e ON e.notification_id = n.position"
        ).fetchall()
    assert rows == [(True,)] * 30


async def test_an_append_whose_inline_projection_fails_leaves_nothing(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        good, bad = an_organization("good"), an_organization("poison")
        outcomes = await asyncio.gather(store.save(bad), store.save(good), return_exceptions=True)
        assert isinstance(outcomes[0], psycopg.errors.DivisionByZero)
        assert outcomes[1] == 1
        assert await store.find(Organization, bad.id) is None
    assert positions(database_url) == [1]


class Fetching(Names):
    """Fetches rows, which only background projections may."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        await cursor.fetchall()  # type: ignore[attr-defined]


async def test_an_inline_projection_that_fetches_fails_its_append(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Fetching()]) as store:
        with pytest.raises(AttributeError, match="'ExecuteOnlyCursor' object has no attribute 'fetchall'"):
            await store.save(an_organization("north"))
    assert positions(database_url) == []


async def test_a_unique_name_is_taken_once(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        outcomes = await asyncio.gather(
            *(store.save(an_organization("same")) for _ in range(8)), return_exceptions=True
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["OrganizationNameTaken"] * 7 + ["int"]


async def test_a_violation_that_no_projection_declares_is_no_refusal(database_url: str) -> None:
    make_names_table(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE names ADD CONSTRAINT names_short CHECK (length(name) < 5)")
        connection.execute("CREATE UNIQUE INDEX names_undeclared ON names (lower(name))")
    async with a_store(database_url, projections=[Names()]) as store:
        await store.save(an_organization("same"))
        for name, violation in [("Same", psycopg.errors.UniqueViolation), ("longer", psycopg.errors.CheckViolation)]:
            with pytest.raises(violation):
                await store.save(an_organization(name))
