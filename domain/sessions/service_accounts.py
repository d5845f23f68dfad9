"""Service accounts: other applications that may call the service. A setting lists them (rulings C3 and C6)."""

from collections.abc import Iterable
from dataclasses import field
from typing import NamedTuple, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.ports import Store, retry_on_conflict
from domain.people.users import User

REGISTRY_ID = uuid5(NAMESPACE_URL, "rollbook:service-accounts")
CLASSIFICATION = "customer"
"""The classification of all service accounts; a service account is never staff."""


class ServiceName(NamedTuple):
    """The name of a service account."""

    namespace: str
    name: str

    @property
    def user_id(self) -> UUID:
        """Return the id of the account's user, which is always the same for one name."""
        return uuid5(REGISTRY_ID, str(self))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class TokenReviewer(Protocol):
    """Recognizes service accounts by their tokens. Its methods return None for every failure."""

    async def by_hash(self, account: ServiceName, sha512: str) -> ServiceName | None:
        """Return the account if `sha512` is the hash, in hexadecimal, of one of its tokens."""
        ...

    async def by_token(self, token: str) -> ServiceName | None:
        """Return the account that the token belongs to."""
        ...


class ServiceAccountRegistry(Audited):
    """All present and former service accounts."""

    TOPIC = "service-register"

    user_ids: list[UUID] = field(default_factory=list)

    class Created(Audited.Created):
        """The registry of service accounts was created."""

        TOPIC = "service-account-registry.created"

    class AccountRegistered(Audited.Event):
        """A service account was registered."""

        TOPIC = "service-account-registry.account-registered"
        user_id: UUID

    @classmethod
    def create(cls) -> "ServiceAccountRegistry":
        """Return a new registry without accounts."""
        return cls._create(cls.Created, id=REGISTRY_ID)

    def register(self, user_id: UUID) -> None:
        """Register the account. Record no event when it is registered already."""
        if user_id not in self.user_ids:
            self._account_registered(user_id)

    @event(AccountRegistered)
    def _account_registered(self, user_id: UUID) -> None:
        self.user_ids.append(user_id)


class ServiceAccounts:
    """Commands on service accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @retry_on_conflict
    async def sync(self, accounts: Iterable[ServiceName]) -> int:
        """Enable these accounts and disable all others. Return the position of the events."""
        registry = await self._store.find(ServiceAccountRegistry, REGISTRY_ID) or ServiceAccountRegistry.create()
        enabled = {account.user_id: account for account in accounts}
        users = await self._store.get_many(User, {*enabled, *registry.user_ids})
        for user_id, account in enabled.items():
            users.setdefault(user_id, _create_user(account)).enable()
            registry.register(user_id)
        for user_id, user in users.items():
            if user_id not in enabled:
                user.disable()
        return await self._store.save(registry, *users.values())


def _create_user(account: ServiceName) -> User:
    user = User.create(
        account.user_id, kind="service", classification=CLASSIFICATION, individual_id=None, username=str(account)
    )
    user.confirm()
    return user
