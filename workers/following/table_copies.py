"""Creates copies of tables with the same definitions, and swaps them with the live tables."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg import AsyncConnection, sql

LIVE, COPY, RETIRED = "public", "rebuild", "retired"


class NotCopiableError(Exception):
    """A table has a property that cannot be copied; the text says which."""


class Definitions(NamedTuple):
    """The statements that create copies of tables. Foreign keys are separate, because they are added after the rows."""

    tables: tuple[str, ...]
    statements: list[str]
    foreign_keys: list[str]
    columns: str

    @property
    def shape(self) -> str:
        """Return a hash that changes with the tables' definitions."""
        return hashlib.sha256("\n".join([*self.statements, *self.foreign_keys, self.columns]).encode()).hexdigest()


async def definitions(connection: AsyncConnection, tables: Sequence[str]) -> Definitions:
    """Return the present definitions of the live tables. Raises NotCopiableError."""
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = ''")  # so that Postgres prints all names with their schema
        await _require_copiable(connection, tables)
        statements = await _texts(connection, _STATEMENTS, tables)
        foreign_keys = await _texts(connection, _FOREIGN_KEYS, tables)
        columns = await _texts(connection, _COLUMNS, tables)
    return Definitions(tuple(tables), statements, foreign_keys, "\n".join(columns))


async def copies_exist(connection: AsyncConnection, tables: Sequence[str]) -> bool:
    """Return whether the copies of all the tables exist."""
    cursor = await connection.execute(
        "SELECT bool_and(to_regclass(format('%%I.%%I', %s::text, name)) IS NOT NULL) FROM unnest(%s::text[]) name",
        (COPY, list(tables)),
    )
    return await cursor.fetchone() == (True,)


async def make_copies(connection: AsyncConnection, definitions: Definitions) -> None:
    """Create empty copies in place of any earlier ones.

    Indexes and constraints keep their names, because unique violations are recognized by them.
    """
    async with connection.transaction():
        await drop(connection, COPY, definitions.tables)
        for statement in definitions.statements:
            await connection.execute(statement.encode())


async def add_foreign_keys(connection: AsyncConnection, definitions: Definitions) -> None:
    """Add the foreign keys of the copies, which refer to copies where these exist. May be repeated."""
    async with connection.transaction():
        for statement in definitions.foreign_keys:
            await connection.execute(statement.encode())


async def analyze(connection: AsyncConnection, tables: Iterable[str]) -> None:
    """Update the planner's statistics of the copies."""
    await connection.execute(sql.SQL("ANALYZE {}").format(_list(COPY, tables)))


async def swap(connection: AsyncConnection, tables: Sequence[str]) -> None:
    """Retire the live tables and make the copies live. Locks out readers until the open transaction ends."""
    await connection.execute(
        sql.SQL("LOCK TABLE {}, {} IN ACCESS EXCLUSIVE MODE").format(_list(LIVE, tables), _list(COPY, tables))
    )
    for origin, target in ((LIVE, RETIRED), (COPY, LIVE)):
        for table in tables:
            await connection.execute(
                sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(origin, table), sql.Identifier(target))
            )


async def drop(connection: AsyncConnection, schema: str, tables: Iterable[str]) -> None:
    """Drop the tables that exist, in one statement because they refer to each other."""
    await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_list(schema, tables)))


async def _require_copiable(connection: AsyncConnection, tables: Sequence[str]) -> None:
    cursor = await connection.execute(_UNCOPIABLE, {"live": LIVE, "tables": list(tables)})
    row = await cursor.fetchone()
    if row is not None:
        raise NotCopiableError(f"table {row[0]} {row[1]}")


async def _texts(connection: AsyncConnection, query: str, tables: Sequence[str]) -> list[str]:
    cursor = await connection.execute(query, {"live": LIVE, "copy": COPY, "tables": list(tables)})
    return [text for (text,) in await cursor.fetchall()]


def _list(schema: str, tables: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(schema, table) for table in tables)


