"""What migration 0010 makes of a database that has groups already."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from migrations.runner import migrate, migrations_in

ORGANIZATION, GROUP, OTHER, PLACED, LOOSE = [uuid4() for _ in range(5)]


@contextmanager
def an_empty_database(database_url: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy".encode())
        yield make_conninfo(database_url, dbname=name)
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_logs_are_counted_and_unplaced_individuals_are_found(database_url: str) -> None:
    with an_empty_database(database_url) as dsn:
        await migrate(dsn, [each for each in migrations_in() if each.version < 10])
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute(
                "INSERT INTO projections (name, id, classpath, mode, log, version)"
                " VALUES ('group_logs', gen_random_uuid(), 'x', 'background', 'identity', 1)"
            )
            for place, (group, subject) in enumerate([(GROUP, "leader"), (GROUP, "individual"), (OTHER, "individual")]):
                owner.execute(
                    "INSERT INTO group_logs VALUES (%s, %s, %s, %s, 'add', %s, %s, NULL, now())",
                    (uuid4(), place, group, ORGANIZATION, subject, PLACED),
                )
            for individual in (PLACED, LOOSE):
                owner.execute(
                    "INSERT INTO individual_organizations VALUES (%s, %s, true, false)", (individual, ORGANIZATION)
                )
            owner.execute("INSERT INTO group_individuals VALUES (%s, %s, %s)", (PLACED, GROUP, ORGANIZATION))
        await migrate(dsn)
        with psycopg.connect(dsn, autocommit=True) as owner:
            totals = owner.execute("SELECT group_id, subject, total FROM group_log_totals").fetchall()
            assert set(totals) == {
                (GROUP, "leader", 1),
                (GROUP, "individual", 1),
                (OTHER, "individual", 1),
                (ORGANIZATION, "leader", 1),
                (ORGANIZATION, "individual", 2),
            }
            assert owner.execute("SELECT * FROM unplaced_individuals").fetchall() == [(ORGANIZATION, LOOSE)]
            # the code before it does not go on with the logs, which it would not count
            assert owner.execute("SELECT version FROM projections").fetchall() == [(2,)]
