"""The keys that sign tokens. They are no aggregates: the log records only that they changed (rulings K125 and K137)."""

from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from domain.core.audited import Audited
from domain.core.ports import Store
from domain.core.principal import Principal


class SigningKeyRotation(Audited):
    """The change to another key. It has one event only."""

    TOPIC = "signing-key-rotation"

    key_id: str
    former_key_id: str
    former_verifies_until: datetime

    class Created(Audited.Created):
        """Another key signs tokens from now on; the former one verifies for some time. The ids are `kid`s."""

        TOPIC = "signing-key.rotated"
        key_id: str
        former_key_id: str
        former_verifies_until: datetime

    @classmethod
    def create(cls, key_id: str, former_key_id: str, former_verifies_until: datetime) -> "SigningKeyRotation":
        """Return the change to the key."""
        return cls._create(
            cls.Created,
            id=rotation_id(key_id),
            key_id=key_id,
            former_key_id=former_key_id,
            former_verifies_until=former_verifies_until,
        )


class SigningKeys:
    """The command that records another key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rotate(
        self, principal: Principal, key_id: str, former_key_id: str, former_verifies_until: datetime
    ) -> int:
        """Record that another key signs from now on. Return the position of the event.

        Raises Forbidden unless the principal is a system administrator.
        """
        principal.require_system_administrator()
        return await self._store.save(SigningKeyRotation.create(key_id, former_key_id, former_verifies_until))


def rotation_id(key_id: str) -> UUID:
    """Return the id of the change to the key."""
    return uuid5(NAMESPACE_URL, f"rollbook:signing-key:{key_id}")
