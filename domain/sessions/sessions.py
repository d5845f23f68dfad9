"""Sessions: how they are opened, refreshed and ended.

Sessions have a log of their own, because they are many and are not kept for ever. The end of a session is an event of
the identity log, so that it is ordered among all other events that decide access.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Forbidden, InvalidState, NotFound, Unauthenticated
from domain.core.ports import Store
from domain.core.principal import SessionKind
from domain.organizations.organizations import Organization
from domain.people.users import User

MAX_ACCESS_SECONDS = 3600
MAX_REFRESH_SECONDS = 30 * 24 * 3600


class SessionNotFound(NotFound):
    """The session does not exist, or the caller may not see it."""


class InvalidCredentials(Unauthenticated, code="invalid-credentials"):
    """The user name or the password is wrong."""


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is not valid."""


class UserNotConfirmed(Forbidden, code="user-not-confirmed"):
    """The user is not confirmed yet."""


class UserDisabled(Forbidden, code="user-disabled"):
    """The user is disabled."""


class PasswordResetRequired(Forbidden, code="password-reset-required"):
    """The user must reset their password first."""


class CodeUsed(Forbidden, code="code-mismatch"):
    """The code was used before; it opens one session only."""


class UserNotLive(InvalidState, argument="user_id"):
    """The user is disabled, archived or not confirmed."""


REFUSALS_BY_STATE: dict[str, type[Forbidden]] = {
    "registered": UserNotConfirmed,
    "disabled": UserDisabled,
    "registered_disabled": UserDisabled,
    "force_reset_password": PasswordResetRequired,
}


