"""What lists of people cost in an organization of thirty thousand: what they show, not what there is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor

from projections.access import role_users, roles
from projections.core.visibility import READABLE_USERS, Viewer
from projections.organizations import user_organizations
from projections.people.user_lists import UserFilter, statements
from tests.support.plans import touched

# 10,000 providers and 20,000 patients of the clinic, all of whom hold its role, and 20,000 other organizations
FILL = """
INSERT INTO access_organizations (organization_id, open, touched_at, authorization_at)
SELECT md5('clinic' || n)::uuid, false, now(), now() FROM generate_series(0, 20000) n;
INSERT INTO organization_names SELECT md5('clinic' || n)::uuid, 'c-' || n, 'C' FROM generate_series(0, 20000) n;
INSERT INTO roles SELECT md5('role' || n)::uuid, md5('clinic' || n)::uuid, 'a', 'A' FROM generate_series(0, 20000) n;
INSERT INTO access_roles SELECT role_id, organization_id, name FROM roles;
INSERT INTO access_users (user_id, staff, confirmed, touched_at)
SELECT md5('user' || n)::uuid, false, true, now() FROM generate_series(1, 30000) n;
INSERT INTO users (user_id, classification, individual_id, email, email_key, email_verified, confirmed, enabled,
                   organization_ids, created_at, modified_at)
SELECT md5('user' || n)::uuid, 'customer', md5('individual' || n)::uuid, n || '@p.test', n || '@p.test', true, true,
       n % 100 <> 0, CASE WHEN n <= 10000 THEN ARRAY[md5('clinic0')::uuid] ELSE '{}' END, now(), now()
FROM generate_series(1, 30000) n;
INSERT INTO user_places (organization_id, user_id, provider, participant, listed, archived, enabled, email_verified,
                         classification, registration_invite, modified_at)
SELECT md5('clinic0')::uuid, user_id, organization_ids <> '{}', organization_ids = '{}', verified, archived, enabled,
       email_verified, classification, registration_invite, modified_at
FROM users;
INSERT INTO organization_users (user_id, organization_id, provider, admin)
SELECT md5('user' || n)::uuid, md5('clinic0')::uuid, true, n = 1 FROM generate_series(1, 10000) n;
INSERT INTO access_individuals SELECT individual_id, user_id, now() FROM users;
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
async def a_large_clinic(database_url: str) -> AsyncIterator[AsyncCursor]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(FILL.encode())
        await connection.execute("VACUUM ANALYZE")
        yield connection.cursor()


async def test_pages_and_totals_touch_what_they_show(database_url: str) -> None:
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


async def test_other_questions_touch_what_they_are_about(database_url: str) -> None:
    async with a_large_clinic(database_url) as cursor:
        a_hundred = {"viewer": DOC, "users": [a_uuid(f"user{n}") for n in range(9950, 10050)]}
        members = "m.provider AND m.organization_id = %(organization)s"
        for statement, parameters in (
            (statements(UserFilter(organization=CLINIC), sort="id", limit=1, offset=0)[0], PAGE),
            (role_users._ROWS.format(of=role_users._PAGE), PAGE),
            (user_organizations._ROWS.format(where=members), PAGE),
            (roles._ROWS.format(where=Viewer(DOC).reads_organization("r.organization_id")), PAGE),
            (READABLE_USERS, a_hundred),
        ):
            assert await touched(cursor, statement, parameters) < MOST, statement
