"""Commands that open, refresh and end sessions."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from domain.core.audited import caused_by
from domain.core.borrowed import require_own_session
from domain.core.errors import TooMany, Unauthenticated
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.onboarding.agreements import Agreements
from domain.people.directory import Directory
from domain.people.login_attempts import Attempts
from domain.people.login_names import normal_login
from domain.people.passwords import Passwords
from domain.people.totp import OneTimeCodes, TotpConfigurations, TotpInvalid, configurations_id
from domain.people.users import User
from domain.sessions.second_factors import SecondFactor, SecondFactors
from domain.sessions.sessions import (
    MAX_ACCESS_SECONDS,
    MAX_REFRESH_SECONDS,
    REFUSALS_BY_STATE,
    InvalidCredentials,
    InvalidRefreshToken,
    Session,
    SessionNotFound,
    SessionRevocation,
    current_organization,
    impersonator_of,
    new_refresh_token,
    revocation_id,
    session_id_of_token,
)


class LiveSessions(Protocol):
    """Knows which sessions are live. It never lags."""

    async def is_live(self, session_id: UUID) -> bool:
        """Return whether the session has neither expired nor been revoked, and its user is live."""
        ...


class Login(NamedTuple):
    """What a user sends to sign in; lifetimes in seconds, the delay in milliseconds.

    `interactive` tells whether the user is present and can agree to documents that are missing.
    """

    username: str
    password: str
    totp_code: str | None = None
    access_seconds: int | None = None
    refresh_seconds: int | None = None
    sticky: bool = False
    locale: str | None = None
    interactive: bool = True
    service_documents: Sequence[UUID] = ()
    queue_delay: int = 0


class SignedIn(NamedTuple):
    """A session that was opened or refreshed. `refresh_token` is None for services and after a refresh.

    `impersonator` is the staff member who acts as the user, if any.
    """

    session: Session
    user: User
    access_until: datetime
    refresh_token: str | None
    impersonator: User | None = None


@dataclass(eq=False)
class Sessions:
    """Commands on sessions. `identity` and `sessions` are the stores of the two logs."""

    identity: Store
    sessions: Store
    directory: Directory
    passwords: Passwords
    attempts: Attempts
    live_sessions: LiveSessions
    codes: OneTimeCodes
    agreements: Agreements
    _last_user_id: UUID | None = field(default=None, init=False)

    async def log_in(self, login: Login, address: str) -> SignedIn:
        """Open a session for a user who sends the right password. `address` is the network address of the client.

        Raises TooMany, InvalidCredentials; after a right password UserNotConfirmed, UserDisabled,
        PasswordResetRequired, TotpRequired, TotpInvalid, UnknownServiceDocument, ServiceDocumentsRequired.
        Only a complete login resets the failures of the name: whoever knows the password could otherwise try all
        codes (ruling K10).
        """
        name = normal_login(login.username)
        attempt = await self.attempts.begin(name, address)
        try:
            # read the position before the user, so that later events of the user end the session
            position = await self.identity.save()
            user = await self._find_user(await self.directory.user_by_login(name))
            matches = await self._matches(user, login.password)
        except Exception:
            await attempt.withdraw()
            raise
        if user is None or not matches:
            await attempt.fail()
            raise InvalidCredentials
        try:
            await self._update_outdated_hash(user, login.password)
            signed_in = await self._complete(user, login, position)
        except TotpInvalid:
            await attempt.fail()
            raise
        except Exception:
            await attempt.forgive()
            raise
        await attempt.succeed()
        return signed_in

    async def log_in_with_code(self, user_id: UUID) -> SignedIn:
        """Open a session for a user who has just proved with a code to be themselves.

        Raises UserDisabled, PasswordResetRequired, TotpRequired, ServiceDocumentsRequired.
        """
        position = await self.identity.save()
        user = await self.identity.get(User, user_id)
        return await self._complete(user, Login(user.login_name or "", ""), position)

    async def open_for_service(self, user_id: UUID) -> SignedIn:
        """Open a session of at most an hour for a service account that the edge has recognized.

        Raises Unauthenticated.
        """
        position = await self.identity.save()
        user = await self.identity.find(User, user_id)
        if user is None or user.kind != "service" or not user.live:
            raise Unauthenticated
        session_id = uuid4()
        with caused_by(user.id, session_id):
            session = Session.open(
                session_id,
                user,
                organization_id=None,
                position=position,
                kind="service",
                seconds=MAX_ACCESS_SECONDS,
            )
            await self.sessions.save(session)
        return SignedIn(session, user, session.access_until(), None)

    @retry_on_conflict
    async def refresh(self, refresh_token: str, *, interactive: bool = False) -> SignedIn:
        """Refresh the session of the token. `interactive` tells whether the user is present.

        Raises InvalidRefreshToken for every failure (ruling H7), and ServiceDocumentsRequired if the user is present.
        """
        session_id = session_id_of_token(refresh_token)
        session = None if session_id is None else await self.sessions.find(Session, session_id)
        if session is None:
            raise InvalidRefreshToken
        user = await self.identity.get(User, session.user_id)
        with caused_by(user.id, session.id):
            session.refresh(refresh_token)
            if not await self.live_sessions.is_live(session.id):
                raise InvalidRefreshToken
            if interactive and session.kind == "password":
                await self.agreements.require((), user_id=user.id)
            await self.sessions.save(session)
        impersonator = await impersonator_of(self.identity, session)
        return SignedIn(session, user, session.access_until(refreshed=True), None, impersonator)

    async def find(self, principal: Principal, session_id: UUID) -> Session:
        """Return a session of the principal; system administrators and services find all sessions.

        Raises SessionNotFound, also for a session that has ended.
        """
        session = await self._require_own(principal, session_id)
        if not await self.live_sessions.is_live(session_id):
            raise SessionNotFound
        return session

    @retry_on_conflict
    async def revoke(self, principal: Principal, session_id: UUID) -> int:
        """End a session of the principal. Return the position of the event.

        Raises SessionNotFound, ImpersonationNotAllowed.
        """
        session = await self._require_own(principal, session_id)
        if session_id != principal.session_id:
            require_own_session(principal, "end another session")
        revocation = await self.identity.find(SessionRevocation, revocation_id(session_id))
        if revocation is None:
            return await self.identity.save(SessionRevocation.create(session_id, session.user_id))
        return await self.identity.save()

    async def _require_own(self, principal: Principal, session_id: UUID) -> Session:
        session = await self.sessions.find(Session, session_id)
        if session is None or not (principal.unlimited or session.user_id == principal.user_id):
            raise SessionNotFound
        return session

    async def _find_user(self, user_id: UUID | None) -> User | None:
        """Return the user. For None, read the user of the call before, so that the time does not tell them apart."""
        self._last_user_id = user_id or self._last_user_id
        user = None if self._last_user_id is None else await self.identity.find(User, self._last_user_id)
        return None if user_id is None else user

    async def _matches(self, user: User | None, password: str) -> bool:
        """Return whether the password is right. Users without a password and archived users are like unknown ones."""
        hashed = None
        if user is not None and not user.archived and user.password_hash is not None:
            hashed = user.password_hash.value
        return await self.passwords.verify(password, hashed)

    async def _update_outdated_hash(self, user: User, password: str) -> None:
        """Hash the right password again if its hash has other cost parameters than the settings."""
        hashed = None if user.password_hash is None else user.password_hash.value
        if hashed is not None and self.passwords.outdated(hashed):
            with suppress(TooMany):  # the next login will try again
                await self._rehash(user.id, hashed, await self.passwords.hash(password))

    @retry_on_conflict
    async def _rehash(self, user_id: UUID, old: str, new: str) -> None:
        user = await self.identity.get(User, user_id)
        if user.password_hash is not None and user.password_hash.value == old:
            with caused_by(user.id):
                user.rehash_password(new)
                await self.identity.save(user)

    @retry_on_conflict
    async def _complete(self, user: User, login: Login, position: int) -> SignedIn:
        """Open a session for a user with the right password, if nothing else is missing.

        Of two racing logins with one code, one loses its append, decides again and finds the code used.
        """
        if user.state in REFUSALS_BY_STATE:
            raise REFUSALS_BY_STATE[user.state]
        configurations = await self.identity.find(TotpConfigurations, configurations_id(user.id))
        with caused_by(user.id):
            factor = await SecondFactors(self.sessions, self.codes).prove(user, configurations, login.totp_code)
        new = await self.agreements.require(login.service_documents, user_id=user.id, complete=login.interactive)
        signed_in = await self._open(user, login, position, factor)
        with caused_by(user.id, signed_in.session.id):
            await self.agreements.record(user.id, new)
        return signed_in

    async def _open(self, user: User, login: Login, position: int, factor: SecondFactor | None) -> SignedIn:
        session_id = uuid4()
        refresh_token = new_refresh_token(session_id)
        organization_id = await current_organization(self.identity, user)
        with caused_by(user.id, session_id):
            session = Session.open(
                session_id,
                user,
                organization_id=organization_id,
                position=position,
                kind="password",
                seconds=login.refresh_seconds or MAX_REFRESH_SECONDS,
                refresh_token=refresh_token,
                access_seconds=login.access_seconds or MAX_ACCESS_SECONDS,
                sticky=login.sticky,
                locale=login.locale,
                queue_delay=login.queue_delay,
                authenticated_by=["pwd"] if factor is None else ["pwd", "otp"],
            )
            if factor is not None and factor.identity:
                await self.identity.save(*factor.identity)
            await self.sessions.save(session, *(() if factor is None else factor.sessions))
        return SignedIn(session, user, session.access_until(), refresh_token)
