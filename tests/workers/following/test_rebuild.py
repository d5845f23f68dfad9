"""Rebuilding: the same rows, without a gap for readers, whatever happens in between."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg_pool import AsyncConnectionPool

from adapters.security.keyring import Keyring
from domain.core.recorded import Recorded
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.organizations import Organization, OrganizationNameTaken
from domain.people.users import User
from projections import registry
from projections.core import replicators
from projections.core.projection import Projection
from tests.support.followers import (
    Batches,
    a_projector,
    make_tables,
    save_roles_together,
)
from tests.support.histories import FILLING, Appends, History
from tests.support.stores import MASTER_KEY, a_pool, a_store
from tests.support.tables import rows_of
from workers.following import rebuild

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def owner_pool(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with AsyncConnectionPool(database_url, min_size=1, max_size=3, open=False) as pool:
        yield pool


async def rebuilt(database_url: str, projection: Projection, log: str = "identity", **limits: Any) -> list[str]:
    """Rebuilds it; what was reported."""
    said: list[str] = []
    async with owner_pool(database_url) as pool:
        async with pool.connection() as connection:
            await replicators.register(connection, [projection], log)
        keyring = Keyring(pool, MASTER_KEY)
        await rebuild.rebuild_one(database_url, pool, keyring, projection, said.append, log=log, **limits)
    return said


async def looking(database_url: str) -> AsyncConnection:
    return await AsyncConnection.connect(database_url, autocommit=True)


async def make_of(connection: AsyncConnection, tables: Sequence[str]) -> list[object]:
    """Everything about the tables but their rows."""
    cursor = await connection.execute(_MAKE, {"tables": list(tables)})
    return list(await cursor.fetchall())


NAMES = [
    *(each.name for each in (*registry.inline(lambda *_: b""), *registry.background())),
    *(each.name for each in registry.projected_from("sessions")),
]


@pytest.mark.parametrize("name", NAMES)
async def test_rebuilt_tables_equal_the_live_ones(
    database_url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the log is cut into batches."""
    async with a_pool(database_url) as pool:
        lookup = await Keyring(pool, MASTER_KEY).lookup()
    inline, background, sessions = registry.inline(lookup), registry.background(), registry.inline(lookup, "sessions")
    async with (
        a_store(database_url, projections=inline) as store,
        a_store(database_url, projections=sessions, log="sessions") as session_store,
        a_projector(database_url, *background) as projector,
        await looking(database_url) as connection,
    ):
        history = History(store, session_store)
        await history.go_on(150)
        await projector.catch_up()
        await history.go_on(150)
        await history.take(FILLING)
        await projector.catch_up()
        projection = next(each for each in (*inline, *background, *sessions) if each.name == name)
        before = await rows_of(connection, projection.tables)
        made = await make_of(connection, projection.tables)
        assert not [table for table, rows in before.items() if not rows], "the history has to fill every table"
        for batch in (rebuild.BATCH, 7):
            log = "sessions" if projection in sessions else "identity"
            await rebuilt(database_url, projection, log, batch=batch)
            assert await rows_of(connection, projection.tables) == before
            assert await make_of(connection, projection.tables) == made
        await history.go_on(60)
        await projector.catch_up()
        assert await leftovers(connection) == []


async def leftovers(connection: AsyncConnection) -> list[tuple[str, ...]]:
    cursor = await connection.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('rebuild', 'retired')"
        " UNION ALL SELECT 'rebuilds', name FROM rebuilds"
    )
    return list(await cursor.fetchall())


async def test_a_rebuild_survives_names_and_addresses_that_changed_hands(database_url: str) -> None:
    """Taken, given up, and taken by another, all in one batch."""
    async with a_pool(database_url) as pool:
        lookup = await Keyring(pool, MASTER_KEY).lookup()
    inline = registry.inline(lookup)
    async with a_store(database_url, projections=inline) as store, await looking(database_url) as connection:
        first, second = an_organization("hands"), an_organization("other")
        await store.save(first, second)
        first.change({"name": "given-up"})
        await store.save(first)
        second.change({"name": "hands"})
        await store.save(second)
        for claimed in (True, True, False):
            request = a_request(first.id, "guest@example.org")
            await store.save(request)
            if claimed:
                request.claim(request.user_id, uuid4())
                await store.save(request)
        for name in ("organization_names", "open_onboarding_requests"):
            projection = next(each for each in inline if each.name == name)
            before = await rows_of(connection, projection.tables)
            await rebuilt(database_url, projection)
            assert await rows_of(connection, projection.tables) == before


