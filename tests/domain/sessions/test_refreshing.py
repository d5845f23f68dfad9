"""Lifetimes, refreshing and the end of sessions."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine

from domain.core.errors import Unauthenticated
from domain.core.principal import SessionKind
from domain.onboarding.agreements import ServiceDocumentsRequired
from domain.onboarding.service_documents import LatestDocument
from domain.sessions.sessions import (
    MAX_REFRESH_SECONDS,
    InvalidRefreshToken,
    Session,
    SessionNotFound,
    new_refresh_token,
)
from tests.domain.sessions.test_sessions import Door, a_door
from tests.support.world.people import a_user
from tests.support.world.principals import SYSTEM, a_principal


async def test_lifetimes_are_as_asked_or_the_longest() -> None:
    door = await a_door()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        longest = await door.log_in()
        assert longest.session.expires_at - longest.session.created_on == timedelta(seconds=MAX_REFRESH_SECONDS)
        assert longest.access_until - longest.session.created_on == timedelta(hours=1)
        short = await door.log_in(refresh_seconds=30, access_seconds=60)
        assert short.access_until == short.session.expires_at


async def test_refreshing_needs_the_sessions_own_token_and_a_session_that_stands() -> None:
    door = Door()
    await door.user()
    signed_in, other = await door.log_in(), await door.log_in()
    assert signed_in.refresh_token is not None
    assert other.refresh_token is not None
    assert (await door.sessions.refresh(signed_in.refresh_token)).session.id == signed_in.session.id
    swapped = f"{signed_in.session.id.hex}.{other.refresh_token.partition('.')[2]}"
    for token in (swapped, "x", f"{uuid4().hex}.x", f"{signed_in.session.id}.x"):
        with pytest.raises(InvalidRefreshToken):
            await door.sessions.refresh(token)
    door.fallen.sessions.add(signed_in.session.id)
    with pytest.raises(InvalidRefreshToken):
        await door.sessions.refresh(signed_in.refresh_token)
    with (
        time_machine.travel(other.session.expires_at + timedelta(seconds=1)),
        pytest.raises(InvalidRefreshToken),
    ):
        await door.sessions.refresh(other.refresh_token)


async def test_a_refresh_by_a_present_user_needs_the_documents() -> None:
    door = await a_door()
    signed_in = await door.log_in()
    assert signed_in.refresh_token is not None
    recorded = len(door.log.events)
    door.directory.documents = [LatestDocument(uuid4(), required=True, agreed=False)]
    with pytest.raises(ServiceDocumentsRequired):
        await door.sessions.refresh(signed_in.refresh_token, interactive=True)
    assert len(door.log.events) == recorded
    await door.sessions.refresh(signed_in.refresh_token)


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_and_services_need_no_documents(kind: SessionKind) -> None:
    """Ruling K112."""
    door, service = Door(), a_user(kind="service")
    user = await door.user()
    await door.identity.save(service)
    door.directory.documents = [LatestDocument(uuid4(), required=True, agreed=False)]
    session_id = uuid4()
    token = new_refresh_token(session_id)
    session = Session.open(
        session_id, user, organization_id=None, position=0, kind=kind, seconds=60, refresh_token=token
    )
    await door.log.save(session)
    assert (await door.sessions.refresh(token, interactive=True)).session.id == session_id
    assert (await door.sessions.open_for_service(service.id)).session.kind == "service"


async def test_services_get_an_hour_and_nothing_to_refresh_it() -> None:
    door, service = Door(), a_user(kind="service")
    await door.identity.save(service)
    signed_in = await door.sessions.open_for_service(service.id)
    assert (signed_in.session.kind, signed_in.refresh_token) == ("service", None)
    assert signed_in.session.expires_at - signed_in.session.created_on <= timedelta(hours=1, seconds=1)
    with pytest.raises(InvalidRefreshToken):
        await door.sessions.refresh(f"{signed_in.session.id.hex}.")


async def test_a_user_who_is_no_live_service_gets_no_session() -> None:
    door, person, gone = Door(), a_user(), a_user(kind="service")
    gone.disable()
    await door.identity.save(person, gone)
    for user_id in (person.id, gone.id, uuid4()):
        with pytest.raises(Unauthenticated):
            await door.sessions.open_for_service(user_id)


async def test_a_session_is_revoked_once_by_its_user() -> None:
    door = Door()
    user = await door.user()
    session = (await door.log_in()).session
    with pytest.raises(SessionNotFound):
        await door.sessions.revoke(a_principal(), session.id)
    await door.sessions.revoke(a_principal(user.id), session.id)
    recorded = len(door.identity.events)
    await door.sessions.revoke(SYSTEM, session.id)
    assert len(door.identity.events) == recorded
    with pytest.raises(SessionNotFound):
        await door.sessions.revoke(SYSTEM, uuid4())


async def test_a_session_that_ended_is_not_found() -> None:
    door = Door()
    await door.user()
    session = (await door.log_in()).session
    assert isinstance(await door.sessions.find(SYSTEM, session.id), Session)
    door.fallen.sessions.add(session.id)
    with pytest.raises(SessionNotFound):
        await door.sessions.find(SYSTEM, session.id)
