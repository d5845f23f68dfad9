"""What lists of people cost in an organization of thirty thousand: what they show, not what there is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection, AsyncCursor

from adapters.postgres.session_settings import session_dsn
from projections.access import role_users, roles
from projections.access.accessors import accessors_statement
from projections.access.filters import IndividualFilter
from projections.access.pages import Slice
from projections.access.readable_individuals import accessible_individuals
from projections.core.visibility import READABLE_USERS, Viewer
from projections.organizations import user_organizations
from projections.people.user_lists import UserFilter, statements
from tests.support.plans import fetched, touched

pytestmark = pytest.mark.slow

# 10,000 providers and 20,000 patients of the clinic, all of whom hold its role, 20,000 other organizations, and 20,000
# providers of none, who come before those of the clinic in every order of names
FILL = """
INSERT INTO access_organizations (organization_id, open, touched_at, authorization_at)
SELECT md5('clinic' || n)::uuid, false, now(), now() FROM generate_series(0, 20000) n;
INSERT INTO organization_names SELECT md5('clinic' || n)::uuid, 'c-' || n, 'C' FROM generate_series(0, 20000) n;
INSERT INTO roles SELECT md5('role' || n)::uuid, md5('clinic' || n)::uuid, 'a', 'A' FROM generate_series(0, 20000) n;
INSERT INTO access_roles SELECT role_id, organization_id, name FROM roles;
INSERT INTO access_users (user_id, staff, confirmed, touched_at)
SELECT md5('user' || n)::uuid, false, true, now() FROM generate_series(1, 50000) n;
INSERT INTO users (user_id, classification, account_type, individual_id, email, email_key, email_text, first_name_key,
                   last_name_key, birth_date, email_verified, confirmed, enabled, organization_ids, created_at,
                   modified_at)
SELECT md5('user' || n)::uuid, 'customer', CASE WHEN n <= 10000 OR n > 30000 THEN 'provider' ELSE 'patient' END,
       md5('individual' || n)::uuid, name || '@p.test', name || '@p.test', name || '@p.test', name, name,
       '2000-01-01'::date + n % 10000,
       true, true, n % 100 <> 0, CASE WHEN n <= 10000 THEN ARRAY[md5('clinic0')::uuid] ELSE '{}' END, now(), now()
FROM generate_series(1, 50000) n CROSS JOIN LATERAL (
    SELECT CASE WHEN n > 30000 THEN 'a' ELSE 'b' END || md5('name' || n)) named(name);
INSERT INTO organization_people (organization_id, user_id, provider, participant, listed, archived, enabled,
                                 email_verified, classification, registration_invite, modified_at, email_text,
                                 first_name_key, last_name_key)
SELECT md5('clinic0')::uuid, user_id, organization_ids <> '{}', organization_ids = '{}', verified, archived, enabled,
       email_verified, classification, registration_invite, modified_at, email_text, first_name_key, last_name_key
