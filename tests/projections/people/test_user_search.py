"""No filter and no order of users reads the table of a hundred thousand of them (decision 0042)."""

from typing import Any

import pytest

from projections.people.user_lists import SORT_KEYS, UserFilter, statements, users_page
from tests.projections.people.test_user_lists import CLINIC, LONG_AGO, a_large_clinic, a_uuid
from tests.support.plans import fetched, touched

pytestmark = pytest.mark.slow

USERS = 100_000
MOST = 2_000
"""Blocks; the table of users has 6,700."""
SORTS = [None, *SORT_KEYS, *(f"-{key}" for key in SORT_KEYS)]
NAME = "b4e"
"""The beginning of the names of 119 people of the clinic."""


async def test_every_filter_in_every_order_is_served_by_indexes(database_url: str) -> None:
    async with a_large_clinic(database_url, users=USERS) as cursor:
        filters: list[dict[str, Any]] = [
            {}, {"participants": True}, {"participants": True, "inactive": True, "unverified": True},
            {"testers": False}, {"administrators": True}, {"email": "b@p.test"}, {"phone": "+12025550147"},
            {"username": "b@p.test"}, {"classification": "carium"}, {"email_verified": False}, {"enabled": False},
            {"shared_with_organization": CLINIC}, {"shared_with_user": a_uuid("user1")},
            {"individuals": [a_uuid("individual7")]}, {"invites": ["sent"]}, {"modified": [("<", LONG_AGO)]},
        ]  # fmt: skip
        for wanted in filters:
            for organization in (None, CLINIC):
                for sort in SORTS:
                    filter_ = UserFilter(organization=organization, **wanted)
                    page, count, values = statements(filter_, sort=sort, limit=100, offset=0)
                    assert await touched(cursor, page, values) < MOST, (wanted, organization, sort)
                assert await touched(cursor, count, values) < MOST, (wanted, organization)


async def test_a_text_with_few_matches_reads_these_in_every_order(database_url: str) -> None:
    async with a_large_clinic(database_url, users=USERS) as cursor:
        for text, matches in ((NAME, 119), (f"{NAME} ", 0), (f"{NAME}x", 0)):
            for organization in (None, CLINIC):
                for sort in SORTS:
                    async with cursor.connection.transaction():
                        before = await fetched(cursor)
                        filter_ = UserFilter(organization=organization, participants=True, text=text)
                        found, total = await users_page(cursor, filter_, sort=sort, limit=200, offset=0)
                        assert len(found) == total == matches
                        assert await fetched(cursor) - before <= 5 * matches, (text, organization, sort)