def an_organization(name: str) -> Organization:
    return Organization.create(
        uuid4(), name, display_name=name, classification="customer", provider_type="coach", timezone="UTC"
    )


def a_request(organization_id: UUID, email: str) -> OnboardingRequest:
    invitation = Invitation(organization_id, "patient", Contacts(email))
    return OnboardingRequest.open(uuid4(), invitation, uuid4(), new_user=True, created_by=None)


async def test_a_name_taken_before_its_release_is_refused_in_any_batch(database_url: str) -> None:
    """What one batch accepted, two would refuse for ever."""
    (names,) = (each for each in registry.inline(lambda *_: b"") if each.name == "organization_names")
    first, second = an_organization("hands"), an_organization("other")
    appends = Appends()
    await appends.save(first, second)
    second.change({"name": "hands"})
    await appends.save(second)
    first.change({"name": "given-up"})
    await appends.save(first)
    for batches in (appends.made, [appends.made[0], [*appends.made[1], *appends.made[2]]], [[*chain(*appends.made)]]):
        async with await looking(database_url) as connection:
            with pytest.raises((UniqueViolation, OrganizationNameTaken)):
                await apply_all(connection, names, batches)
            await connection.execute("TRUNCATE organization_names")


async def apply_all(connection: AsyncConnection, projection: Projection, batches: Sequence[Sequence[Recorded]]) -> None:
    for batch in batches:
        await projection.apply(connection.cursor(), batch)


async def test_the_batches_of_a_rebuild_end_where_appends_end(database_url: str) -> None:
    make_tables(database_url)
    batches = Batches()
    async with a_store(database_url) as store:
        for size in (1, 3, 2, 7, 1, 1, 5):
            await save_roles_together(store, *("r" * size))
        await rebuilt(database_url, batches, batch=4)
    assert batches.ends == [4, 13, 20]


async def test_the_old_name_of_the_refusal_still_works_after_a_rebuild(database_url: str) -> None:
    """Unique indexes keep their names, because refusals are told apart by them."""
    async with a_pool(database_url) as pool:
        lookup = await Keyring(pool, MASTER_KEY).lookup()
    inline = registry.inline(lookup)
    identifiers = next(each for each in inline if each.name == "identifiers")
    async with a_store(database_url, projections=inline) as store:
        await store.save(a_user("ada@example.org"))
        await rebuilt(database_url, identifiers)
        (refusal,) = identifiers.unique_violations.values()
        with pytest.raises(refusal):
            await store.save(a_user("ada@example.org"))


def a_user(email: str) -> User:
    return User.create(uuid4(), classification="customer", individual_id=uuid4(), email=email)


_MAKE = """
WITH chosen AS (SELECT format('public.%%I', name)::regclass AS oid, name FROM unnest(%(tables)s::text[]) name)
SELECT name, 'column', a.attname::text, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
FROM chosen JOIN pg_attribute a ON a.attrelid = chosen.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL SELECT name, 'constraint', conname, pg_get_constraintdef(k.oid)
    FROM chosen JOIN pg_constraint k ON k.conrelid = chosen.oid
UNION ALL SELECT name, 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM chosen JOIN pg_index i ON i.indrelid = chosen.oid
UNION ALL SELECT name, 'grant', pg_get_userbyid(grantee)::text, privilege_type
    FROM chosen JOIN pg_class c USING (oid) CROSS JOIN LATERAL aclexplode(relacl)
UNION ALL SELECT name, 'table', pg_get_userbyid(relowner)::text,
    concat_ws(' ', reloptions::text, obj_description(c.oid, 'pg_class'))
    FROM chosen JOIN pg_class c USING (oid)
ORDER BY 1, 2, 3, 4
"""
