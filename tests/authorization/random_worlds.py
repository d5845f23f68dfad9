"""Small random worlds: each command changes the aggregates, whose events the projection gets, and the oracle."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid5

from domain.audited import Audited
from domain.group_trees import GroupCycle, GroupTree, tree_id
from domain.groups import SYSTEM_TYPES, Group, system_group_id
from domain.individuals import Individual
from domain.organizations import Organization
from domain.recorded import Recorded
from domain.roles import LastAdmin, Role
from domain.rosters import Seat, seat_id
from domain.users import User
from tests.authorization.oracle import Oracle, OracleGroup, OracleIndividual, OracleOrganization, OracleUser

T = TypeVar("T")

PROVIDERS = 4
PARTICIPANTS = 3
MOST_GROUPS = 7
MOST_INDIVIDUALS = 7
SPACE = UUID("2b0c6f0e-3f43-4f0e-9a0b-6f6f3f0e2b0c")

Command = tuple[str, int, int, int]
"""Its name, and three numbers that choose among what there is at the time."""


class RandomWorld:
    """Two organizations, providers, participants, a staff member, a system administrator, two services."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.streams: dict[UUID, Any] = {}
        self.pending: list[Recorded] = []
        self.position = 0
        self.made = 0
        self.organizations = [self._organization() for _ in range(2)]
        self.operator = self._organization(classification="carium")
        self.providers = [self._user() for _ in range(PROVIDERS)]
        self.participants = [self._user() for _ in range(PARTICIPANTS)]
        self.staff = self._user(classification="carium")
        self.system = self._user(classification="carium")
        self.services = [self._user(service=name) for name in ("records", "courier")]
        system_role = Role.create(self.operator, "carium.admin", "System")
        system_role.grant(self.system, live=True)
        system_role.grant(self.providers[0], live=True)  # counts for staff only
        self._save(system_role)
        self.oracle.users[self.system].system = True
        self.oracle.users[self.providers[0]].system = True
        for user_id in self.participants:
            self._individual("user", user_id)

    def carry_out(self, command: Command) -> None:
        """Do it if it can be done now."""
        name, *numbers = command
        getattr(self, f"do_{name}")(*numbers)

    def taken(self) -> list[Recorded]:
        """What happened since the last time."""
        events, self.pending = self.pending, []
        return events

    @property
    def people(self) -> list[UUID]:
        return [*self.providers, *self.participants, self.staff, self.system, *self.services]

    def do_group(self, a: int, b: int, _: int) -> None:
        if len(self._groups()) < MOST_GROUPS:
            organization = self.organizations[a % 2]
            group = Group.make(self._id(), organization, "g", type="provider_only" if b % 5 == 0 else "regular")
            self._save(group)
            self.oracle.groups[group.id] = OracleGroup(organization, group.type)

    def do_move(self, a: int, b: int, _: int) -> None:
        group_id = chosen(self._groups(), a)
        if group_id is None:
            return
        organization = self.oracle.groups[group_id].organization
        others = [each for each in self._groups() if self.oracle.groups[each].organization == organization]
        parent = chosen([None, *others], b)
        tree = self.streams.get(tree_id(organization)) or GroupTree.plant(organization)
        try:
            tree.request_move(self._id(), group_id, parent, 0)
        except GroupCycle:
            return
        if group_id in tree.moves:
            tree.finish_move(group_id)
        self._save(tree)
        self.oracle.groups[group_id].parent = parent

    def do_deactivate(self, a: int, b: int, _: int) -> None:
        group_id = chosen(self._groups(), a)
        if group_id is None or b % 3:
            return
        facts = self.oracle.groups[group_id]
        if any(each.parent == group_id and each.active for each in self.oracle.groups.values()):
            return
        group = self.streams[group_id]
        group.deactivate()
        self._save(group)
        if tree := self.streams.get(tree_id(facts.organization)):
            tree.prune(group_id)
            self._save(tree)
        facts.active = False

    def do_place(self, a: int, b: int, _: int) -> None:
        group_id, individual = chosen(self._groups(), a), chosen(list(self.oracle.individuals), b)
        if group_id is None or individual is None:
            return
        facts = self.oracle.groups[group_id]
        if facts.type == "regular" and self.oracle.belongs(individual, facts.organization):
            self._sit(group_id, "individual", individual)
            facts.individuals.add(individual)

    def do_unplace(self, a: int, b: int, _: int) -> None:
        placed = [(g, i) for g in self.oracle.groups for i in sorted(self.oracle.groups[g].individuals)]
        if found := chosen(placed, a + b):
            self._rise(found[0], "individual", found[1])
            self.oracle.groups[found[0]].individuals.discard(found[1])

    def do_lead(self, a: int, b: int, _: int) -> None:
        self._seat(a, b, "leader", lambda facts: facts.leaders)

    def do_join_group(self, a: int, b: int, _: int) -> None:
        self._seat(a, b, "member", lambda facts: facts.members)

    def do_unlead(self, a: int, b: int, _: int) -> None:
        self._unseat(a, b, "leader", lambda facts: facts.leaders)

    def do_leave_group(self, a: int, b: int, _: int) -> None:
        self._unseat(a, b, "member", lambda facts: facts.members)

    def do_individual(self, a: int, b: int, _: int) -> None:
        if len(self.oracle.individuals) < MOST_INDIVIDUALS:
            owners = [*self.organizations, *self.participants]
            owner = owners[a % len(owners)]
            individual = self._individual("organization" if owner in self.organizations else "user", owner)
            if b % 2:
                self.do_share(len(self.oracle.individuals) - 1, b, individual.int)

    def do_share(self, a: int, b: int, _: int) -> None:
        individual_id, organization = chosen(list(self.oracle.individuals), a), self.organizations[b % 2]
        if individual_id is not None and self.oracle.individuals[individual_id].owner != organization:
            individual = self.streams[individual_id]
            individual.share("organization", organization)
            self._save(individual)
            self.oracle.individuals[individual_id].organizations.add(organization)

    def do_unshare(self, a: int, b: int, _: int) -> None:
        individual_id, organization = chosen(list(self.oracle.individuals), a), self.organizations[b % 2]
        if individual_id is not None and organization in self.oracle.individuals[individual_id].organizations:
            individual = self.streams[individual_id]
            individual.unshare("organization", organization)
            self.oracle.individuals[individual_id].organizations.discard(organization)
            self._save(individual)
            self._clear_places(individual_id)

    def do_own(self, a: int, b: int, c: int) -> None:
        individual_id = chosen(list(self.oracle.individuals), a)
        owners = [*self.organizations, *self.participants]
        if individual_id is not None and c % 2:
            owner = owners[b % len(owners)]
            individual = self.streams[individual_id]
            individual.change_owner("organization" if owner in self.organizations else "user", owner)
            self._save(individual)
            self.oracle.individuals[individual_id].owner = owner
            self._clear_places(individual_id)

    def do_lend(self, a: int, b: int, c: int) -> None:
        individual_id, user_id = chosen(list(self.oracle.individuals), a), chosen(self.people, b)
        if individual_id is None or user_id is None or self.oracle.individuals[individual_id].owner == user_id:
            return
        individual, facts = self.streams[individual_id], self.oracle.individuals[individual_id]
        if c % 3 == 0:
            individual.unshare("user", user_id)
            facts.users.pop(user_id, None)
        else:
            individual.share("user", user_id, "write" if c % 3 == 1 else "read")
            facts.users[user_id] = "write" if c % 3 == 1 else "read"
        self._save(individual)

    def do_switch_user(self, a: int, b: int, _: int) -> None:
        user_id = self.people[a % len(self.people)]
        user = self.streams[user_id]
        (user.disable if b % 2 else user.enable)()
        self._save(user)
        self.oracle.users[user_id].live = user.enabled

    def do_open(self, a: int, b: int, _: int) -> None:
        organization = self.streams[self.organizations[a % 2]]
        organization.change({"authorization_type": "open" if b % 2 else "restricted"})
        self._save(organization)
        self.oracle.organizations[organization.id].open = bool(b % 2)

    def do_switch_organization(self, a: int, b: int, _: int) -> None:
        organization = self.streams[self.organizations[a % 2]]
        organization.change({"active": b % 3 > 0})
        self._save(organization)
        self.oracle.organizations[organization.id].active = b % 3 > 0

    def do_enter(self, a: int, b: int, _: int) -> None:
        user_id, organization = self._candidate(a), self.organizations[b % 2]
        user = self.streams[user_id]
        user.join(organization)
        self._save(user)
        self.oracle.organizations[organization].providers.add(user_id)

    def do_quit(self, a: int, b: int, _: int) -> None:
        user_id, organization = self._candidate(a), self.organizations[b % 2]
        facts = self.oracle.organizations[organization]
        if user_id not in facts.providers or self._is_last_admin(user_id, organization):
            return
        user = self.streams[user_id]
        user.leave(organization)
        self._save(user)
        facts.providers.discard(user_id)
        self._revoke(user_id, organization)
        for group_id, group in self.oracle.groups.items():
            if group.organization == organization:
                for kind, roster in (("leader", group.leaders), ("member", group.members)):
                    if user_id in roster:
                        self._rise(group_id, kind, user_id)
                        roster.discard(user_id)

    def do_appoint(self, a: int, b: int, _: int) -> None:
        user_id, organization = self._candidate(a), self.organizations[b % 2]
        if user_id in self.oracle.organizations[organization].providers:
            role = self._role(organization)
            role.grant(user_id, live=True)
            self._save(role)
            self.oracle.organizations[organization].admins.add(user_id)

    def do_dismiss(self, a: int, b: int, _: int) -> None:
        user_id, organization = self._candidate(a), self.organizations[b % 2]
        if not self._is_last_admin(user_id, organization):
            self._revoke(user_id, organization)

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

    def _seat(self, a: int, b: int, kind: str, roster: Callable[[OracleGroup], set[UUID]]) -> None:
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
        seat = self.streams.get(seat_id(group_id, kind, subject))
        if seat is None:
            seat = Seat.take(group_id, self.oracle.groups[group_id].organization, kind, subject)
        seat.take_again()
        self._save(seat)

    def _rise(self, group_id: UUID, kind: Any, subject: UUID) -> None:
        seat = self.streams[seat_id(group_id, kind, subject)]
        seat.leave()
        self._save(seat)

    def _clear_places(self, individual: UUID) -> None:
        """Places in organizations that it no longer belongs to end in the same append (ruling A4)."""
        for group_id, facts in self.oracle.groups.items():
            if individual in facts.individuals and not self.oracle.belongs(individual, facts.organization):
                self._rise(group_id, "individual", individual)
                facts.individuals.discard(individual)

    def _groups(self) -> list[UUID]:
        return [each for each, facts in self.oracle.groups.items() if facts.active and not facts.computed]

    def _organization(self, classification: str = "customer") -> UUID:
        organization = Organization.found(
            self._id(), "o", display_name="o", classification=classification, provider_type="coach", timezone="UTC"
        )
        self._save(organization, Role.create(organization.id, "org.admin", "Administrator"))
        self.oracle.organizations[organization.id] = OracleOrganization()
        for kind in SYSTEM_TYPES:
            self._save(Group.computed(organization.id, kind, kind))
            self.oracle.groups[system_group_id(organization.id, kind)] = OracleGroup(organization.id, kind)
        return organization.id

    def _user(self, *, classification: str = "customer", service: str | None = None) -> UUID:
        user = User.create(
            self._id(),
            kind="service" if service else "person",
            classification=classification,
            individual_id=None,
            username=f"apps/{service}" if service else None,
        )
        user.confirm()
        self._save(user)
        self.oracle.users[user.id] = OracleUser(staff=classification == "carium", service=service)
        return user.id

    def _individual(self, party: Any, owner: UUID) -> UUID:
        individual = Individual.create(self._id(), party, owner)
        self._save(individual)
        self.oracle.individuals[individual.id] = OracleIndividual(owner)
        return individual.id

    def _id(self) -> UUID:
        self.made += 1
        return uuid5(SPACE, str(self.made))

    def _save(self, *aggregates: Audited) -> None:
        for aggregate in aggregates:
            self.streams[aggregate.id] = aggregate
            for event in aggregate.collect_events():
                self.position += 1
                self.pending.append(Recorded(self.position, event))


def chosen(among: Sequence[T], number: int) -> T | None:
    return among[number % len(among)] if among else None


COMMANDS = tuple(sorted(name.removeprefix("do_") for name in vars(RandomWorld) if name.startswith("do_")))
