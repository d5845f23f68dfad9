"""What random worlds are made of: aggregates, whose events the product gets, and the same facts for the oracle."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid5

from domain.access.roles import LastAdmin, Role
from domain.core.audited import Audited
from domain.core.recorded import Recorded
from domain.groups.groups import SYSTEM_TYPES, Group, system_group_id
from domain.groups.rosters import RosterEntry, roster_entry_id
from domain.organizations.organizations import Organization
from domain.people.individuals import Individual
from domain.people.users import User
from tests.authorization.oracle import Oracle, OracleGroup, OracleIndividual, OracleOrganization, OracleUser

T = TypeVar("T")

PROVIDERS = 4
PARTICIPANTS = 3
SPACE = UUID("2b0c6f0e-3f43-4f0e-9a0b-6f6f3f0e2b0c")


class RandomFacts:
    """Two organizations and the operator's, providers, participants, staff, a system administrator, two services."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.streams: dict[UUID, Any] = {}
        self._unsaved: list[Audited] = []
        self._position = 0
        self._made = 0
        self.organizations = [self._organization() for _ in range(2)]
        self.operator = self._organization(classification="carium")
        self.providers = [self._user() for _ in range(PROVIDERS)]
        self.participants = [self._user() for _ in range(PARTICIPANTS)]
        self.staff = self._user(classification="carium")
        self.system = self._user(classification="carium")
        self.services = [self._user(service=name) for name in ("labs", "courier")]
        for user_id in (self.staff, self.system):
            self._employ(user_id)
        self._system_role = Role.create(self.operator, "carium.admin", "System")
        for user_id in (self.system, self.providers[0]):  # it counts for staff only
            self._make_system(user_id)
        for user_id in self.participants:
            self._individual("user", user_id)

    @property
    def people(self) -> list[UUID]:
        return [*self.providers, *self.participants, self.staff, self.system, *self.services]

    def unsaved(self) -> list[Audited]:
        """The aggregates that have changed since the last time, for a store to save."""
        changed = list({aggregate.id: aggregate for aggregate in self._unsaved}.values())
        self._unsaved.clear()
        return changed

    def taken(self) -> list[Recorded]:
        """What happened since the last time, as a log would tell it, aggregate by aggregate."""
        events = [event for aggregate in self.unsaved() for event in aggregate.collect_events()]
        self._position += len(events)
        return [Recorded(self._position - len(events) + place, each) for place, each in enumerate(events, 1)]

    def _save(self, *aggregates: Audited) -> None:
        for aggregate in aggregates:
            self.streams[aggregate.id] = aggregate
            self._unsaved.append(aggregate)

    def _id(self) -> UUID:
        self._made += 1
        return uuid5(SPACE, str(self._made))

    def _organization(self, classification: str = "customer") -> UUID:
        organization_id = self._id()
        name = f"random-{self._made}"
        organization = Organization.create(
            organization_id,
            name,
            display_name=name,
            classification=classification,
            provider_type="coach",
            timezone="UTC",
        )
        self._save(organization, Role.create(organization.id, "org.admin", "Administrator"))
        self.oracle.organizations[organization.id] = OracleOrganization()
        for kind in SYSTEM_TYPES:
            self._save(Group.create_computed(organization.id, kind, kind))
            self.oracle.groups[system_group_id(organization.id, kind)] = OracleGroup(organization.id, kind)
        return organization.id

    def _user(self, *, classification: str = "customer", service: str | None = None, confirmed: bool = True) -> UUID:
        user_id = self._id()
        email = None if service else f"Person-{self._made}@random.test"
        user = User.create(
            user_id,
            kind="service" if service else "person",
            classification=classification,
            individual_id=None,
            email=email,
            phone=f"+4915112345{self._made:03}" if self._made % 2 and not service else None,
            username=f"apps/{service}" if service else None,
        )
        self.oracle.users[user.id] = OracleUser(email, phone=user.names.revealed[1], service=service)
        self.oracle.users[user.id].confirmed = confirmed
        if confirmed:
            user.confirm()
        self._save(user)
        return user.id

    def _individual(self, party: Any, owner: UUID) -> UUID:
        individual = Individual.create(self._id(), party, owner)
        self._save(individual)
        self.oracle.individuals[individual.id] = OracleIndividual(owner)
        return individual.id

    def _employ(self, user_id: UUID) -> None:
        """Of the operator's classification and a provider of its organization: staff."""
        user = self.streams[user_id]
        user.join(self.operator)
        self._save(user)
        self.oracle.organizations[self.operator].providers.add(user_id)
        self.oracle.users[user_id].staff = self.oracle.users[user_id].provider = True

    def _let_go(self, user_id: UUID) -> None:
        self._system_role.revoke(user_id)
        user = self.streams[user_id]
        user.leave(self.operator)
        self._save(self._system_role, user)
        self.oracle.organizations[self.operator].providers.discard(user_id)
        self.oracle.users[user_id].staff = self.oracle.users[user_id].system = False

    def _make_system(self, user_id: UUID) -> None:
        self._system_role.grant(user_id, live=True)
        self._save(self._system_role)
        self.oracle.users[user_id].system = True

    def _candidate(self, number: int) -> UUID:
        return [*self.providers, self.staff][number % (PROVIDERS + 1)]

    def _is_last_admin(self, user_id: UUID, organization: UUID) -> bool:
        return self.oracle.organizations[organization].admins == {user_id}

    def _revoke(self, user_id: UUID, organization: UUID) -> None:
        role = self._role(organization)
        try:
            role.revoke(user_id)
        except LastAdmin:
            return
        self._save(role)
        self.oracle.organizations[organization].admins.discard(user_id)

    def _role(self, organization: UUID) -> Role:
        found: Role = next(
            each for each in self.streams.values()
            if isinstance(each, Role) and each.organization_id == organization and each.name == "org.admin"
        )  # fmt: skip
        return found

    def _groups(self) -> list[UUID]:
        return [each for each, facts in self.oracle.groups.items() if facts.active and not facts.computed]

    def _individuals(self) -> list[UUID]:
        return [each for each in self.oracle.individuals if each in self.streams]

    def _entry(self, a: int, b: int, kind: str, roster: Callable[[OracleGroup], set[UUID]]) -> None:
        group_id = chosen(self._groups(), a)
        if group_id is None:
            return
        facts = self.oracle.groups[group_id]
        user_id = chosen(sorted(self.oracle.organizations[facts.organization].providers), b)
        if user_id is not None:
            self._sit(group_id, kind, user_id)
            roster(facts).add(user_id)

    def _unseat(self, a: int, b: int, kind: str, roster: Callable[[OracleGroup], set[UUID]]) -> None:
        seated = [(g, u) for g, facts in self.oracle.groups.items() for u in sorted(roster(facts))]
        if found := chosen(seated, a + b):
            self._rise(found[0], kind, found[1])
            roster(self.oracle.groups[found[0]]).discard(found[1])

    def _sit(self, group_id: UUID, kind: Any, subject: UUID) -> None:
        entry = self.streams.get(roster_entry_id(group_id, kind, subject))
        if entry is None:
            entry = RosterEntry.add(group_id, self.oracle.groups[group_id].organization, kind, subject)
        entry.add_again()
        self._save(entry)

    def _rise(self, group_id: UUID, kind: Any, subject: UUID) -> None:
        entry = self.streams[roster_entry_id(group_id, kind, subject)]
        entry.remove()
        self._save(entry)

    def _clear_places(self, individual: UUID) -> None:
        """Places in organizations that it no longer belongs to end in the same append (ruling A4)."""
        for group_id, facts in self.oracle.groups.items():
            if individual in facts.individuals and not self.oracle.belongs(individual, facts.organization):
                self._rise(group_id, "individual", individual)
                facts.individuals.discard(individual)


def chosen(among: Sequence[T], number: int) -> T | None:
    return among[number % len(among)] if among else None
