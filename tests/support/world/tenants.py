"""Organizations, providers and participants on a real log, for the tests of their read models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from psycopg import AsyncCursor

from adapters.log.event_store import EventStore
from domain.access.roles import Role, role_id
from domain.organizations.organizations import Organization, Organizations
from domain.people.individuals import Individual
from domain.people.users import User
from projections.access.authorization import AuthorizationProjection
from projections.access.role_users import RoleUsersProjection
from projections.access.roles import RolesProjection
from projections.core.projection import InlineProjection, Projection
from projections.core.visibility import Viewer
from projections.organizations.names import OrganizationNamesProjection
from projections.organizations.organizations import OrganizationsProjection
from projections.people.user_replications import UserReplicationsProjection
from projections.people.users import UsersProjection
from tests.support.followers import a_projector
from tests.support.stores import a_pool, a_store
from tests.support.world.people import a_user
from tests.support.world.principals import EVERYTHING, SYSTEM
from workers.following.projectors import Projector


class Tenants:
    """`cursor` reads; what is background is there after `catch_up`."""

    def __init__(self, store: EventStore, cursor: AsyncCursor, projector: Projector) -> None:
        self.store = store
        self.cursor = cursor
        self.projector = projector

    async def organization(self, name: str, display_name: str | None = None) -> Organization:
        organization, _ = await Organizations(self.store, EVERYTHING).create(SYSTEM, name, display_name=display_name)
        return organization

    async def change(self, organization: Organization, **changes: object) -> None:
        await Organizations(self.store, EVERYTHING).change(SYSTEM, organization.id, changes)

    async def provider(self, *organizations: Organization, email: str | None = None) -> User:
        user = a_user(email=email)
        assert user.individual_id is not None
        for organization in organizations:
            user.join(organization.id)
        await self.store.save(user, Individual.create(user.individual_id, "user", user.id, provider=True))
        return user

    async def participant(self, *organizations: Organization) -> User:
        user = a_user()
        assert user.individual_id is not None
        individual = Individual.create(user.individual_id, "user", user.id)
        for organization in organizations:
            individual.share("organization", organization.id)
        await self.store.save(user, individual)
        return user

    async def grant(self, organization: Organization, *users: User) -> UUID:
        """Makes them administrators; the role's id."""
        role = await self.store.get(Role, role_id(organization.id, "org.admin"))
        for user in users:
            role.grant(user.id, live=True)
        await self.store.save(role)
        return role.id

    async def catch_up(self) -> None:
        while await self.projector.step():
            pass


@asynccontextmanager
async def tenants(database_url: str) -> AsyncIterator[Tenants]:
    inline: list[InlineProjection] = [AuthorizationProjection(), OrganizationNamesProjection(), RoleUsersProjection()]
    background: list[Projection] = [
        OrganizationsProjection(),
        RolesProjection(),
        UserReplicationsProjection(),
        UsersProjection(),
    ]
    async with (
        a_store(database_url, projections=inline) as store,
        a_pool(database_url, size=1) as pool,
        a_projector(database_url, *background) as projector,
        pool.connection() as connection,
    ):
        await projector.take_leases()
        yield Tenants(store, connection.cursor(), projector)


NOBODY = uuid4()
EVERYTHING_SEEN = Viewer(NOBODY, unlimited=True)
