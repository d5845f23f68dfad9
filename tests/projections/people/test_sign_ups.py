"""Lists of the users of an organization code read their page, not the users (decision 0042)."""

from typing import Any

import pytest

from projections.people.sign_ups import SignUpFilter, statements
from projections.people.user_lists import few_matched
from tests.projections.people.test_user_lists import a_large_clinic, a_uuid
from tests.support.plans import touched

pytestmark = pytest.mark.slow

USERS = 100_000
# 40,000 with the first code, 1,000 with the second, all others with codes of their own
FILL = """
INSERT INTO sign_ups SELECT md5('user' || n)::uuid, CASE WHEN n % 5 < 2 THEN md5('large')::uuid
    WHEN n % 100 = 3 THEN md5('small')::uuid ELSE gen_random_uuid() END, now() - n * interval '1 s'
FROM generate_series(1, 100000) n
"""
MOST = 4_000
"""Blocks: four for each person who signed up with the small code. A walk through the users of the large one has 40,000
and more."""
NAME = "b4e"
"""The beginning of a few names."""


async def test_pages_and_totals_read_few_blocks(database_url: str) -> None:
    wanted: list[dict[str, Any]] = [
        {}, {"email": "b@p.test"}, {"email_verified": False}, {"state": "archived"}, {"state": "confirmed"},
        {"text": NAME}, {"text": "nobody"},
    ]  # fmt: skip
    async with a_large_clinic(database_url, users=USERS) as cursor:
        await cursor.execute(FILL)
        await cursor.execute("VACUUM ANALYZE sign_ups")
        for code in ("large", "small"):
            for filters in wanted:
                text = filters.get("text")
                matched = None if text is None else await few_matched(cursor, text)
                chosen = SignUpFilter(a_uuid(code), **filters, matched=matched)
                shown, count = statements(chosen)
                window = {"limit": 100, "offset": 0}
                for statement in (shown, count):
                    assert await touched(cursor, statement, chosen.parameters | window) < MOST, (code, filters)
