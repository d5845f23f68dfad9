"""The wrong tries of verification codes, counted in Postgres (ruling K32)."""

from collections.abc import Collection
from uuid import UUID

from adapters.postgres.connections import Pool

# A right code locks the rows as well, so that it cannot overtake the wrong tries that were sent before it.
_COUNT = """
WITH forgotten AS (DELETE FROM code_tries WHERE tried_at < now() - interval '60 days')
INSERT INTO code_tries (message_id, tries, tried_at)
SELECT asked, %(wrong)s, now() FROM unnest(%(ids)s::uuid[]) AS asked ORDER BY 1
ON CONFLICT (message_id) DO UPDATE SET tries = code_tries.tries + %(wrong)s, tried_at = now()
WHERE code_tries.tries < %(most)s
RETURNING message_id, tries
"""
_USE_UP = "UPDATE code_tries SET tries = %s WHERE message_id = ANY(%s)"


class CountedTries:
    """Implements `domain.people.verification_codes.CodeTries`."""

    def __init__(self, pool: Pool, most: int) -> None:
        """`most` is the number of wrong tries of a code; 0 disables the limit."""
        self._pool = pool
        self._most = most

    async def count(self, message_ids: Collection[UUID], outstanding: Collection[UUID], right: UUID | None) -> bool:
        """As in `CodeTries`."""
        if not self._most:
            return True
        given = {"ids": list(message_ids), "wrong": int(right is None), "most": self._most}
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(_COUNT, given, prepare=True)
            tries: dict[UUID, int] = dict(await cursor.fetchall())
            if any(tries.get(message_id) == self._most for message_id in outstanding):
                await connection.execute(_USE_UP, [self._most, list(outstanding)])
            return right in tries
