"""Grants the application's role its rights, by name and at each run of `rollbook migrate` (ruling O19).

A database that was restored from a dump without grants lacks them, and an operator may revoke all rights of PUBLIC.
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
    """Grant the rights on the database, the schema and the queue, then repeat the grants of the migrations in order."""
    await connection.execute(sql.SQL(_GRANT_DATABASE).format(sql.Identifier(connection.info.dbname)))
    cursor = await connection.execute(_GRANTS_OF_THE_QUEUE)
    for (statement,) in await cursor.fetchall():
        await connection.execute(statement.encode())
    for text in migrations:
        for statement, exists, name in _grants_in(text):
            cursor = await connection.execute(exists.encode(), [name])
            if await cursor.fetchone() == (True,):  # otherwise a later migration has dropped the object
                await connection.execute(statement.encode())


def _grants_in(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield a statement for each object, a query that tells whether the object exists, and the object's name."""
    for grant in _STATEMENT.finditer(text):
        kind, exists, names = grant["kind"] or "TABLE", _TABLE_EXISTS, re.split(r"\s*,\s*", grant["objects"])
        if kind == "FUNCTION":
            exists, names = _FUNCTION_EXISTS, [grant["objects"]]
        for name in names:
            yield f"{grant['verb']} {grant['rights']} ON {kind} {name} {grant['to']} {APPLICATION_ROLE}", exists, name


_TABLE_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
_FUNCTION_EXISTS = "SELECT to_regprocedure(%s) IS NOT NULL"

_GRANT_DATABASE = f"""
GRANT CONNECT ON DATABASE {{}} TO {APPLICATION_ROLE};
GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE};
"""

# The schema of procrastinate grants nothing: its functions and types can be used by PUBLIC.
_GRANTS_OF_THE_QUEUE = f"""
SELECT 'GRANT EXECUTE ON FUNCTION ' || oid::regprocedure || ' TO {APPLICATION_ROLE}' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND starts_with(proname, 'procrastinate_')
UNION ALL
SELECT 'GRANT USAGE ON TYPE ' || t.oid::regtype || ' TO {APPLICATION_ROLE}' FROM pg_type t
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'public'::regnamespace AND starts_with(t.typname, 'procrastinate_')
    AND (t.typtype = 'e' OR c.relkind = 'c')
"""
