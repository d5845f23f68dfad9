"""User replications: marks that a user is replicated to another service."""

from uuid import UUID, uuid5

from domain.core.audited import Audited
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.users import User, UserNotFound


def user_replication_id(user_id: UUID, service: str) -> UUID:
    """The id of the one mark of a user and a service."""
    return uuid5(user_id, f"replication:{service}")


class UserReplication(Audited):
    TOPIC = "user-replication"

    user_id: UUID
    service: str

    class Created(Audited.Created):
        TOPIC = "user-replication.created"
        user_id: UUID
        service: str

    @classmethod
    def mark(cls, user_id: UUID, service: str) -> "UserReplication":
        return cls._create(cls.Created, id=user_replication_id(user_id, service), user_id=user_id, service=service)


class UserReplications:
    """Commands on user replications."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @retry_on_conflict
    async def create(self, principal: Principal, user_id: UUID, service: str) -> tuple[UserReplication, int]:
        """Return the mark, made when there is none yet, and the position that shows it.

        Raises Forbidden to all but service accounts, UserNotFound.
        """
        principal.require_service()
        if await self._store.find(User, user_id) is None:
            raise UserNotFound(argument="user_id")
        existing = await self._store.find(UserReplication, user_replication_id(user_id, service))
        mark = existing or UserReplication.mark(user_id, service)
        return mark, await self._store.save(mark, result=mark.id)
