"""Whether a session still counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import time_machine

from adapters.log.event_store import EventStore
from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from domain.core.principal import SessionKind
from domain.people.users import User
from domain.sessions.sessions import Session, SessionRevocation
from projections import registry
from projections.sessions.sessions import SessionReader, SessionRow, session_of
from tests.support.stores import MASTER_KEY, a_pool
from tests.support.world.people import a_user


class Logs:
    def __init__(self, identity: EventStore, sessions: EventStore, live_sessions: SessionReader, pool: Pool) -> None:
        self.identity = identity
        self.sessions = sessions
        self.live_sessions = live_sessions
        self.pool = pool

    async def open(self, user: User, kind: SessionKind = "password", seconds: int = 60, delay: int = 0) -> UUID:
        session = Session.open(
            uuid4(),
            user,
            organization_id=user.current_organization,
            position=await self.identity.save(),
            kind=kind,
            seconds=seconds,
            queue_delay=delay,
        )
        await self.sessions.save(session)
        return session.id

    async def row(self, session_id: UUID) -> SessionRow:
        async with self.pool.connection() as connection:
            found = await session_of(connection.cursor(), session_id)
        assert found is not None
        return found


@asynccontextmanager
async def logs(database_url: str) -> AsyncIterator[Logs]:
    async with a_pool(database_url) as pool:
        keyring = Keyring(pool, MASTER_KEY)
        inline = registry.inline(await keyring.lookup())
        async with (
            EventStore(pool, "identity", inline, keyring) as identity,
            EventStore(pool, "sessions", registry.inline(await keyring.lookup(), "sessions"), keyring) as sessions,
        ):
            yield Logs(identity, sessions, SessionReader(pool), pool)


async def test_a_row_has_the_attributes_that_requests_need(database_url: str) -> None:
    async with logs(database_url) as both:
        user, organization = a_user(), uuid4()
        user.join(organization)
        await both.identity.save(user)
        row = await both.row(await both.open(user, delay=500))
        assert (row.user_id, row.organization_id, row.queue_delay) == (user.id, organization, 500)
        assert not any((row.revoked, row.staff, row.system, row.kind == "service"))
        service = a_user(kind="service")
        await both.identity.save(service)
        row = await both.row(await both.open(service, "service"))
        assert (row.kind == "service", row.staff, row.system, row.organization_id) == (True, False, False, None)


async def test_an_unknown_session_is_none(database_url: str) -> None:
    async with logs(database_url) as both, both.pool.connection() as connection:
        assert await session_of(connection.cursor(), uuid4()) is None
        assert not await both.live_sessions.is_live(uuid4())


async def test_a_revoked_session_has_ended_and_no_other(database_url: str) -> None:
    async with logs(database_url) as both:
        user = a_user()
        await both.identity.save(user)
        first, second = await both.open(user), await both.open(user)
        await both.identity.save(SessionRevocation.create(first, user.id))
        assert (await both.row(first)).revoked
        assert [await both.live_sessions.is_live(each) for each in (first, second)] == [False, True]


async def test_a_session_ends_by_itself(database_url: str) -> None:
    async with logs(database_url) as both:
        user = a_user()
        await both.identity.save(user)
        session = await both.open(user, seconds=60)
        with time_machine.travel(timedelta(seconds=59)):
            assert await both.live_sessions.is_live(session)
        with time_machine.travel(timedelta(seconds=61)):
            assert not await both.live_sessions.is_live(session)
            assert not (await both.row(session)).revoked


async def test_disabling_ends_open_sessions_for_good(database_url: str) -> None:
    async with logs(database_url) as both:
        user = a_user()
        await both.identity.save(user)
        before = await both.open(user)
        user.disable()
        await both.identity.save(user)
        assert (await both.row(before)).revoked
        user.enable()
        await both.identity.save(user)
        assert (await both.row(before)).revoked
        assert not (await both.row(await both.open(user))).revoked


async def test_a_login_during_disabling_does_not_survive(database_url: str) -> None:
    async with logs(database_url) as both:
        user = a_user()
        position = await both.identity.save(user)
        user.disable()
        user.enable()
        await both.identity.save(user)
        session = Session.open(uuid4(), user, organization_id=None, position=position, kind="password", seconds=60)
        await both.sessions.save(session)
        assert not await both.live_sessions.is_live(session.id)


async def test_leaving_an_organization_ends_its_sessions_for_good(database_url: str) -> None:
    async with logs(database_url) as both:
        user, north, south = a_user(), uuid4(), uuid4()
        user.join(north)
        user.join(south)
        await both.identity.save(user)
        in_north = await both.open(user)
        user.leave(south)
        await both.identity.save(user)
        assert await both.live_sessions.is_live(in_north)
        user.leave(north)
        await both.identity.save(user)
        nowhere = await both.open(user)
        user.join(north)
        await both.identity.save(user)
        again = await both.open(user)
        assert [await both.live_sessions.is_live(each) for each in (in_north, nowhere, again)] == [False, True, True]
        user.leave(north)
        await both.identity.save(user)
        assert not await both.live_sessions.is_live(again)