def hash_refresh_token(refresh_token: str) -> str:
    """Return the hash of a refresh token, which is stored in place of the token."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def new_refresh_token(session_id: UUID) -> str:
    """Return a new refresh token of the session."""
    return f"{session_id.hex}.{secrets.token_urlsafe(32)}"


def session_id_of_token(refresh_token: str) -> UUID | None:
    """Return the id of the session that a refresh token belongs to; None for a malformed token."""
    session_id, dot, secret = refresh_token.partition(".")
    try:
        return UUID(hex=session_id) if dot and secret and len(session_id) == 32 else None
    except ValueError:
        return None


class Origin(NamedTuple):
    """The session of a staff member from which they opened an impersonated session."""

    user_id: UUID
    session_id: UUID


class Session(Audited):
    """A session of a user.

    `access_seconds` is the lifetime of the first access token, and of the later ones too when `sticky` is true.
    `authenticated_at` and `authenticated_by` tell when and how the user proved who they are: a session that replaces
    another one keeps both. `impersonator` and `opened_from` are the origin of an impersonated session.
    """

    TOPIC = "session"

    user_id: UUID
    kind: SessionKind
    organization_id: UUID | None
    expires_at: datetime
    refresh_token_hash: str | None
    access_seconds: int
    sticky: bool
    locale: str | None
    queue_delay: int
    authenticated_at: datetime
    authenticated_by: list[str]
    impersonator: UUID | None
    opened_from: UUID | None

    class Created(Audited.Created):
        """A session was opened.

        `opened_at_position` is the position of the identity log at which the user was checked. A later event that ends
        the user's sessions ends this one, even if the user may sign in again afterwards. `authenticated_by` has the
        methods of RFC 8176 by which the user proved who they are. An impersonated session was `opened_from` a session
        of the `impersonator`.
        """

        TOPIC = "session.opened"
        class_version = 2
        user_id: UUID
        kind: SessionKind
        organization_id: UUID | None
        opened_at_position: int
        expires_at: datetime
        refresh_token_hash: str | None
        access_seconds: int
        sticky: bool
        locale: str | None
        queue_delay: int
        authenticated_at: datetime
        authenticated_by: list[str]
        impersonator: UUID | None
        opened_from: UUID | None

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["authenticated_at"] = state["timestamp"]
            state["authenticated_by"] = ["pwd"] if state["kind"] == "password" else []
            state["impersonator"] = state["opened_from"] = None

    class Refreshed(Audited.Event):
        """An access token was issued for the refresh token of the session."""

        TOPIC = "session.refreshed"

        def mutate(self, aggregate: Any) -> Any:
            """Return None when the log has dropped the opening of the session, which has expired long ago."""
            return None if aggregate is None else super().mutate(aggregate)

    class CallProxied(Audited.Event):
        """A call through an anonymous access was answered: by the other service, or with 502 or 504 in its place.

        `access` is the key of the access.
        """

        TOPIC = "session.call-proxied"
        access: UUID
        service: str
        path: str
        method: str
        status: int

    @classmethod
    def open(
        cls,
        session_id: UUID,
        user: User,
        *,
        organization_id: UUID | None,
        position: int,
        kind: SessionKind,
        seconds: float,
        refresh_token: str | None = None,
        access_seconds: int = MAX_ACCESS_SECONDS,
        sticky: bool = False,
        locale: str | None = None,
        queue_delay: int = 0,
        authenticated_by: Sequence[str] = (),
        origin: Origin | None = None,
    ) -> "Session":
        """Return a new session of the user in the organization, which expires after `seconds`."""
        now = datetime.now(UTC)
        return cls._create(
            cls.Created,
            id=session_id,
            user_id=user.id,
            kind=kind,
            organization_id=organization_id,
            opened_at_position=position,
            expires_at=now + timedelta(seconds=seconds),
            refresh_token_hash=None if refresh_token is None else hash_refresh_token(refresh_token),
            access_seconds=access_seconds,
            sticky=sticky,
            locale=locale,
            queue_delay=queue_delay,
            authenticated_at=now,
            authenticated_by=list(authenticated_by),
            impersonator=None if origin is None else origin.user_id,
            opened_from=None if origin is None else origin.session_id,
        )

    def moved_to(
        self, organization_id: UUID, session_id: UUID, refresh_token: str | None, *, position: int
    ) -> "Session":
        """Return a new session in the organization in place of this one, with its kind, lifetime and origin."""
        return self._create(
            self.Created,
            id=session_id,
            user_id=self.user_id,
            kind=self.kind,
            organization_id=organization_id,
            opened_at_position=position,
            expires_at=self.expires_at,
            refresh_token_hash=None if refresh_token is None else hash_refresh_token(refresh_token),
            access_seconds=self.access_seconds,
            sticky=self.sticky,
            locale=self.locale,
            queue_delay=self.queue_delay,
            authenticated_at=self.authenticated_at,
            authenticated_by=self.authenticated_by,
            impersonator=self.impersonator,
            opened_from=self.opened_from,
        )

    def refresh(self, refresh_token: str) -> None:
        """Record a refresh. Raises InvalidRefreshToken for a token of another session, or when this one has expired."""
        own_hash = self.refresh_token_hash or ""
        if not hmac.compare_digest(own_hash, hash_refresh_token(refresh_token)) or datetime.now(UTC) >= self.expires_at:
            raise InvalidRefreshToken
        self._refreshed()

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the session expires."""
        return (self.expires_at - datetime.now(UTC)).total_seconds()

    def access_until(self, *, refreshed: bool = False) -> datetime:
        """Return when an access token that is issued now expires; it never outlives the session."""
        seconds = MAX_ACCESS_SECONDS if refreshed and not self.sticky else self.access_seconds
        return min(datetime.now(UTC) + timedelta(seconds=seconds), self.expires_at)

    def record_proxied_call(self, access: UUID, service: str, path: str, method: str, status: int) -> None:
        """Record the answer to the call for which the session was opened."""
        self._call_proxied(access, service, path, method, status)

    @event(CallProxied)
    def _call_proxied(self, access: UUID, service: str, path: str, method: str, status: int) -> None:
        pass

    @event(Refreshed)
    def _refreshed(self) -> None:
        pass


def require_live(user: User) -> None:
    """Raise UserNotLive unless the user may use their rights."""
    if not user.live:
        raise UserNotLive


async def current_organization(store: Store, user: User) -> UUID | None:
    """Return the organization of a new session: the user's default one, else their oldest one (ruling C5).

    Inactive organizations do not count (ruling K144).
    """
    preferred = [] if user.current_organization is None else [user.current_organization]
    organizations = await store.get_many(Organization, [*preferred, *user.organizations])
    return next((each for each, organization in organizations.items() if organization.active), None)


async def impersonator_of(store: Store, session: Session) -> User | None:
    """Return the staff member who acts as the user in the session, if any."""
    return None if session.impersonator is None else await store.get(User, session.impersonator)


def revocation_id(session_id: UUID) -> UUID:
    """Return the id of the session's revocation."""
    return uuid5(session_id, "revocation")


class SessionRevocation(Audited):
    """The end of a session before it expired. It has one event only."""

    TOPIC = "session-revocation"

    session_id: UUID
    user_id: UUID

    class Created(Audited.Created):
        """A session was revoked."""

        TOPIC = "session.revoked"
        session_id: UUID
        user_id: UUID

    @classmethod
    def create(cls, session_id: UUID, user_id: UUID) -> "SessionRevocation":
        """Return the revocation of the user's session."""
        return cls._create(cls.Created, id=revocation_id(session_id), session_id=session_id, user_id=user_id)
