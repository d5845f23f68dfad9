"""Steps of a history about users and individuals."""

from random import Random
from uuid import uuid4

from domain.access.roles import LastAdmin
from domain.core.personal import revealed
from domain.people.individuals import Individual
from domain.people.login_names import parse_login_name
from domain.people.users import User
from tests.support.history_steps.accounts import AccountChanges
from tests.support.history_steps.made import MadeAggregates, Saving


class PeopleSteps(MadeAggregates):
    """What happens to users, their memberships and roles, and individuals."""

    def __init__(self, store: Saving, session_store: Saving, randomness: Random) -> None:
        super().__init__(store, session_store, randomness)
        self._accounts = AccountChanges(randomness, self._free_email)

    async def _onboard(self) -> None:
        organization = self._one(self._organizations)
        user_id, individual_id = uuid4(), uuid4()
        provisional = self._random.random() < 0.5
        user = User.create(
            user_id, classification="customer", individual_id=individual_id, email=self._free_email(),
            provisional_in=organization.id if provisional else None,
        )  # fmt: skip
        provider = self._random.random() < 0.6
        individual = Individual.create(individual_id, "user", user_id, provider=provider)
        user.set_password("hashed")
        user.confirm(email_verified=not provisional)
        if provider:
            user.join(organization.id)
        else:
            individual.share("organization", organization.id)
            self._individuals.append(individual)
        await self._store.save(user, individual)
        self._users.append(user)

    async def _take_over(self) -> None:
        if strangers := [each for each in self._users if each.provisional]:
            user = self._one(strangers)
            email = self._random.choice([revealed(user.names.email), self._free_email()])
            user.take_over(email=email, phone=None, username=None, password_hash="hashed", email_verified=True)
            await self._store.save(user)

    async def _release(self) -> None:
        user = self._one(self._users)
        if email := revealed(user.names.email):
            user.release_login_names([parse_login_name(email)])
            await self._store.save(user)

    async def _disable(self) -> None:
        user = self._one(self._users)
        user.disable()
        await self._store.save(user)

    async def _enable(self) -> None:
        user = self._one(self._users)
        user.enable()
        await self._store.save(user)

    async def _change_account(self) -> None:
        await self._store.save(*self._accounts.change(self._one(self._users)))

    async def _agree(self) -> None:
        await self._store.save(*self._accounts.agree(self._one(self._users)))

    async def _archive(self) -> None:
        """Archive a user who works nowhere."""
        idle = [each for each in self._users if not each.organizations]
        if len(self._users) > 3 and idle:
            user = self._one(idle)
            user.archive()
            await self._store.save(user)
            self._users.remove(user)

    async def _prefer(self) -> None:
        preferences = f'{{"email": {{"chosen": {self._random.randrange(3)}}}}}'
        user = self._one(self._users)
        user.set_communication_preferences(preferences)
        await self._store.save(user)

    async def _settle_in(self) -> None:
        user = self._one(self._users)
        user.trigger_event(User.DefaultOrganizationChanged, organization_id=next(iter(user.organizations), None))
        await self._store.save(user)

    async def _mark(self) -> None:
        individual = self._one(self._individuals)
        if not individual.shared:
            individual.mark_provider(provider=not individual.provider)
            await self._store.save(individual)

    async def _join(self) -> None:
        user = self._one(self._users)
        user.join(self._one([*user.organizations, *user.former_organizations] or [self._organizations[0].id]))
        await self._store.save(user)

    async def _leave(self) -> None:
        user = self._one(self._users)
        if user.organizations:
            organization_id = self._one(list(user.organizations))
            user.leave(organization_id)
            await self._store.save(user, *self._standing_up(user.id, organization_id))

    async def _grant(self) -> None:
        if providers := [each for each in self._users if each.organizations]:
            user = self._one(providers)
            role = self._roles[self._one(list(user.organizations))]
            role.grant(user.id, live=user.live)
            await self._store.save(role)

    async def _revoke(self) -> None:
        role = self._one(list(self._roles.values()))
        if role.holders:
            try:
                role.revoke(self._one(list(role.holders)))
            except LastAdmin:
                return
            await self._store.save(role)

    async def _record(self) -> None:
        organization = self._one(self._organizations)
        individual = Individual.create(uuid4(), "organization", organization.id)
        await self._store.save(individual)
        self._individuals.append(individual)

    async def _share(self) -> None:
        individual = self._one(self._individuals)
        if individual.provider:
            return
        if self._random.random() < 0.5:
            individual.share("organization", self._one(self._organizations).id)
        else:
            individual.share("user", self._one(self._users).id, self._random.choice(["read", "write"]))
        await self._store.save(individual)

    async def _unshare(self) -> None:
        individual = self._one(self._individuals)
        gone = []
        for organization_id in list(individual.organizations):
            individual.unshare("organization", organization_id)
            if not individual.belongs_to(organization_id):
                gone += self._standing_up(individual.id, organization_id)
        await self._store.save(individual, *gone)

    async def _unshare_user(self) -> None:
        individual = self._one(self._individuals)
        for user_id in list(individual.users):
            individual.unshare("user", user_id)
        await self._store.save(individual)

    async def _change_owner(self) -> None:
        individual, organization = self._one(self._individuals), self._one(self._organizations)
        before = individual.owner_id
        individual.change_owner("organization", organization.id)
        gone = [] if individual.belongs_to(before) else self._standing_up(individual.id, before)
        await self._store.save(individual, *gone)
