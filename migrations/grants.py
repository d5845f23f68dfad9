"""What the application's role may do: all of it granted to that role by name, again at each run (ruling O19).

A dump restored without roles and grants has none of it, and a careful operator takes everything from PUBLIC.
"""

import re
from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from adapters.settings import APPLICATION_ROLE

_STATEMENT = re.compile(
    rf"^(?P<verb>GRANT|REVOKE)\s+(?P<rights>[^;]+?)\s+ON\s+(?:(?P<kind>TABLE|SEQUENCE|FUNCTION)\s+)?(?P<objects>[^;]+?)"
    rf"\s+(?P<to>TO|FROM)\s+{APPLICATION_ROLE}\s*;",
    re.MULTILINE,
)


async def grant_all(connection: psycopg.AsyncConnection, migrations: Iterable[str]) -> None:
    """Grant once more what these files of SQL grant, in their order, and what lies below: database, schema, queue."""
    await connection.execute(sql.SQL(_BELOW).format(sql.Identifier(connection.info.dbname)))
    cursor = await connection.execute(_OF_THE_QUEUE)
    for (statement,) in await cursor.fetchall():
        await connection.execute(statement.encode())
    for text in migrations:
        for statement, exists, name in _granted_in(text):
            cursor = await connection.execute(exists.encode(), [name])
            if await cursor.fetchone() == (True,):  # else a later migration has dropped it
                await connection.execute(statement.encode())


def _granted_in(text: str) -> Iterator[tuple[str, str, str]]:
    """A statement for each object, how to ask whether that exists, and its name."""
    for found in _STATEMENT.finditer(text):
        kind, exists, names = found["kind"] or "TABLE", _TABLE_EXISTS, re.split(r"\s*,\s*", found["objects"])
        if kind == "FUNCTION":
            exists, names = _FUNCTION_EXISTS, [found["objects"]]
        for name in names:
            yield f"{found['verb']} {found['rights']} ON {kind} {name} {found['to']} {APPLICATION_ROLE}", exists, name


_TABLE_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
_FUNCTION_EXISTS = "SELECT to_regprocedure(%s) IS NOT NULL"

_BELOW = f"""
GRANT CONNECT ON DATABASE {{}} TO {APPLICATION_ROLE};
GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE};
"""

# The schema of procrastinate leaves its functions and types to PUBLIC.
_OF_THE_QUEUE = f"""
SELECT 'GRANT EXECUTE ON FUNCTION ' || oid::regprocedure || ' TO {APPLICATION_ROLE}' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND starts_with(proname, 'procrastinate_')
UNION ALL
SELECT 'GRANT USAGE ON TYPE ' || t.oid::regtype || ' TO {APPLICATION_ROLE}' FROM pg_type t
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'public'::regnamespace AND starts_with(t.typname, 'procrastinate_')
    AND (t.typtype = 'e' OR c.relkind = 'c')
"""