_CHOSEN = """
WITH chosen AS (
    SELECT c.oid, c.relname, c.relacl, c.relowner, c.reloptions, c.relkind, place,
           format('%%I.%%I', %(copy)s::text, c.relname) AS copy
    FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS t(name, place)
    JOIN pg_catalog.pg_class c ON c.relname = t.name
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = %(live)s
)
"""

# The steps: table, options, comment, owner, constraints with their indexes, other indexes, grants.
_STATEMENTS = f"""
{_CHOSEN}
SELECT statement FROM (
    SELECT place, 0 AS step, '' AS name, format(
        'CREATE TABLE %%s (LIKE %%s INCLUDING ALL EXCLUDING INDEXES)', copy, oid::regclass) AS statement
    FROM chosen
    UNION ALL
    SELECT place, 1, '', format('ALTER TABLE %%s SET (%%s)', copy, array_to_string(reloptions, ', '))
    FROM chosen WHERE reloptions IS NOT NULL
    UNION ALL
    SELECT place, 2, '', format('COMMENT ON TABLE %%s IS %%L', copy, obj_description(oid, 'pg_class'))
    FROM chosen WHERE obj_description(oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT place, 3, '', format('ALTER TABLE %%s OWNER TO %%I', copy, pg_get_userbyid(relowner))
    FROM chosen WHERE pg_get_userbyid(relowner) <> current_user
    UNION ALL
    SELECT place, 4, k.conname, format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', copy, k.conname,
                                       pg_get_constraintdef(k.oid))
    FROM chosen JOIN pg_catalog.pg_constraint k ON k.conrelid = chosen.oid AND k.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT place, 5, i.indexrelid::regclass::text,
           regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?.*? USING ', ' ON ' || copy || ' USING ')
    FROM chosen JOIN pg_catalog.pg_index i ON i.indrelid = chosen.oid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                      WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT place, 6, '', format('GRANT %%s ON %%s TO %%s%%s', privilege_type, copy,
                               CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                               CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM chosen CROSS JOIN LATERAL aclexplode(relacl)
) steps ORDER BY place, step, name, statement
"""

_FOREIGN_KEYS = f"""
{_CHOSEN}
SELECT format('ALTER TABLE %%s DROP CONSTRAINT IF EXISTS %%I, ADD CONSTRAINT %%I %%s',
              chosen.copy, k.conname, k.conname,
              replace(pg_get_constraintdef(k.oid), ' REFERENCES ' || k.confrelid::regclass || '(',
                      ' REFERENCES ' || coalesce(target.copy, k.confrelid::regclass::text) || '('))
FROM chosen
JOIN pg_catalog.pg_constraint k ON k.conrelid = chosen.oid AND k.contype = 'f'
LEFT JOIN chosen target ON target.oid = k.confrelid
ORDER BY chosen.place, k.conname
"""

_COLUMNS = f"""
{_CHOSEN}
SELECT concat_ws(' ', relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
                 a.attidentity, pg_get_expr(d.adbin, d.adrelid))
FROM chosen
JOIN pg_catalog.pg_attribute a ON a.attrelid = chosen.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY place, a.attnum
"""

_UNCOPIABLE = """
SELECT name, trouble FROM unnest(%(tables)s::text[]) AS t(name)
LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = %(live)s)
    ON c.relname = t.name
CROSS JOIN LATERAL (
    SELECT 'does not exist' WHERE c.oid IS NULL
    UNION ALL SELECT 'is no ordinary table' WHERE c.relkind <> 'r' OR c.relispartition OR c.relrowsecurity
    UNION ALL SELECT 'has a trigger' FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal
    UNION ALL SELECT 'is read by a view' FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
        WHERE d.refobjid = c.oid AND r.ev_class <> c.oid
    UNION ALL SELECT 'has a column of type serial' FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.refobjid = c.oid AND d.deptype = 'a'
    UNION ALL SELECT 'is referred to by ' || k.conrelid::regclass FROM pg_catalog.pg_constraint k
        WHERE k.confrelid = c.oid AND k.contype = 'f'
            AND k.conrelid <> ALL (SELECT format('%%I.%%I', %(live)s::text, other)::regclass
                                   FROM unnest(%(tables)s::text[]) AS other)
) AS refused(trouble)
LIMIT 1
"""
