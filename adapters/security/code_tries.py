"""The tries of verification codes, counted in Postgres (ruling K32)."""

from collections.abc import Collection
from uuid import UUID

from adapters.postgres.connections import Pool

_TAKE = """
WITH forgotten AS (DELETE FROM code_tries WHERE tried_at < now() - interval '60 days')
INSERT INTO code_tries (message_id, tries, tried_at) SELECT asked, 1, now() FROM unnest(%s::uuid[]) AS asked ORDER BY 1
ON CONFLICT (message_id) DO UPDATE SET tries = code_tries.tries + 1, tried_at = now() WHERE code_tries.tries < %s
RETURNING message_id
"""


class CountedTries:
    """Implements `domain.people.verification_codes.CodeTries`. The count of a code cannot be taken back."""

    def __init__(self, pool: Pool, most: int) -> None:
        """`most` is the number of tries of a code; 0 disables the limit."""
        self._pool = pool
        self._most = most

    async def take(self, message_ids: Collection[UUID]) -> set[UUID]:
        """Count one try of each of these codes. Return those that had a try left."""
        if not self._most:
            return set(message_ids)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_TAKE, [list(message_ids), self._most], prepare=True)
            return {row[0] for row in await cursor.fetchall()}
