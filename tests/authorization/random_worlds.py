"""Small random worlds: each command changes the aggregates and the oracle."""

from contextlib import suppress

from domain.access.roles import LastAdmin
from domain.groups.groups import Group
from domain.groups.trees import GroupCycle, GroupTree, tree_id
from tests.authorization.oracle import OracleGroup
from tests.authorization.random_facts import PROVIDERS, RandomFacts, chosen

MOST_GROUPS = 7
MOST_INDIVIDUALS = 8
MOST_PARTICIPANTS = 5

Command = tuple[str, int, int, int]
"""Its name, and three numbers that choose among what there is at the time."""


class RandomWorld(RandomFacts):
    """What may happen in it; a command that cannot be carried out now changes nothing."""

    def carry_out(self, command: Command) -> None:
        name, *numbers = command
        getattr(self, f"do_{name}")(*numbers)

    def do_group(self, a: int, b: int, _: int) -> None:
        if len(self._groups()) < MOST_GROUPS:
            organization = self.organizations[a % 2]
            group = Group.create(self._id(), organization, "g", type="provider_only" if b % 5 == 0 else "regular")
            self._save(group)
            self.oracle.groups[group.id] = OracleGroup(organization, group.type)

    def do_move(self, a: int, b: int, _: int) -> None:
        group_id = chosen(self._groups(), a)
        if group_id is None:
            return
        organization = self.oracle.groups[group_id].organization
        others = [each for each in self._groups() if self.oracle.groups[each].organization == organization]
        parent = chosen([None, *others], b)
        tree = self.streams.get(tree_id(organization)) or GroupTree.create(organization)
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
            tree.remove_node(group_id)
            self._save(tree)
        facts.active = False

    def do_place(self, a: int, b: int, _: int) -> None:
        group_id, individual = chosen(self._groups(), a), chosen(self._individuals(), b)
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
        self._entry(a, b, "leader", lambda facts: facts.leaders)

    def do_join_group(self, a: int, b: int, _: int) -> None:
        self._entry(a, b, "member", lambda facts: facts.members)

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
        individual_id, organization = chosen(self._individuals(), a), self.organizations[b % 2]
        if individual_id is not None and self.oracle.individuals[individual_id].owner != organization:
            individual = self.streams[individual_id]
            individual.share("organization", organization)
            self._save(individual)
            self.oracle.individuals[individual_id].organizations.add(organization)

    def do_unshare(self, a: int, b: int, _: int) -> None:
        individual_id, organization = chosen(self._individuals(), a), self.organizations[b % 2]
        if individual_id is not None and organization in self.oracle.individuals[individual_id].organizations:
            individual = self.streams[individual_id]
            individual.unshare("organization", organization)
            self.oracle.individuals[individual_id].organizations.discard(organization)
            self._save(individual)
            self._clear_places(individual_id)

    def do_own(self, a: int, b: int, c: int) -> None:
        individual_id = chosen(self._individuals(), a)
        owners = [*self.organizations, *self.participants]
        if individual_id is not None and c % 2:
            owner = owners[b % len(owners)]
            individual = self.streams[individual_id]
            individual.change_owner("organization" if owner in self.organizations else "user", owner)
            self._save(individual)
            self.oracle.individuals[individual_id].owner = owner
            self._clear_places(individual_id)

    def do_lend(self, a: int, b: int, c: int) -> None:
        individual_id, user_id = chosen(self._individuals(), a), chosen(self.people, b)
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
        self.oracle.users[user_id].enabled = user.enabled

    def do_person(self, a: int, b: int, _: int) -> None:
        """A further participant, who may have no password yet or not be confirmed."""
        if len(self.participants) < MOST_PARTICIPANTS:
            user_id = self._user(confirmed=a % 2 == 0)
            self.participants.append(user_id)
            self._individual("user", user_id)
            self.do_register(PROVIDERS + len(self.participants) - 1, b, 0)

    def do_register(self, a: int, b: int, _: int) -> None:
        user = self.streams[self.people[a % len(self.people)]]
        if user.kind == "person" and b % 2:
            user.set_password("no hash")
            self._save(user)
            self.oracle.users[user.id].registered = True

    def do_confirm(self, a: int, b: int, _: int) -> None:
        user_id = chosen([each for each in self.people if not self.oracle.users[each].confirmed], a)
        if user_id is not None:
            user = self.streams[user_id]
            user.confirm(email_verified=b % 3 > 0)
            self._save(user)
            self.oracle.users[user_id].confirmed = True
            self.oracle.users[user_id].email_verified = b % 3 > 0

    def do_promote(self, a: int, b: int, _: int) -> None:
        """Make staff a system administrator, or no longer."""
        user_id = (self.staff, self.system)[a % 2]
        if b % 2 and self.oracle.users[user_id].staff:
            self._make_system(user_id)
        else:
            self._system_role.revoke(user_id)
            self._save(self._system_role)
            self.oracle.users[user_id].system = False

    def do_employ(self, a: int, b: int, _: int) -> None:
        """Let one of the operator's people leave its organization, or come back."""
        user_id = (self.staff, self.system)[a % 2]
        if b % 2:
            self._employ(user_id)
        elif self.oracle.users[user_id].staff:
            with suppress(LastAdmin):
                self._let_go(user_id)

    def do_open(self, a: int, b: int, _: int) -> None:
        organization = self.streams[self.organizations[a % 2]]
        organization.change({"authorization_type": "open" if b % 2 else "restricted"})
        self._save(organization)
        self.oracle.organizations[organization.id].open = bool(b % 2)

    def do_switch_organization(self, a: int, b: int, _: int) -> None:
        organization = self.streams[self.organizations[a % 2]]
        organization.change({"is_active": b % 3 > 0})
        self._save(organization)
        self.oracle.organizations[organization.id].active = b % 3 > 0

    def do_enter(self, a: int, b: int, _: int) -> None:
        user_id, organization = self._candidate(a), self.organizations[b % 2]
        user = self.streams[user_id]
        user.join(organization)
        self._save(user)
        self.oracle.organizations[organization].providers.add(user_id)
        self.oracle.users[user_id].provider = True  # in every later state of the user

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


COMMANDS = tuple(sorted(name.removeprefix("do_") for name in vars(RandomWorld) if name.startswith("do_")))
