"""Sessions: how one is opened, renewed and ended.

They have a log of their own, because there are many and they need not be kept; that one was ended for good is an event
of the identity log, so that it decides in the same order as everything else that decides access.
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

LONGEST_ACCESS = 3600
LONGEST_REFRESH = 30 * 24 * 3600


class SessionNotFound(NotFound):
    """There is no such session, or the caller may not see it."""


class InvalidCredentials(Unauthenticated, code="invalid-credentials"):
    detail = "The user name or the password is wrong."


class InvalidRefreshToken(Unauthenticated):
    detail = "The refresh token is not valid."


class UserNotConfirmed(Forbidden, code="user-not-confirmed"):
    detail = "The user has to be confirmed first."


class UserDisabled(Forbidden, code="user-disabled"):
    detail = "The user is disabled."


class PasswordResetRequired(Forbidden, code="password-reset-required"):
    detail = "The password has to be reset first."


class UnknownServiceDocuments(Invalid):
    detail = "There is no such document, or it is obsolete."

    def __init__(self) -> None:
        super().__init__(argument="service_document_agreements")


REFUSED_STATES: dict[str, type[Forbidden]] = {
    "registered": UserNotConfirmed,
    "disabled": UserDisabled,
    "registered_disabled": UserDisabled,
    "force_reset_password": PasswordResetRequired,
}


def hash_of(refresh_token: str) -> str:
    """What is kept of a refresh token."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def session_of_token(refresh_token: str) -> UUID | None:
    """The session that a refresh token names; None when it is none of ours."""
    name, dot, secret = refresh_token.partition(".")
    try:
        return UUID(hex=name) if dot and secret and len(name) == 32 else None
    except ValueError:
        return None


class Session(Audited):
    """`access_seconds` is how long an access token lives, the first one and, when `sticky`, the later ones."""

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
        """`opened_at_position` is how far the identity log was when the user was found fit.

        Whatever ends his sessions later ends this one, even if he is let in again.
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
        TOPIC = "session.refreshed"

        def mutate(self, aggregate: Any) -> Any:
            """Of a session whose opening the log no longer keeps nothing is left: it has expired long ago."""
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
        access_seconds: int = LONGEST_ACCESS,
        sticky: bool = False,
        locale: str | None = None,
        queue_delay: int = 0,
    ) -> "Session":
        return cls._create(
            cls.Created,
            id=session_id,
            user_id=user.id,
            kind=kind,
            organization_id=user.current_organization,
            opened_at_position=position,
            expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
            refresh_token_hash=None if refresh_token is None else hash_of(refresh_token),
            access_seconds=access_seconds,
            sticky=sticky,
            locale=locale,
            queue_delay=queue_delay,
        )

    def refresh(self, refresh_token: str) -> None:
        """Raises InvalidRefreshToken when it is not this session's, or the session has expired."""
        known = self.refresh_token_hash or ""
        if not hmac.compare_digest(known, hash_of(refresh_token)) or datetime.now(UTC) >= self.expires_at:
            raise InvalidRefreshToken
        self._refreshed()

    def access_until(self, *, refreshed: bool = False) -> datetime:
        """When an access token handed out now ends: never after the session."""
        seconds = LONGEST_ACCESS if refreshed and not self.sticky else self.access_seconds
        return min(datetime.now(UTC) + timedelta(seconds=seconds), self.expires_at)

    @event(Refreshed)
    def _refreshed(self) -> None:
        pass


def revocation_id(session_id: UUID) -> UUID:
    """The stream of a session's end in the identity log."""
    return uuid5(session_id, "revocation")


class SessionRevocation(Audited):
    """That a session was ended before its time; nothing follows."""

    TOPIC = "session-revocation"

    session_id: UUID
    user_id: UUID

    class Created(Audited.Created):
        TOPIC = "session.revoked"
        session_id: UUID
        user_id: UUID

    @classmethod
    def of(cls, session_id: UUID, user_id: UUID) -> "SessionRevocation":
        return cls._create(cls.Created, id=revocation_id(session_id), session_id=session_id, user_id=user_id)
