"""A world on a real log with its read models: what is in the background is there after `catch_up`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from psycopg import AsyncCursor

from adapters.log.event_store import EventStore
from projections.access.authorization import AuthorizationProjection
from projections.access.role_users import RoleUsersProjection
from projections.access.roles import RolesProjection
from projections.core.projection import InlineProjection, Projection
from projections.core.visibility import Viewer, viewer
from projections.groups.groups import GroupsProjection
from projections.groups.logs import GroupLogsProjection
from projections.groups.tasks import TasksProjection
from projections.organizations.names import OrganizationNamesProjection
from projections.organizations.organizations import OrganizationsProjection
from projections.people.user_replications import UserReplicationsProjection
from projections.people.users import UsersProjection
from tests.support.followers import a_projector
from tests.support.stores import a_pool, a_store
from tests.support.world.log import LogWorld
from workers.following.projector import Projector

PROJECTED = (
    "groups", "group_totals", "group_logs", "group_log_totals", "tasks", "users", "user_onboarding_requests",
)  # fmt: skip
"""Tables of the background read models of groups and users."""
UNKNOWN = uuid4()
"""The id of no user."""
EVERYTHING_SEEN = Viewer(UNKNOWN, unlimited=True)


class ReadModels(LogWorld):
    """A `LogWorld` whose `cursor` reads."""

    store: EventStore

    def __init__(self, store: EventStore, cursor: AsyncCursor, projector: Projector) -> None:
        super().__init__(store)
        self.cursor = cursor
        self._projector = projector

    async def catch_up(self) -> None:
        while await self._projector.step():
            pass

    async def viewer(self, user_id: UUID) -> Viewer:
        return await viewer(self.cursor, user_id)

    async def forget(self) -> None:
        """Return to the state in which no event was projected."""
        for table in PROJECTED:
            await self.cursor.execute(f"DELETE FROM {table}".encode())
        await self.cursor.execute("UPDATE projections SET position = 0")
        for follower in self._projector._leading.values():
            follower.succeeded(0)


@asynccontextmanager
async def read_models(database_url: str) -> AsyncIterator[ReadModels]:
    inline: list[InlineProjection] = [AuthorizationProjection(), OrganizationNamesProjection(), RoleUsersProjection()]
    background: list[Projection] = [
        GroupsProjection(),
        GroupLogsProjection(),
        TasksProjection(),
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
        yield ReadModels(store, connection.cursor(), projector)
