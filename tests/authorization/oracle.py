"""A second, naive answer to every authorization question: sets and loops over plain facts, after semantics 6.2.

It shares nothing with the product: no SQL, no policy text, no aggregates.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.core.ports import AccessQuery


@dataclass
class OracleUser:
    email: str | None = None
    email_verified: bool = False
    phone: str | None = None
    enabled: bool = True
    confirmed: bool = True
    registered: bool = False
    service: str | None = None
    provider: bool = False
    staff: bool = False
    system: bool = False

    @property
    def live(self) -> bool:
        return self.confirmed and self.enabled

    @property
    def unlimited(self) -> bool:
        return self.service is not None or (self.staff and self.system)


@dataclass
class OracleOrganization:
    open: bool = False
    active: bool = True
    providers: set[UUID] = field(default_factory=set)
    admins: set[UUID] = field(default_factory=set)


@dataclass
class OracleGroup:
    organization: UUID
    type: str = "regular"
    active: bool = True
    parent: UUID | None = None
    leaders: set[UUID] = field(default_factory=set)
    members: set[UUID] = field(default_factory=set)
    individuals: set[UUID] = field(default_factory=set)

    @property
    def computed(self) -> bool:
        return self.type in {"all_participants", "unassigned"}


@dataclass
class OracleIndividual:
    owner: UUID
    organizations: set[UUID] = field(default_factory=set)
    users: dict[UUID, str] = field(default_factory=dict)


@dataclass
class Oracle:
    users: dict[UUID, OracleUser] = field(default_factory=dict)
    organizations: dict[UUID, OracleOrganization] = field(default_factory=dict)
    groups: dict[UUID, OracleGroup] = field(default_factory=dict)
    individuals: dict[UUID, OracleIndividual] = field(default_factory=dict)

    def allows(self, user_id: UUID, query: AccessQuery) -> bool:
        """What a check has to answer."""
        user = self.users.get(user_id)
        if user is None or not user.live:
            return False
        kind, resource, operation = query
        if kind == "system":
            return user.unlimited or (operation == "read" and user.staff)
        if kind.startswith("app."):
            return user.service == kind.removeprefix("app.") or (user.staff and user.system)
        if resource is None:
            return any(self._allows(user_id, user, kind, each, operation) for each in self.things(kind))
        assert isinstance(resource, UUID)
        return resource in self.things(kind) and self._allows(user_id, user, kind, resource, operation)

    def things(self, kind: str) -> list[UUID]:
        match kind:
            case "group":
                return list(self.groups)
            case "individual":
                return list(self.individuals)
            case _:
                return list(self.organizations)

    def accessible(self, user_id: UUID, queries: list[AccessQuery], organization: UUID | None = None) -> list[UUID]:
        """What a list has to hold, in its order. The queries are of one type and without ids."""
        kind = queries[0].resource_type
        found = [
            thing
            for thing in self.things(kind)
            if all(self.allows(user_id, AccessQuery(kind, thing, query.operation)) for query in queries)
            and (organization is None or self._is_of(kind, thing, organization))
        ]
        return sorted(found)

    def accessors(self, kind: str, things: list[UUID], operation: str, organization: UUID | None = None) -> list[UUID]:
        """Who has to be named as accessor of all the things."""
        found = [
            user_id
            for user_id, user in self.users.items()
            if not user.staff
            and user.service is None
            and all(self.allows(user_id, AccessQuery(kind, thing, operation)) for thing in things)  # type: ignore[arg-type]
            and (organization is None or user_id in self._organization(organization).providers)
        ]
        return sorted(found)

    def passing(self, filters: dict[str, Any]) -> list[UUID]:
        """Individuals that all filters of authz-individuals let through; filters by their contract names."""
        found = [each for each in self.individuals if all(self._passes(each, *chosen) for chosen in filters.items())]
        return sorted(found)

    def belongs(self, individual: UUID, organization: UUID) -> bool:
        facts = self.individuals[individual]
        return facts.owner == organization or organization in facts.organizations

    def above(self, group: UUID) -> list[UUID]:
        """The group and its active ancestors."""
        chain = []
        standing: UUID | None = group
        while standing is not None:
            if self.groups[standing].active:
                chain.append(standing)
            standing = self.groups[standing].parent
        return chain

    def below(self, group: UUID) -> list[UUID]:
        """The group and its active descendants."""
        return [each for each, facts in self.groups.items() if facts.active and group in self.above(each)]

    def in_group(self, group: UUID) -> set[UUID]:
        """Individuals of the group and below; of a computed group those it is made of."""
        facts = self.groups[group]
        if not facts.active:
            return set()
        if facts.computed:
            everybody = {each for each in self.individuals if self.belongs(each, facts.organization)}
            return {each for each in everybody if facts.type == "all_participants" or self._unassigned(each, facts)}
        return {each for below in self.below(group) for each in self.groups[below].individuals}

    def _passes(self, individual: UUID, name: str, value: Any) -> bool:
        match name:
            case "group-id":
                return value in self.groups and individual in self.in_group(value)
            case "group-members-with-leader-id":
                led = [each for each, facts in self.groups.items() if value in facts.leaders]
                return any(individual in self.in_group(each) for each in led)
            case "exclude-owner-ids":
                return self.individuals[individual].owner not in value
            case "organization-id":
                return self.belongs(individual, value)
            case _:
                return self._owner_is(self.users.get(self.individuals[individual].owner), name, value)

    def _owner_is(self, owner: OracleUser | None, name: str, value: Any) -> bool:
        """No user has a name, a birthday or a verified phone, because no operation sets one."""
        match name:
            case "registered" | "email-verified":
                return value is bool(owner and getattr(owner, name.replace("-", "_")))
            case "phone-verified":
                return value is False
            case "account-type":
                return owner is not None and value.lower() == ("provider" if owner.provider else "patient")
            case "email" | "phone":
                own: str | None = getattr(owner, name, None)
                return own is not None and own.lower() == value.lower()
            case _:
                return False

    def _allows(self, user_id: UUID, user: OracleUser, kind: str, thing: UUID, operation: str) -> bool:
        match kind:
            case "organization":
                return self._on_organization(user_id, user, thing, operation)
            case "group":
                return self._on_group(user_id, user, thing, operation)
            case _:
                return self._on_individual(user_id, user, thing, operation)

    def _on_organization(self, user_id: UUID, user: OracleUser, thing: UUID, operation: str) -> bool:
        organization = self.organizations[thing]
        if not organization.active:
            return user.unlimited and operation == "read"
        if user.unlimited or user_id in organization.admins:
            return True
        return operation == "read" and (user.staff or user_id in organization.providers)

    def _on_group(self, user_id: UUID, user: OracleUser, thing: UUID, operation: str) -> bool:
        group = self.groups[thing]
        organization = self.organizations[group.organization]
        if not group.active or not organization.active:
            return user.unlimited and operation == "read"
        if operation == "contain":
            return self._contains(user_id, thing)
        admin = user_id in organization.admins
        if user.unlimited:
            return True
        if operation == "write":
            return not group.computed and (admin or self._sits_above(user_id, thing, leader=True))
        if admin or (organization.open and user_id in organization.providers):
            return True
        return not group.computed and (user.staff or self._sits_above(user_id, thing, leader=False))

    def _on_individual(self, user_id: UUID, user: OracleUser, thing: UUID, operation: str) -> bool:
        facts = self.individuals[thing]
        share = facts.users.get(user_id)
        if user.unlimited or facts.owner == user_id or share == "write" or (operation == "read" and share):
            return True
        for organization_id, organization in self.organizations.items():
            if not organization.active or not self.belongs(thing, organization_id):
                continue
            if user_id in organization.admins or (organization.open and user_id in organization.providers):
                return True
            places = [
                group_id
                for group_id, group in self.groups.items()
                if group.active and group.organization == organization_id and thing in group.individuals
            ]
            if any(self._sits_above(user_id, place, leader=operation == "write") for place in places):
                return True
        return False

    def _sits_above(self, user_id: UUID, group: UUID, *, leader: bool) -> bool:
        for each in self.above(group):
            if user_id in self.groups[each].leaders or (not leader and user_id in self.groups[each].members):
                return True
        return False

    def _contains(self, user_id: UUID, thing: UUID) -> bool:
        his = {each for each, facts in self.individuals.items() if facts.owner == user_id}
        if his & self.in_group(thing):
            return True
        if self.groups[thing].computed:
            return False
        return any(user_id in self.groups[each].leaders | self.groups[each].members for each in self.below(thing))

    def _unassigned(self, individual: UUID, computed: OracleGroup) -> bool:
        return not any(
            individual in group.individuals
            for group in self.groups.values()
            if group.active and group.type == "regular" and group.organization == computed.organization
        )

    def _is_of(self, kind: str, thing: UUID, organization: UUID) -> bool:
        match kind:
            case "organization":
                return thing == organization
            case "group":
                return self.groups[thing].organization == organization
            case _:
                return self.belongs(thing, organization)

    def _organization(self, organization: UUID) -> OracleOrganization:
        return self.organizations.get(organization, OracleOrganization())
