"""User replications: each records that a user is replicated to another service."""

from uuid import UUID, uuid5

from domain.core.audited import Audited
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.users import User, UserNotFound


def user_replication_id(user_id: UUID, service: str) -> UUID:
    """Return the id of the replication of a user to a service."""
    return uuid5(user_id, f"replication:{service}")


class UserReplication(Audited):
    """The record that a user is replicated to a service; `service` is the name that the service chose."""

    TOPIC = "user-replication"

    user_id: UUID
    service: str

    class Created(Audited.Created):
        """A user was recorded as replicated to a service."""

        TOPIC = "user-replication.created"
        user_id: UUID
        service: str

    @classmethod
    def create(cls, user_id: UUID, service: str) -> "UserReplication":
        """Return the replication of the user to the service."""
        return cls._create(cls.Created, id=user_replication_id(user_id, service), user_id=user_id, service=service)


class UserReplications:
    """Commands on user replications."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @retry_on_conflict
    async def create(self, principal: Principal, user_id: UUID, service: str) -> tuple[UserReplication, int]:
        """Create the replication if it does not exist. Return it and the position of its event.

        Raises Forbidden unless the principal is a service account, and UserNotFound.
        """
        principal.require_service()
        if await self._store.find(User, user_id) is None:
            raise UserNotFound(argument="user_id")
        existing = await self._store.find(UserReplication, user_replication_id(user_id, service))
        replication = existing or UserReplication.create(user_id, service)
        return replication, await self._store.save(replication, result=replication.id)
