"""Aggregates to save, and the positions in the log."""

from uuid import uuid4

import psycopg

from domain.access.roles import Role
from domain.people.login_names import LoginNames
from domain.people.users import User


def a_role(name: str = "org.admin") -> Role:
    return Role.create(uuid4(), name, name)


def a_user(email: str | None = None) -> User:
    user_id = uuid4()
    return User._create(
        User.Created,
        id=user_id,
        kind="person",
        classification="customer",
        individual_id=None,
        names=LoginNames.of(user_id, email, None, None),
        first_name=None,
        last_name=None,
        provisional_in=None,
    )


def positions(database_url: str) -> list[int]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT notification_id FROM events ORDER BY 1").fetchall()
    return [row[0] for row in rows]
