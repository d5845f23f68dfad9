"""Impersonation requests: staff act as a user, to see what the user sees (rulings K60 and K128 to K130)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.borrowed import require_own_session
from domain.core.errors import Forbidden, InvalidState, NotFound
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.organizations.staff import is_privileged
from domain.people.users import User, UserNotFound
from domain.sessions.commands import SignedIn
from domain.sessions.sessions import (
    MAX_ACCESS_SECONDS,
    Origin,
    Session,
    current_organization,
    new_refresh_token,
    require_live,
)

MAX_IMPERSONATION_SECONDS = 10_800
VALID_FOR = timedelta(hours=24)
"""The time after its creation in which a request can be used."""

RequestState = Literal["approved", "expired", "used"]


class ImpersonationRequestNotFound(NotFound):
    """The request does not exist, or the caller may not see it."""


class NotImpersonable(Forbidden, code="impersonation-not-allowed", argument="user_id"):
    """Nobody may act as themselves, as staff or as a service account."""


class ImpersonationRequestExpired(InvalidState):
    """The request has expired."""


def request_state(created_at: datetime, *, used: bool) -> RequestState:
    """Return the state of a request now."""
    if datetime.now(UTC) >= created_at + VALID_FOR:
        return "expired"
    return "used" if used else "approved"


class ImpersonationRequest(Audited):
    """The wish of a staff member to act as a user. It is approved with its creation."""

    TOPIC = "impersonation-request"

    user_id: UUID
    created_by: UUID
    used: bool = False

    class Created(Audited.Created):
        """A staff member asked to act as a user."""

        TOPIC = "impersonation-request.created"
        user_id: UUID
        created_by: UUID

    class Used(Audited.Event):
        """The staff member began to act as the user; later uses of the request are sessions only."""

        TOPIC = "impersonation-request.used"

    @classmethod
    def create(cls, user_id: UUID, created_by: UUID) -> "ImpersonationRequest":
        """Return a new request."""
        return cls._create(cls.Created, id=uuid4(), user_id=user_id, created_by=created_by)

    @property
    def state(self) -> RequestState:
        """Return the contract's state."""
        return request_state(self.created_on, used=self.used)

    def use(self) -> None:
        """Record the first use. Raises ImpersonationRequestExpired."""
        if self.state == "expired":
            raise ImpersonationRequestExpired
        if not self.used:
            self._used()

    @event(Used)
    def _used(self) -> None:
        self.used = True


@dataclass(frozen=True, eq=False)
class ImpersonationRequests:
    """Commands on impersonation requests. `identity` and `sessions` are the stores of the two logs."""

    identity: Store
    sessions: Store

    @retry_on_conflict
    async def create(self, principal: Principal, user_id: UUID) -> tuple[ImpersonationRequest, int]:
        """Create a request. Return it and the position of its event.

        Raises ImpersonationNotAllowed, Forbidden, UserNotFound, NotImpersonable, UserNotLive.
        """
        require_own_session(principal, "impersonate")
        principal.require_staff()
        user = await self.identity.find(User, user_id)
        if user is None:
            raise UserNotFound(argument="user_id")
        await self._require_not_privileged(principal, user)
        require_live(user)
        request = ImpersonationRequest.create(user_id, principal.user_id)
        return request, await self.identity.save(request, unchanged=[user], result=request.id)

    @retry_on_conflict
    async def impersonate(
        self, principal: Principal, request_id: UUID, *, access_seconds: int = 0, refresh_seconds: int = 0
    ) -> tuple[SignedIn, int]:
        """Open a session in which the creator of the request acts as the user. Return the position of its use.

        The session ends with that of the principal at the latest; 0 seconds ask for the longest lifetime. Raises
        NotFound, ImpersonationNotAllowed, Forbidden, NotImpersonable, ImpersonationRequestExpired, UserNotLive.
        """
        request = await self.identity.find(ImpersonationRequest, request_id)
        if request is None or not principal.staff:
            raise ImpersonationRequestNotFound
        require_own_session(principal, "impersonate")
        if request.created_by != principal.user_id:
            raise Forbidden
        position = await self.identity.save()
        user = await self.identity.get(User, request.user_id)
        await self._require_not_privileged(principal, user)
        request.use()
        require_live(user)
        own = await self.sessions.get(Session, principal.session_id)
        impersonator = await self.identity.get(User, principal.user_id)
        organization_id = await current_organization(self.identity, user)
        used_at = await save_resting_on(self.identity, request, unchanged=[user])
        seconds = refresh_seconds or MAX_IMPERSONATION_SECONDS
        session_id = uuid4()
        refresh_token = new_refresh_token(session_id)
        session = Session.open(
            session_id,
            user,
            organization_id=organization_id,
            position=position,
            kind="impersonated",
            seconds=min(seconds, own.seconds_left),
            refresh_token=refresh_token,
            access_seconds=access_seconds or MAX_ACCESS_SECONDS,
            origin=Origin(principal.user_id, principal.session_id),
        )
        await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(), refresh_token, impersonator), used_at

    async def _require_not_privileged(self, principal: Principal, user: User) -> None:
        if user.id == principal.user_id or await is_privileged(self.identity, user):
            raise NotImpersonable
