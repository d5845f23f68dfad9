"""Commands on sessions: signing in, renewing, ending."""

import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from domain.core.audited import AUDIT_CONTEXT, audited_as
from domain.core.borrowed import require_own_session
from domain.core.errors import TooMany, Unauthenticated
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.directory import Directory
from domain.people.login_names import normal_login
from domain.people.passwords import Passwords
from domain.people.users import User
from domain.sessions.sessions import (
    LONGEST_ACCESS,
    LONGEST_REFRESH,
    REFUSED_STATES,
    InvalidCredentials,
    InvalidRefreshToken,
    Session,
    SessionNotFound,
    SessionRevocation,
    UnknownServiceDocuments,
    revocation_id,
    session_of_token,
)


class Standing(Protocol):
    """Whether sessions still count. Never stale."""

    async def stands(self, session_id: UUID) -> bool:
        """Whether it has neither expired nor been revoked and its user is live."""
        ...


class Attempt(Protocol):
    """One attempt to log in, counted as a failure until it is told what came of it."""

    async def succeed(self) -> None:
        """The password was right: forgive the name its failures."""
        ...

    async def fail(self) -> None:
        """The password was wrong."""
        ...

    async def withdraw(self) -> None:
        """No password was judged: count nothing."""
        ...


class Attempts(Protocol):
    """Bounds attempts to log in, for each name as it was typed and for each address (rulings O12 and O13)."""

    async def begin(self, name: str, address: str) -> Attempt:
        """Count one more attempt. Raises TooMany when there were too many lately."""
        ...


class Login(NamedTuple):
    """What a user who signs in asks for; lifetimes in seconds, the delay in milliseconds."""

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


@dataclass(eq=False)
class Sessions:
    """Commands on sessions. `identity` and `sessions` are the two logs."""

    identity: Store
    sessions: Store
    directory: Directory
    passwords: Passwords
    attempts: Attempts
    standing: Standing
    _found_before: UUID | None = field(default=None, init=False)

    async def log_in(self, login: Login, address: str) -> SignedIn:
        """Return a session for a user whose password is right. `address` is where the request comes from.

        Raises TooMany, InvalidCredentials; after a right password UserNotConfirmed, UserDisabled,
        PasswordResetRequired, UnknownServiceDocuments.
        """
        name = normal_login(login.username)
        attempt = await self.attempts.begin(name, address)
        try:
            # before the user is read: what happens to them later ends the session
            position = await self.identity.save()
            user = await self._find(await self.directory.user_by_login(name))
            right = await self._matches(user, login.password)
        except Exception:
            await attempt.withdraw()
            raise
        if user is None or not right:
            await attempt.fail()
            raise InvalidCredentials
        await attempt.succeed()
        await self._hash_anew(user, login.password)
        if user.state in REFUSED_STATES:
            raise REFUSED_STATES[user.state]
        if login.service_documents:
            raise UnknownServiceDocuments
        return await self._open(user, login, position)

    async def open_for_service(self, user_id: UUID) -> SignedIn:
        """A session, an hour at most, of a service account that has proven who it is. Raises Unauthenticated."""
        position = await self.identity.save()
        user = await self.identity.find(User, user_id)
        if user is None or user.kind != "service" or not user.live:
            raise Unauthenticated
        session_id = uuid4()
        with _as(user, session_id):
            session = Session.open(session_id, user, position=position, kind="service", seconds=LONGEST_ACCESS)
            await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(), None)

    @retry_on_conflict
    async def refresh(self, refresh_token: str) -> SignedIn:
        """Another access token for the session. Raises InvalidRefreshToken, whatever the reason (ruling H7)."""
        session_id = session_of_token(refresh_token)
        session = None if session_id is None else await self.sessions.find(Session, session_id)
        if session is None:
            raise InvalidRefreshToken
        user = await self.identity.get(User, session.user_id)
        with _as(user, session.id):
            session.refresh(refresh_token)
            if not await self.standing.stands(session.id):
                raise InvalidRefreshToken
            await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(refreshed=True), None)

    async def find(self, principal: Principal, session_id: UUID) -> Session:
        """Return one of the principal's sessions; system administrators and services find all.

        Raises SessionNotFound, also when it has ended.
        """
        session = await self._require_own(principal, session_id)
        if not await self.standing.stands(session_id):
            raise SessionNotFound
        return session

    @retry_on_conflict
    async def revoke(self, principal: Principal, session_id: UUID) -> int:
        """End a session; return the position of that.

        Raises SessionNotFound when it is not one of the principal's, ImpersonationNotAllowed.
        """
        session = await self._require_own(principal, session_id)
        if session_id != principal.session_id:
            require_own_session(principal, "end another session")
        revocation = await self.identity.find(SessionRevocation, revocation_id(session_id))
        if revocation is None:
            return await self.identity.save(SessionRevocation.of(session_id, session.user_id))
        return await self.identity.save()

    async def _require_own(self, principal: Principal, session_id: UUID) -> Session:
        session = await self.sessions.find(Session, session_id)
        if session is None or not (principal.unlimited or session.user_id == principal.user_id):
            raise SessionNotFound
        return session

    async def _find(self, user_id: UUID | None) -> User | None:
        """Return the user, in the same time if there is none: then the user found before is read instead."""
        self._found_before = user_id or self._found_before
        found = None if self._found_before is None else await self.identity.find(User, self._found_before)
        return None if user_id is None else found

    async def _matches(self, user: User | None, password: str) -> bool:
        """A user without a password, and an archived one, is not told from an unknown one."""
        hashed = None
        if user is not None and not user.archived and user.password_hash is not None:
            hashed = user.password_hash.value
        return await self.passwords.verify(password, hashed)

    async def _hash_anew(self, user: User, password: str) -> None:
        """Hash a password that was right with the present parameters, if its hash has others."""
        hashed = None if user.password_hash is None else user.password_hash.value
        if hashed is not None and self.passwords.outdated(hashed):
            with suppress(TooMany):  # another login will do
                await self._rehash(user.id, hashed, await self.passwords.hash(password))

    @retry_on_conflict
    async def _rehash(self, user_id: UUID, old: str, new: str) -> None:
        user = await self.identity.get(User, user_id)
        if user.password_hash is not None and user.password_hash.value == old:
            with _as(user):
                user.rehash_password(new)
                await self.identity.save(user)

    async def _open(self, user: User, login: Login, position: int) -> SignedIn:
        session_id = uuid4()
        refresh_token = f"{session_id.hex}.{secrets.token_urlsafe(32)}"
        with _as(user, session_id):
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
            await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(), refresh_token)


def _as(user: User, session_id: UUID | None = None) -> AbstractContextManager[None]:
    """Let the user who signs in be the actor: until now the request had none."""
    return audited_as(replace(AUDIT_CONTEXT.get(), actor=user.id, session=session_id))