FROM users WHERE email_key >= 'b';
INSERT INTO organization_users (user_id, organization_id, provider, admin)
SELECT md5('user' || n)::uuid, md5('clinic0')::uuid, true, n = 1 FROM generate_series(1, 10000) n;
INSERT INTO access_individuals SELECT individual_id, user_id, now() FROM users WHERE email_key >= 'b';
INSERT INTO individual_organizations (individual_id, organization_id, owned, shared)
SELECT md5('individual' || n)::uuid, md5('clinic0')::uuid, false, true FROM generate_series(10001, 30000) n;
INSERT INTO role_users SELECT md5('role0')::uuid, md5('user' || n)::uuid, n FROM generate_series(1, 30000) n;
"""
MOST = 800
"""Blocks of a hundred with all that is told of them; the people alone take 1,000."""


def a_uuid(name: str) -> UUID:
    return UUID(md5(name.encode()).hexdigest())


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CLINIC, ROLE, DOC = a_uuid("clinic0"), a_uuid("role0"), a_uuid("user2")
PAGE = {"works_in": [CLINIC], "organization": CLINIC, "role": ROLE, "limit": 100, "offset": 9000}


@asynccontextmanager
async def a_large_clinic(database_url: str, *, users: int = 50_000) -> AsyncIterator[AsyncCursor]:
    """Planned as for the product, whatever the server is set to."""
    dsn = session_dsn(database_url, "maintain")
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(FILL.replace("50000", str(users)).encode())
        await connection.execute("VACUUM ANALYZE")
        yield connection.cursor()


async def test_pages_and_totals_read_few_blocks(database_url: str) -> None:
    async with a_large_clinic(database_url) as cursor:
        for changes in (
            {},
            {"participants": True},
            {"inactive": True, "unverified": True},
            {"testers": False},
            {"enabled": False},
            {"email_verified": False},
            {"classification": "carium"},
            {"invites": ["sent", "failed"]},
            {"shared_with_organization": CLINIC},
            {"modified": [(">", LONG_AGO)]},
            {"modified": [("<", LONG_AGO)]},
        ):
            wanted: dict[str, Any] = {"organization": CLINIC, **changes}
            page, count, values = statements(UserFilter(**wanted), sort="id", limit=100, offset=50)
            assert await touched(cursor, page, values) < MOST, changes
            assert await touched(cursor, count, values) < MOST, changes


async def test_other_questions_read_few_blocks(database_url: str) -> None:
    async with a_large_clinic(database_url) as cursor:
        members = "m.provider AND m.organization_id = %(organization)s"
        for statement, parameters in (
            (statements(UserFilter(organization=CLINIC), sort="id", limit=1, offset=0)[0], PAGE),
            (role_users._ROWS.format(of=role_users._PAGE), PAGE),
            (user_organizations._ROWS.format(where=members), PAGE),
            (roles._ROWS.format(where=Viewer(DOC).reads_organization("r.organization_id")), PAGE),
        ):
            assert await touched(cursor, statement, parameters) < MOST, statement


async def test_readable_users_of_a_hundred_are_looked_up(database_url: str) -> None:
    """Before version 17 Postgres walks an index from its root for each of them."""
    async with a_large_clinic(database_url) as cursor:
        a_hundred = {"viewer": DOC, "users": [a_uuid(f"user{n}") for n in range(9950, 10050)]}
        assert await touched(cursor, READABLE_USERS, a_hundred) < 1_000


@pytest.mark.parametrize("sort", ["email", "-first-name", "last-name"])
async def test_pages_in_the_order_of_names_read_few_blocks(database_url: str, sort: str) -> None:
    async with a_large_clinic(database_url) as cursor:
        for wanted in (UserFilter(organization=CLINIC), UserFilter(organization=CLINIC, participants=True)):
            page, _, values = statements(wanted, sort=sort, limit=100, offset=50)
            assert await touched(cursor, page, values) < MOST


async def test_filters_on_all_users_read_an_index_only(database_url: str) -> None:
    async with a_large_clinic(database_url) as cursor:
        for changes in (
            {"enabled": False},
            {"email_verified": False},
            {"classification": "carium"},
            {"invites": ["sent"]},
        ):
            wanted: dict[str, Any] = {**changes}
            page, count, values = statements(UserFilter(**wanted), sort="id", limit=100, offset=0)
            assert await touched(cursor, page, values) < MOST, changes
            assert await touched(cursor, count, values) < MOST, changes


@pytest.mark.parametrize("organization", [None, CLINIC])
async def test_administrators_are_found_without_their_colleagues(database_url: str, organization: UUID | None) -> None:
    async with a_large_clinic(database_url) as cursor:
        wanted = UserFilter(organization=organization, administrators=True)
        page, count, values = statements(wanted, sort="id", limit=100, offset=0)
        assert await touched(cursor, page, values) < 40
        assert await touched(cursor, count, values) < 40


@pytest.mark.parametrize("within", [False, True])
async def test_users_of_an_organization_are_looked_up_together(database_url: str, *, within: bool) -> None:
    async with a_large_clinic(database_url) as cursor:
        statement = accessors_statement("organization", "read", one=True, within=within)
        # one by one, as for several resources, it would be 40,000
        assert await touched(cursor, statement, PAGE | {"resource": CLINIC}) < 1_500


async def test_a_birth_date_is_looked_up(database_url: str) -> None:
    async with a_large_clinic(database_url) as cursor, cursor.connection.transaction():
        admin = a_uuid("user1")
        filters = IndividualFilter(owner={"birth_date": date(2000, 1, 2)})
        sees = Viewer(admin, works_in=frozenset([CLINIC]), administers=frozenset([CLINIC]))
        found = await accessible_individuals(cursor, admin, "read", Slice(100, 0), filters=filters, viewer=sees)
        assert found.total == 3
        assert await fetched(cursor) < 200
