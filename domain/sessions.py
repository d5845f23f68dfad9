"""Sessions: how one is opened, renewed and ended.

They have a log of their own, because there are many and they need not be kept; that one was ended for good is an event
of the identity log, so that it decides in the same order as everything else that decides access.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from domain.ids import new_id
from domain.ports import Directory, Store, decided_again
from domain.users import Passwords, User, normal_login

SessionKind = Literal["password", "service", "synthetic"]

LONGEST_ACCESS = 3600
LONGEST_REFRESH = 30 * 24 * 3600
LONGEST_QUEUE_DELAY = 60_000


class SessionNotFound(NotFound):
    detail = "There is no such session, or you may not see it."


class InvalidCredentials(Unauthenticated):
    code = "invalid-credentials"
    detail = "The user name or the password is wrong."


class InvalidRefreshToken(Unauthenticated):
    detail = "The refresh token is not valid."


class UserNotConfirmed(Forbidden):
    code = "user-not-confirmed"
    detail = "The user has to be confirmed first."


class UserDisabled(Forbidden):
    code = "user-disabled"
    detail = "The user is disabled."


class PasswordResetRequired(Forbidden):
    code = "password-reset-required"
    detail = "The password has to be reset first."


class UnknownServiceDocuments(Invalid):
    detail = "There is no such document, or it is obsolete."

    def __init__(self) -> None:
        super().__init__(pointer="/service-document-agreements")


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

    @event(Created)
    def __init__(
        self,
        user_id: UUID,
        kind: SessionKind,
        organization_id: UUID | None,
        opened_at_position: int,  # noqa: ARG002 - for projections
        expires_at: datetime,
        refresh_token_hash: str | None,
        access_seconds: int,
        sticky: bool,
        locale: str | None,
        queue_delay: int,
    ) -> None:
        self.user_id = user_id
        self.kind = kind
        self.organization_id = organization_id
        self.expires_at = expires_at
        self.refresh_token_hash = refresh_token_hash
        self.access_seconds = access_seconds
        self.sticky = sticky
        self.locale = locale
        self.queue_delay = queue_delay

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

    @event(Created)
    def __init__(self, session_id: UUID, user_id: UUID) -> None:
        self.session_id = session_id
        self.user_id = user_id

    @classmethod
    def of(cls, session_id: UUID, user_id: UUID) -> "SessionRevocation":
        return cls._create(cls.Created, id=revocation_id(session_id), session_id=session_id, user_id=user_id)


class Standing(Protocol):
    """Whether sessions still count. Never stale."""

    async def stands(self, session_id: UUID) -> bool:
        """Whether it has neither expired nor been revoked and its user is live."""
        ...


class Attempts(Protocol):
    """Counts failed logins, for each account and for each address they come from."""

    async def refuse_excess(self, account: str, address: str) -> None:
        """Raises TooMany when there were too many lately."""
        ...

    async def failed(self, account: str, address: str) -> None: ...

    async def succeeded(self, account: str) -> None: ...


class Login(NamedTuple):
    """What somebody who signs in asks for; lifetimes in seconds, the delay in milliseconds."""

    username: str
    password: str
    access_seconds: int | None = None
    refresh_seconds: int | None = None
    sticky: bool = False
    locale: str | None = None
    service_documents: Sequence[UUID] = ()
    queue_delay: int = 0


class SignedIn(NamedTuple):
    """`refresh_token` is handed out this once only; None for services and after a refresh."""

    session: Session
    user: User
    access_until: datetime
    refresh_token: str | None


class Sessions:
    """Commands on sessions. `identity` and `sessions` are the two logs."""

    def __init__(
        self,
        identity: Store,
        sessions: Store,
        directory: Directory,
        passwords: Passwords,
        attempts: Attempts,
        standing: Standing,
    ) -> None:
        self._identity = identity
        self._sessions = sessions
        self._directory = directory
        self._passwords = passwords
        self._attempts = attempts
        self._standing = standing

    async def log_in(self, login: Login, address: str) -> SignedIn:
        """A session for whoever knows the password. `address` is where the request comes from.

        Raises TooMany, InvalidCredentials; after a right password UserNotConfirmed, UserDisabled,
        PasswordResetRequired, UnknownServiceDocuments.
        """
        name = normal_login(login.username)
        user_id = await self._directory.user_by_login(name)
        account = f"login:{name}" if user_id is None else f"user:{user_id}"
        await self._attempts.refuse_excess(account, address)
        position = await self._identity.save()  # before the user is read: what happens to him later ends the session
        user = None if user_id is None else await self._identity.find(User, user_id)
        await self._verify(user, login.password, account, address)
        assert user is not None
        if user.state in REFUSED_STATES:
            raise REFUSED_STATES[user.state]
        if login.service_documents:
            raise UnknownServiceDocuments
        return await self._open(user, login, position)

    async def open_for_service(self, user_id: UUID) -> SignedIn:
        """A session, an hour at most, of a service account that has proven who it is. Raises Unauthenticated."""
        position = await self._identity.save()
        user = await self._identity.find(User, user_id)
        if user is None or user.kind != "service" or not user.live:
            raise Unauthenticated
        session = Session.open(new_id(), user, position=position, kind="service", seconds=LONGEST_ACCESS)
        await self._sessions.save(session)
        return SignedIn(session, user, session.access_until(), None)

    @decided_again
    async def refresh(self, refresh_token: str) -> SignedIn:
        """Another access token for the session. Raises InvalidRefreshToken, whatever the reason (ruling H7)."""
        session_id = session_of_token(refresh_token)
        session = None if session_id is None else await self._sessions.find(Session, session_id)
        if session is None:
            raise InvalidRefreshToken
        session.refresh(refresh_token)
        if not await self._standing.stands(session.id):
            raise InvalidRefreshToken
        user = await self._identity.get(User, session.user_id)
        await self._sessions.save(session)
        return SignedIn(session, user, session.access_until(refreshed=True), None)

    async def find(self, session_id: UUID) -> Session:
        """Raises SessionNotFound, also when it has ended."""
        session = await self._sessions.find(Session, session_id)
        if session is None or not await self._standing.stands(session_id):
            raise SessionNotFound
        return session

    @decided_again
    async def revoke(self, session_id: UUID, *, caller_id: UUID, of_anybody: bool) -> int:
        """End a session; answers the position of that. Raises SessionNotFound when there is none of the caller's."""
        session = await self._sessions.find(Session, session_id)
        if session is None or not (of_anybody or session.user_id == caller_id):
            raise SessionNotFound
        revocation = await self._identity.find(SessionRevocation, revocation_id(session_id))
        if revocation is None:
            return await self._identity.save(SessionRevocation.of(session_id, session.user_id))
        return await self._identity.save()

    async def _verify(self, user: User | None, password: str, account: str, address: str) -> None:
        """A user without a password, and an archived one, is not told from an unknown one."""
        hashed = None
        if user is not None and not user.archived and user.password_hash is not None:
            hashed = user.password_hash.value
        if not await self._passwords.verify(password, hashed):
            await self._attempts.failed(account, address)
            raise InvalidCredentials
        await self._attempts.succeeded(account)
        assert user is not None
        assert hashed is not None
        if self._passwords.outdated(hashed):
            with suppress(TooMany):  # another login will do
                await self._rehash(user.id, hashed, await self._passwords.hash(password))

    @decided_again
    async def _rehash(self, user_id: UUID, old: str, new: str) -> None:
        user = await self._identity.get(User, user_id)
        if user.password_hash is not None and user.password_hash.value == old:
            user.rehash_password(new)
            await self._identity.save(user)

    async def _open(self, user: User, login: Login, position: int) -> SignedIn:
        session_id = new_id()
        refresh_token = f"{session_id.hex}.{secrets.token_urlsafe(32)}"
        session = Session.open(
            session_id,
            user,
            position=position,
            kind="password",
            seconds=login.refresh_seconds or LONGEST_REFRESH,
            refresh_token=refresh_token,
            access_seconds=login.access_seconds or LONGEST_ACCESS,
            sticky=login.sticky,
            locale=login.locale,
            queue_delay=login.queue_delay,
        )
        await self._sessions.save(session)
        return SignedIn(session, user, session.access_until(), refresh_token)
