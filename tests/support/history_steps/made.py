"""The aggregates that a history has made so far, from which its steps choose."""

from random import Random
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.personal import revealed
from domain.core.records import Record
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry
from domain.groups.trees import GroupTree
from domain.onboarding.registration_invitations import RegistrationInvitation
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.organizations import Organization
from domain.people.individuals import Individual
from domain.people.users import User
from domain.sessions.impersonation_requests import ImpersonationRequest
from domain.sessions.sessions import Session

T = TypeVar("T")

FEW = range(3)
"""Of names and addresses there are few, so that what was given up is taken again, by another owner too."""


class Saving(Protocol):
    """What a history asks of a store."""

    async def save(self, *aggregates: Audited) -> int: ...


class MadeAggregates:
    """Keeps the aggregates by kind. Events of sessions go to a store of their own."""

    def __init__(self, store: Saving, session_store: Saving, randomness: Random) -> None:
        self._store = store
        self._sessions_store = session_store
        self._random = randomness
        self._organizations: list[Organization] = []
        self._roles: dict[UUID, Role] = {}
        self._trees: dict[UUID, GroupTree] = {}
        self._users: list[User] = []
        self._individuals: list[Individual] = []
        self._groups: list[Group] = []
        self._entries: dict[UUID, RosterEntry] = {}
        self._sessions: list[Session] = []
        self._impersonations: list[ImpersonationRequest] = []
        self._requests: list[OnboardingRequest] = []
        self._records: dict[type[Record[Any]], list[Record[Any]]] = {}
        self._expected: list[RegistrationInvitation] = []
        self._self_registered: set[UUID] = set()

    def _standing_up(self, subject_id: UUID, organization_id: UUID) -> list[RosterEntry]:
        taken = [
            entry
            for entry in self._entries.values()
            if (entry.subject_id, entry.organization_id, entry.present) == (subject_id, organization_id, True)
        ]
        for entry in taken:
            entry.remove()
        return taken

    def _free_name(self) -> str:
        taken = {each.details.name for each in self._organizations}
        free = [name for name in (f"org-{number}" for number in FEW) if name not in taken]
        return self._random.choice(free) if free else f"org-{uuid4()}"

    def _free_email(self) -> str:
        taken = {revealed(each.names.email) for each in self._users}
        free = [email for email in (f"person-{number}@example.org" for number in FEW) if email not in taken]
        return self._random.choice(free) if free else f"{uuid4()}@example.org"

    def _one(self, things: list[T]) -> T:
        return self._random.choice(things)
