"""Service accounts: other applications that may call. The setting says which there are (rulings C3 and C6)."""

from collections.abc import Iterable
from dataclasses import field
from typing import NamedTuple, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.ports import Store, retry_on_conflict
from domain.people.users import User

REGISTER_ID = uuid5(NAMESPACE_URL, "rollbook:service-accounts")
CLASSIFICATION = "customer"
"""No service account is staff: what it may do follows from being one."""


class ServiceName(NamedTuple):
    """What a service account is known by."""

    namespace: str
    name: str

    @property
    def user_id(self) -> UUID:
        """The same over restarts, and when the account comes back."""
        return uuid5(REGISTER_ID, str(self))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class TokenReviewer(Protocol):
    """Tells service accounts by their tokens. None is any failure, whatever the reason."""

    async def by_hash(self, account: ServiceName, sha512: str) -> ServiceName | None:
        """The account itself when the hash, in hex, is that of one of its tokens."""
        ...

    async def by_token(self, token: str) -> ServiceName | None:
        """The account whose token it is."""
        ...


class ServiceAccountRegistry(Audited):
    """All service accounts that there ever were."""

    TOPIC = "service-register"

    user_ids: list[UUID] = field(default_factory=list)

    class Created(Audited.Created):
        TOPIC = "service-account-registry.created"

    class AccountRegistered(Audited.Event):
        TOPIC = "service-account-registry.account-registered"
        user_id: UUID

    @classmethod
    def open(cls) -> "ServiceAccountRegistry":
        return cls._create(cls.Created, id=REGISTER_ID)

    def register(self, user_id: UUID) -> None:
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
        """Make these the accounts that may call, and no others. Answers the position that shows it."""
        register = await self._store.find(ServiceAccountRegistry, REGISTER_ID) or ServiceAccountRegistry.open()
        wanted = {account.user_id: account for account in accounts}
        users = await self._store.get_many(User, {*wanted, *register.user_ids})
        for user_id, account in wanted.items():
            users.setdefault(user_id, _new(account)).enable()
            register.register(user_id)
        for user_id, user in users.items():
            if user_id not in wanted:
                user.disable()
        return await self._store.save(register, *users.values())


def _new(account: ServiceName) -> User:
    user = User.create(
        account.user_id, kind="service", classification=CLASSIFICATION, individual_id=None, username=str(account)
    )
    user.confirm()
    return user
