"""Anonymous accesses: who has the id of one may make a few calls to other services as a user (rulings K61 to K136)."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict, Expired, Invalid, InvalidState, NotFound

MAX_LIFETIME = timedelta(days=90)
MAX_ENDPOINTS = 50

Method = Literal["delete", "get", "patch", "post"]


class AnonymousAccessNotFound(NotFound):
    """The access does not exist, or the caller may not see it."""


class AnonymousAccessExpired(Expired):
    """The access has expired."""


class UserIsProvider(Conflict, argument="user_id"):
    """Anonymous accesses are for participants only."""


class UserIsDisabled(InvalidState, argument="user_id"):
    """The user is disabled or archived."""


class BadExpiration(Invalid, argument="expired_at"):
    """Input should be a time in the next 90 days."""


class UnknownService(Invalid):
    """Input should be the name of a service that is set up."""


class AllowedEndpoint(NamedTuple):
    """Calls that an access allows. A segment `{id}` of the path stands for one UUID."""

    service: str
    path: str
    method: Method = "get"

    def allows(self, service: str, path: str, method: str) -> bool:
        """Return whether this is such a call; everything but `{id}` must be equal."""
        return (self.service, self.method) == (service, method) and _matches(self.path.split("/"), path.split("/"))


def access_key(access_id: UUID) -> UUID:
    """Return the id under which an access is stored: a hash, because the id alone lets everybody use the access."""
    return UUID(bytes=hashlib.sha256(b"anonymous-access" + access_id.bytes).digest()[:16])


class AnonymousAccess(Audited):
    """An access; `id` is its key, not the id that clients know."""

    TOPIC = "anonymous-access"

    user_id: UUID
    expired_at: datetime
    endpoints: list[dict[str, str]]

    class Created(Audited.Created):
        """An anonymous access was created. Its stream has a hash of the access's id."""

        TOPIC = "anonymous-access.created"
        user_id: UUID
        expired_at: datetime
        endpoints: list[dict[str, str]]

    class Changed(Audited.Event):
        """The end or the endpoints of the access were changed; an end in the past revokes it."""

        TOPIC = "anonymous-access.changed"
        expired_at: datetime
        endpoints: list[dict[str, str]]

    @classmethod
    def create(
        cls, access_id: UUID, user_id: UUID, expired_at: datetime, endpoints: Sequence[AllowedEndpoint]
    ) -> "AnonymousAccess":
        """Return a new access."""
        stored = [endpoint._asdict() for endpoint in endpoints]
        return cls._create(
            cls.Created, id=access_key(access_id), user_id=user_id, expired_at=expired_at, endpoints=stored
        )

    @property
    def allowed_endpoints(self) -> list[AllowedEndpoint]:
        """Return the endpoints."""
        return [AllowedEndpoint(**endpoint) for endpoint in self.endpoints]  # type: ignore[arg-type]  # from `_asdict`

    def change(self, *, expired_at: datetime | None, endpoints: Sequence[AllowedEndpoint] | None) -> None:
        """Change what is not None."""
        stored = self.endpoints if endpoints is None else [endpoint._asdict() for endpoint in endpoints]
        until = self.expired_at if expired_at is None else expired_at
        if (until, stored) != (self.expired_at, self.endpoints):
            self._changed(until, stored)

    def require_not_expired(self) -> None:
        """Raise AnonymousAccessExpired if the access has expired."""
        if datetime.now(UTC) >= self.expired_at:
            raise AnonymousAccessExpired

    @event(Changed)
    def _changed(self, expired_at: datetime, endpoints: list[dict[str, str]]) -> None:
        self.expired_at = expired_at
        self.endpoints = endpoints


def require_acceptable(
    endpoints: Sequence[AllowedEndpoint], services: Collection[str], expired_at: datetime | None, *, ends_later: bool
) -> None:
    """Raise UnknownService for every endpoint of another service, and BadExpiration for the end, all of them at once.

    The end may be at most MAX_LIFETIME away, and in the past only without `ends_later`.
    """
    unknown = [place for place, endpoint in enumerate(endpoints) if endpoint.service not in services]
    refusals: list[Invalid] = [UnknownService(argument=f"allowed_endpoints/{place}/service") for place in unknown]
    now = datetime.now(UTC)
    if expired_at is not None and (expired_at > now + MAX_LIFETIME or (ends_later and expired_at <= now)):
        refusals.append(BadExpiration())
    if refusals:
        refusals[0].others = tuple(refusals[1:])
        raise refusals[0]


def _matches(pattern: Sequence[str], path: Sequence[str]) -> bool:
    return len(pattern) == len(path) and all(
        _is_uuid(segment) if expected == "{id}" else segment == expected
        for expected, segment in zip(pattern, path, strict=True)
    )


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == 36 and str(UUID(text)) == text.lower()
    except ValueError:
        return False
