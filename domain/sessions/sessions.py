"""Sessions: how they are opened, refreshed and ended.

Sessions have a log of their own, because they are many and are not kept for ever. The end of a session is an event of
the identity log, so that it is ordered among all other events that decide access.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from domain.core.principal import SessionKind
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


class UnknownServiceDocuments(Invalid):
    """At least one of the documents does not exist or is obsolete."""

    def __init__(self) -> None:
        super().__init__(argument="service_document_agreements")


REFUSALS_BY_STATE: dict[str, type[Forbidden]] = {
    "registered": UserNotConfirmed,
    "disabled": UserDisabled,
    "registered_disabled": UserDisabled,
    "force_reset_password": PasswordResetRequired,
}


def hash_refresh_token(refresh_token: str) -> str:
    """Return the hash of a refresh token, which is stored in place of the token."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def session_id_of_token(refresh_token: str) -> UUID | None:
    """Return the id of the session that a refresh token belongs to; None for a malformed token."""
    session_id, dot, secret = refresh_token.partition(".")
    try:
        return UUID(hex=session_id) if dot and secret and len(session_id) == 32 else None
    except ValueError:
        return None


class Session(Audited):
    """A session of a user.

    `access_seconds` is the lifetime of the first access token, and of the later ones too when `sticky` is true.
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

    class Created(Audited.Created):
        """A session was opened.

        `opened_at_position` is the position of the identity log at which the user was checked. A later event that ends
        the user's sessions ends this one, even if the user may sign in again afterwards.
        """

        TOPIC = "session.opened"
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

    class Refreshed(Audited.Event):
        """An access token was issued for the refresh token of the session."""

        TOPIC = "session.refreshed"

        def mutate(self, aggregate: Any) -> Any:
            """Return None when the log has dropped the opening of the session, which has expired long ago."""
            return None if aggregate is None else super().mutate(aggregate)

    @classmethod
    def open(
        cls,
        session_id: UUID,
        user: User,
        *,
        position: int,
        kind: SessionKind,
        seconds: int,
        refresh_token: str | None = None,
        access_seconds: int = MAX_ACCESS_SECONDS,
        sticky: bool = False,
        locale: str | None = None,
        queue_delay: int = 0,
    ) -> "Session":
        """Return a new session of the user, which expires after `seconds`."""
        return cls._create(
            cls.Created,
            id=session_id,
            user_id=user.id,
            kind=kind,
            organization_id=user.current_organization,
            opened_at_position=position,
            expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
            refresh_token_hash=None if refresh_token is None else hash_refresh_token(refresh_token),
            access_seconds=access_seconds,
            sticky=sticky,
            locale=locale,
            queue_delay=queue_delay,
        )

    def refresh(self, refresh_token: str) -> None:
        """Record a refresh. Raises InvalidRefreshToken for a token of another session, or when this one has expired."""
        own_hash = self.refresh_token_hash or ""
        if not hmac.compare_digest(own_hash, hash_refresh_token(refresh_token)) or datetime.now(UTC) >= self.expires_at:
            raise InvalidRefreshToken
        self._refreshed()

    def access_until(self, *, refreshed: bool = False) -> datetime:
        """Return when an access token that is issued now expires; it never outlives the session."""
        seconds = MAX_ACCESS_SECONDS if refreshed and not self.sticky else self.access_seconds
        return min(datetime.now(UTC) + timedelta(seconds=seconds), self.expires_at)

    @event(Refreshed)
    def _refreshed(self) -> None:
        pass


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
