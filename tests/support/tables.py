"""What stands in tables, to compare it."""

from collections.abc import Sequence

from psycopg import AsyncConnection


async def rows_of(connection: AsyncConnection, tables: Sequence[str]) -> dict[str, list[str]]:
    """All rows as text, sorted: the order in a table means nothing."""
    found = {}
    for table in tables:
        cursor = await connection.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1'.encode())
        found[table] = [text for (text,) in await cursor.fetchall()]
    return found
