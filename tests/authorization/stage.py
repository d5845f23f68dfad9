"""Builds the world of a YAML file with the commands of the product, and asks it through HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from domain.access.roles import ORGANIZATION_ADMIN, role_id
from domain.core.principal import Principal
from domain.groups.groups import SYSTEM_TYPES, Group, system_group_id
from domain.groups.roster_commands import UserSelection
from domain.groups.rosters import RosterKind
from domain.organizations.organizations import OPERATOR_ID
from domain.people.named_users import UserIdOrEmail
from tests.support.world.principals import SERVICE
from tests.support.world.product import Person, World

CHECK = "/v1/authz-resource-access/"
BULK = "/v1/bulk-authz-resource-access/"
ACCESSIBLE = "/v1/authz-get-accessible-resources/"
INDIVIDUALS = "/v1/authz-individuals/"
ACCESSORS = "/v1/authz-resource-accessors/"

OPERATIONS = {"individual": ("read", "write"), "organization": ("read", "write"), "group": ("read", "write", "contain")}
ROSTERS: dict[str, RosterKind] = {"leaders_": "leader", "members_": "member"}
Step = dict[str, Any]


@dataclass
class Stage:
    """Names stand for ids. `kinds` says what kind of thing a name is; people are in `people`."""

    world: World
    ids: dict[str, UUID] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._person("SYS", self.world.system)
        self._person("SVC", self.world.service)

    async def do(self, step: Step) -> None:
        """One step of `given` or `do`: its first word names the method."""
        verb, *_ = step
        await getattr(self, f"do_{verb}")(**{f"{name}_": value for name, value in step.items()})

    def name_of(self, thing: str | UUID) -> str:
        """The name of an id; ids that have none (the operator's) keep theirs."""
        return next((name for name, each in self.ids.items() if str(each) == str(thing)), str(thing))

    def things(self) -> list[str]:
        """Every question that can be asked about the named things."""
        return [f"{kind}:{name}:{op}" for name, kind in self.kinds.items() for op in OPERATIONS[kind]]

    def expanded(self, queries: Sequence[str]) -> list[str]:
        """Each query with commas as several."""
        found = []
        for query in queries:
            kind, names, operations = query.split(":")
            found += [
                f"{kind}:{name.strip()}:{op.strip()}" for name in names.split(",") for op in operations.split(",")
            ]
        return found

    def sent(self, query: str) -> str:
        """The query with ids for names."""
        kind, name, operation = query.split(":")
        return f"{kind}:{self.ids.get(name, name) if kind in OPERATIONS else name}:{operation}"

    async def allows(self, user: str, *queries: str) -> bool:
        """Return the answer to a check by the service."""
        body = {"user-id": str(self.ids[user]), "access-query": [self.sent(each) for each in queries]}
        answer: bool = (await self.world.post(CHECK, body, self.world.service))["allow"]
        return answer

    async def bulk(self, users: Sequence[str], queries: Sequence[str], *, individually: bool) -> list[bool]:
        """Rows of a bulk answer, whose order and names are as asked."""
        texts = [self.sent(each) for each in queries]
        asked = {"user-ids": [str(self.ids[each]) for each in users], "access-query": texts}
        body = {"multi-user-ids": {**asked, "individually": individually}}
        rows = (await self.world.post(BULK, body, self.world.service))["access-queries"]
        lists = [[text] for text in texts] if individually else [texts]
        expected = [(str(self.ids[user]), each) for user in users for each in lists]
        assert [(row["user-id"], row["access-query"]) for row in rows] == expected
        return [row["allow"] for row in rows]

    async def listed(self, user: str, queries: Sequence[str], organization: str | None = None) -> list[str]:
        """Names of the accessible resources, asked for in pages of two."""
        body: dict[str, Any] = {"user-id": str(self.ids[user]), "access-query": [self.sent(each) for each in queries]}
        if organization is not None:
            body["organization-id"] = str(self.ids[organization])
        found: list[str] = []
        while True:
            page = {"page[limit]": 2, "page[offset]": len(found)}
            answer = await self.world.post(ACCESSIBLE, body | page, self.world.service)
            found += answer["resource-ids"]
            if len(answer["resource-ids"]) < 2:
                assert answer["meta"]["page[total]"] == len(found)
                assert found == sorted(found)
                return [self.name_of(each) for each in found]

    async def individuals(self, user: str, operation: str, **filters: Any) -> list[str]:
        """Names of the individuals of authz-individuals; filters by their contract names."""
        query = {"user-id": str(self.ids[user]), "operation": operation, **filters}
        answer = await self.world.get(INDIVIDUALS, self.world.service, **query)
        assert answer["meta"]["page[total]"] == len(answer["resource-ids"])
        return [self.name_of(each) for each in answer["resource-ids"]]

    async def accessors(self, query: str, organization: str | None = None) -> list[str]:
        """Names of the accessors of the query's resources."""
        kind, names, operation = query.split(":")
        asked: dict[str, Any] = {
            "resource-type": kind,
            "operation": operation,
            "resource-id": [str(self.ids[name.strip()]) for name in names.split(",")],
        }
        if organization is not None:
            asked["organization-id"] = str(self.ids[organization])
        answer = await self.world.get(ACCESSORS, self.world.service, **asked)
        assert answer["meta"]["page[total]"] == len(answer["data"])
        return [self.name_of(row["id"]) for row in answer["data"]]

    async def do_organization(self, organization_: str, open_: bool = False) -> None:
        organization, _ = await self.world.identity.organizations.create(
            self._by, f"{organization_.lower()}-{uuid4().hex[:12]}"
        )
        organization_id = organization.id
        self._thing("organization", organization_, organization_id)
        if open_:
            await self.do_open(organization_)
        for kind in SYSTEM_TYPES:
            self._thing("group", f"{organization_}.{kind}", system_group_id(organization_id, kind))

    async def do_administrator(self, administrator_: str, of_: str) -> None:
        self._person(administrator_, await self.world.admin(self.ids[of_]))

    async def do_provider(self, provider_: str, of_: str, individual_: str | None = None) -> None:
        self._person(provider_, await self.world.provider(self.ids[of_]), individual_)

    async def do_participant(self, participant_: str, of_: str, individual_: str | None = None) -> None:
        self._person(participant_, await self.world.patient(self.ids[of_]), individual_)

    async def do_staff(self, staff_: str) -> None:
        self._person(staff_, await self.world.provider(OPERATOR_ID))

    async def do_individual(self, individual_: str, owner_: str) -> None:
        individual, _ = await self.world.identity.individuals.create(SERVICE, uuid4(), self.ids[owner_])
        self._thing("individual", individual_, individual.id)

    async def do_division(self, division_: str, **more: Any) -> None:
        await self.do_group(division_, node_type="division", **more)

    async def do_group(
        self, group_: str, of_: str, under_: str | None = None, *, node_type: Any = "group", **rosters: Any
    ) -> None:
        group_id, _ = await self.world.identity.groups.create(self._by, self.ids[of_], group_, node_type=node_type)
        self._thing("group", group_, group_id)
        await self.do_add(group_, **rosters)
        if under_ is not None:
            await self.do_move(group_, under_)

    async def do_chain(self, chain_: str, of_: str, length_: int) -> None:
        """Groups chain1, chain2, … each under the one before."""
        for level in range(1, length_ + 1):
            await self.do_group(f"{chain_}{level}", of_, f"{chain_}{level - 1}" if level > 1 else None)

    async def do_move(self, move_: str, under_: str | None) -> None:
        parent = None if under_ is None else self.ids[under_]
        moves = self.world.identity.group_moves
        task_id, _ = await moves.request(self._by, self.ids[move_], parent)
        group = await self.world.identity.store.get(Group, self.ids[move_])
        await moves.carry_out(group.organization_id, task_id)

    async def do_add(self, group_: str, add_: Any = None, **rosters: Sequence[str]) -> None:
        commands = self.world.identity.rosters
        await self._change_rosters(group_, rosters, commands.add_users, commands.add_individuals)

    async def do_remove(self, group_: str, remove_: Any = None, **rosters: Sequence[str]) -> None:
        commands = self.world.identity.rosters
        await self._change_rosters(group_, rosters, commands.remove_users, commands.remove_individuals)

    async def _change_rosters(
        self, group: str, rosters: dict[str, Sequence[str]], users: Any, individuals: Any
    ) -> None:
        for roster, names in rosters.items():
            if roster == "individuals_":
                await individuals(self._by, self.ids[group], self._ids(names))
            else:
                await users(self._by, self.ids[group], ROSTERS[roster], UserSelection(self._ids(names)))

    async def do_deactivate(self, deactivate_: str) -> None:
        await self.world.identity.groups.deactivate(self._by, self.ids[deactivate_])

    async def do_open(self, open_: str) -> None:
        await self._change(open_, authorization_type="open")

    async def do_restrict(self, restrict_: str) -> None:
        await self._change(restrict_, authorization_type="restricted")

    async def do_close(self, close_: str) -> None:
        await self._change(close_, is_active=False)

    async def do_reopen(self, reopen_: str) -> None:
        await self._change(reopen_, is_active=True)

    async def do_disable(self, disable_: str) -> None:
        await self.world.identity.users.disable(self._by, self.ids[disable_])

    async def do_enable(self, enable_: str) -> None:
        await self.world.identity.users.enable(self._by, self.ids[enable_])

    async def do_share(self, share_: str, with_: str, for_: str | None = None) -> None:
        await self.world.identity.individuals.share(
            self._by, self.ids[share_], self._party(with_), self.ids[with_], for_
        )

    async def do_unshare(self, unshare_: str, with_: str) -> None:
        await self.world.identity.individuals.unshare(self._by, self.ids[unshare_], self._party(with_), self.ids[with_])

    async def do_own(self, own_: str, by_: str) -> None:
        await self.world.identity.individuals.change_owner(SERVICE, self.ids[own_], self.ids[by_])

    async def do_enter(self, enter_: str, of_: str) -> None:
        await self.world.identity.memberships.add(self._by, self.ids[of_], UserIdOrEmail(self.ids[enter_], None))

    async def do_quit(self, quit_: str, of_: str) -> None:
        await self.world.identity.memberships.remove(self._by, self.ids[of_], UserIdOrEmail(self.ids[quit_], None))

    async def do_appoint(self, appoint_: str, of_: str) -> None:
        await self.world.identity.role_users.grant(
            self._by, role_id(self.ids[of_], ORGANIZATION_ADMIN), UserIdOrEmail(self.ids[appoint_], None)
        )

    async def do_dismiss(self, dismiss_: str, of_: str) -> None:
        await self.world.identity.role_users.revoke(
            self._by, role_id(self.ids[of_], ORGANIZATION_ADMIN), UserIdOrEmail(self.ids[dismiss_], None)
        )

    @property
    def _by(self) -> Principal:
        return self.world.administrator

    async def _change(self, organization: str, **changes: Any) -> None:
        await self.world.identity.organizations.change(self._by, self.ids[organization], changes)

    def _party(self, name: str) -> Any:
        return "user" if name in self.people else "organization"

    def _ids(self, names: Sequence[str]) -> list[UUID]:
        return [self.ids[name] for name in names]

    def _thing(self, kind: str, name: str, thing: UUID) -> None:
        self.ids[name], self.kinds[name] = thing, kind

    def _person(self, name: str, person: Person, individual: str | None = None) -> None:
        self.ids[name], self.people[name] = person.user_id, person
        if person.individual_id is not None:
            self._thing("individual", individual or f"{name}'s own", person.individual_id)
