"""What stands in tables, to compare it."""

from collections.abc import Sequence

from psycopg import AsyncConnection


async def appended(connection: AsyncConnection, after: int, upto: int) -> tuple[set[str], int]:
    """The topics of the events after one position up to another, and the number of transactions that wrote them."""
    cursor = await connection.execute(
        "SELECT topic, xmin::text FROM events WHERE notification_id > %s AND notification_id <= %s", [after, upto]
    )
    rows = await cursor.fetchall()
    return {topic for topic, _ in rows}, len({transaction for _, transaction in rows})


async def rows_of(connection: AsyncConnection, tables: Sequence[str]) -> dict[str, list[str]]:
    """All rows as text, sorted: the order in a table means nothing."""
    found = {}
    for table in tables:
        cursor = await connection.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1'.encode())
        found[table] = [text for (text,) in await cursor.fetchall()]
    return found
