"""Principals for tests that call commands without HTTP."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery
from domain.core.principal import Principal


def a_principal(user_id: UUID | None = None, **standing: Any) -> Principal:
    """Return the user, or a new one, in a session; `standing` are its further attributes."""
    return Principal(user_id or uuid4(), uuid4(), None, **standing)


def a_system_administrator(user_id: UUID | None = None) -> Principal:
    """Return a system administrator."""
    return a_principal(user_id, staff=True, system=True)


class Everything:
    """Access to everything."""

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        return [True for _ in queries]

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        return set(user_ids)


EVERYTHING = Permissions(Everything())
SYSTEM = a_system_administrator()
SERVICE = a_principal(kind="service")
