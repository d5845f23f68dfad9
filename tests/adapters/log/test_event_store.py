"""The log: order, conflicts, guards, inline projections, lost connections."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncCursor
from structlog.testing import capture_logs

from adapters.log.event_store import EventStore
from adapters.metrics import SNAPSHOT_FAILURES
from domain.access.roles import Role
from domain.core.audited import AuditContext, audited_as
from domain.core.errors import Conflict, DomainError, LostRace, NotFound
from domain.core.idempotency import IdempotentRequest, Recording, recording
from domain.core.personal import Personal
from domain.core.recorded import Event, Recorded
from domain.organizations.organizations import Organization, OrganizationNameTaken
from domain.people.users import User
from tests.support.stores import a_pool, a_store, waits_for_a_lock


def a_role(name: str = "org.admin") -> Role:
    return Role(organization_id=uuid4(), name=name, display_name=name)


def a_user(email: str | None = None) -> User:
    user_id = uuid4()
    return User._create(
        User.Created,
        id=user_id,
        kind="person",
        classification="customer",
        individual_id=None,
        email=Personal(user_id, email) if email else None,
        phone=None,
        username=None,
        first_name=None,
        last_name=None,
        provisional_in=None,
    )


def positions(database_url: str) -> list[int]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT notification_id FROM events ORDER BY 1").fetchall()
    return [row[0] for row in rows]


async def test_an_append_may_be_larger_than_what_a_socket_holds(database_url: str) -> None:
    async with a_store(database_url) as store:
        assert await asyncio.wait_for(store.save(*(a_role() for _ in range(10_000))), 15) == 10_000


async def test_an_aggregate_comes_back_as_its_events_made_it(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, holder = a_role(), uuid4()
        role.grant(holder, live=True)
        assert await store.save(role) == 2
        found = await store.get(Role, role.id)
        assert (found.holders, found.version, found.organization_id) == ({holder: True}, 2, role.organization_id)


async def test_what_is_of_another_kind_is_not_found(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, user = a_role(), a_user()
        await store.save(role, user)
        assert await store.find(User, role.id) is None
        assert set(await store.get_many(Role, [role.id, user.id])) == {role.id}
        assert await store.find_each((User, role.id), (User, user.id), (Role, user.id)) == (None, user, None)


async def test_what_has_no_events_is_not_found(database_url: str) -> None:
    async with a_store(database_url) as store:
        assert await store.find(Role, uuid4()) is None
        with pytest.raises(NotFound):
            await store.get(Role, uuid4())


async def test_saving_nothing_answers_the_head(database_url: str) -> None:
    async with a_store(database_url) as store:
        assert await store.save() == 0
        await store.save(a_role())
        assert await store.save() == 1


async def test_the_circumstances_stand_on_the_event_and_in_its_row(database_url: str) -> None:
    actor, session = uuid4(), uuid4()
    async with a_store(database_url) as store:
        with audited_as(AuditContext(actor=actor, session=session, correlation="request-1")):
            role = a_role()
        await store.save(role)
        assert (await store.get(Role, role.id)).id == role.id
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT actor, organization_id, correlation_id, topic FROM events").fetchone()
    assert row == (actor, role.organization_id, "request-1", "role.created")


async def test_of_two_decisions_on_one_state_the_second_loses(database_url: str) -> None:
    async with a_store(database_url) as store:
        role = a_role()
        await store.save(role)
        first, second = await store.get(Role, role.id), await store.get(Role, role.id)
        first.grant(uuid4(), live=True)
        second.grant(uuid4(), live=True)
        await store.save(first)
        with pytest.raises(LostRace):
            await store.save(second)


async def a_decision_on_what_has_changed(store: EventStore) -> tuple[Role, User]:
    """A role given to a user, and the user as he was before he was disabled."""
    user, role = a_user(), a_role()
    await store.save(user, role)
    seen = await store.get(User, user.id)
    user._disabled()
    await store.save(user)
    role.grant(user.id, live=True)
    return role, seen


async def test_a_decision_loses_when_what_it_rests_on_has_changed(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, seen = await a_decision_on_what_has_changed(store)
        with pytest.raises(LostRace):
            await store.save(role, unchanged=[seen])
        assert (await store.get(Role, role.id)).holders == {}


async def test_a_decision_loses_in_whatever_company_it_is_written(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, seen = await a_decision_on_what_has_changed(store)
        outcomes = await asyncio.gather(
            *(store.save(a_role()) for _ in range(5)), store.save(role, unchanged=[seen]), return_exceptions=True
        )
        assert isinstance(outcomes[-1], LostRace)
        assert (await store.get(Role, role.id)).holders == {}
    assert positions(database_url) == list(range(1, 9))


async def test_nobody_pays_for_a_neighbours_conflict(database_url: str) -> None:
    async with a_store(database_url) as store:
        role = a_role()
        await store.save(role)
        stale = await store.get(Role, role.id)
        role.grant(uuid4(), live=True)
        await store.save(role)
        stale.grant(uuid4(), live=True)
        others = [a_role() for _ in range(20)]
        outcomes = await asyncio.gather(
            store.save(stale), *(store.save(other) for other in others), return_exceptions=True
        )
    assert isinstance(outcomes[0], LostRace)
    assert sorted(outcomes[1:]) == list(range(3, 23))  # type: ignore[type-var]
    assert positions(database_url) == list(range(1, 23))


class Names:
    """Organization names are unique; a name "poison" cannot be projected."""

    name: ClassVar[str] = "names"
    version: ClassVar[int] = 1
    events: ClassVar[tuple[type[Event], ...] | None] = (Organization.Created,)
    unique_violations: ClassVar[dict[str, type[DomainError]]] = {"names_pkey": OrganizationNameTaken}

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        for recorded in events:
            event = recorded.event
            assert isinstance(event, Organization.Created)
            if event.name == "poison":
                await cursor.execute("SELECT 1 / 0")
            await cursor.execute("INSERT INTO names (name, position) VALUES (%s, %s)", (event.name, recorded.position))


def an_organization(name: str) -> Organization:
    return Organization(
        name=name,
        display_name=name,
        classification="customer",
        provider_type="coach",
        timezone="UTC",
        authorization_type="restricted",
    )


def make_names_table(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE names (name text PRIMARY KEY, position bigint)")
        connection.execute("GRANT SELECT, INSERT ON names TO rollbook_app")


async def test_inline_rows_stand_in_the_appends_own_transaction(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        await asyncio.gather(*(store.save(an_organization(f"org-{number}")) for number in range(30)))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT n.position = e.notification_id FROM names n JOIN events e ON e.notification_id = n.position"
        ).fetchall()
    assert rows == [(True,)] * 30


async def test_an_append_whose_inline_projection_fails_leaves_nothing(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        good, bad = an_organization("good"), an_organization("poison")
        outcomes = await asyncio.gather(store.save(bad), store.save(good), return_exceptions=True)
        assert isinstance(outcomes[0], psycopg.errors.DivisionByZero)
        assert outcomes[1] == 1
        assert await store.find(Organization, bad.id) is None
    assert positions(database_url) == [1]


async def test_what_is_unique_is_taken_once(database_url: str) -> None:
    make_names_table(database_url)
    async with a_store(database_url, projections=[Names()]) as store:
        outcomes = await asyncio.gather(
            *(store.save(an_organization("same")) for _ in range(8)), return_exceptions=True
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["OrganizationNameTaken"] * 7 + ["int"]


async def test_a_violation_that_no_projection_declares_is_no_refusal(database_url: str) -> None:
    make_names_table(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE names ADD CONSTRAINT names_short CHECK (length(name) < 5)")
        connection.execute("CREATE UNIQUE INDEX names_undeclared ON names (lower(name))")
    async with a_store(database_url, projections=[Names()]) as store:
        await store.save(an_organization("same"))
        for name, violation in [("Same", psycopg.errors.UniqueViolation), ("longer", psycopg.errors.CheckViolation)]:
            with pytest.raises(violation):
                await store.save(an_organization(name))


async def test_a_log_whose_head_is_wrong_refuses_nothing_as_taken(database_url: str) -> None:
    """As after a restore of some tables alone: it is an error of ours, and nothing that a caller could mend."""
    async with a_store(database_url) as store:
        await store.save(a_role())
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE log_head SET position = 0")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await store.save(a_role())


async def test_personal_values_come_back_and_do_not_stand_in_the_log(database_url: str) -> None:
    async with a_store(database_url) as store:
        user = a_user("ada@example.org")
        await store.save(user)
        found = await store.get(User, user.id)
        assert found.email == Personal(user.id, "ada@example.org")
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT state FROM events").fetchone()
    assert row is not None
    assert b"ada" not in row[0]


async def test_an_erased_person_stays_readable_as_nobody(database_url: str) -> None:
    async with a_pool(database_url) as pool, a_store(database_url) as store:
        user = a_user("ada@example.org")
        await store.save(user)
        await store._codec._keyring.destroy(user.id)
        found = await store.get(User, user.id)
        assert found.email == Personal(user.id, None)
        found._disabled()
        await store.save(found)
        assert pool


def a_role_held_by_many() -> tuple[Role, list[UUID]]:
    """By so many that a snapshot is due."""
    role, holders = a_role(), [uuid4() for _ in range(150)]
    for holder in holders:
        role.grant(holder, live=True)
    return role, holders


async def test_a_snapshot_answers_as_the_events_would(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, holders = a_role_held_by_many()
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        found = await store.get(Role, role.id)
        assert found.holders == dict.fromkeys(holders, True)
        assert (found.version, found.created_on, found.modified_on) == (151, role.created_on, role.modified_on)
        found.grant(uuid4(), live=False)
        await store.save(found)
        assert len((await store.get(Role, role.id)).holders) == 151
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT originator_version FROM snapshots").fetchall() == [(151,)]


async def test_streams_that_are_read_together_each_come_back_whole(database_url: str) -> None:
    async with a_store(database_url) as store:
        roles = [a_role() for _ in range(9)]
        for number, role in enumerate(roles):
            for _ in range(110 if number % 2 else 20):
                role.grant(uuid4(), live=True)
            await store.save(role)
        await asyncio.gather(*store._snapshotting)
        for role in roles:
            for _ in range(25):
                role.grant(uuid4(), live=False)
        await store.save(*roles)
        found = await store.get_many(Role, [role.id for role in roles])
        assert {each.id: (each.version, each.holders) for each in found.values()} == {
            role.id: (role.version, role.holders) for role in roles
        }


async def test_a_snapshot_is_of_what_was_saved_and_not_of_what_was_decided_since(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, holders = a_role_held_by_many()
        await store.save(role)
        role.grant(uuid4(), live=True)
        await asyncio.gather(*store._snapshotting)
        found = await store.get(Role, role.id)
        assert (found.version, found.holders) == (151, dict.fromkeys(holders, True))


async def test_a_later_snapshot_takes_the_place_of_those_before(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, _ = a_role_held_by_many()
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        early = deepcopy(role)
        for _ in range(100):
            role.grant(uuid4(), live=True)
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        await store._snapshot(early)
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT originator_version FROM snapshots").fetchall() == [(251,)]
        assert len((await store.get(Role, role.id)).holders) == 250


async def test_a_snapshot_that_fails_is_told_and_costs_no_command(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("REVOKE INSERT ON snapshots FROM rollbook_app")
    failures = SNAPSHOT_FAILURES._value.get()
    with capture_logs() as said:
        async with a_store(database_url) as store:
            role, holders = a_role_held_by_many()
            await store.save(role)
            await asyncio.gather(*store._snapshotting)
            assert (await store.get(Role, role.id)).holders.keys() == set(holders)
    told = [line for line in said if line["event"] == "snapshot-failed"]
    assert [(line["aggregate"], line["reason"]) for line in told] == [("Role", "InsufficientPrivilege")]
    assert SNAPSHOT_FAILURES._value.get() == failures + 1


async def test_events_stand_in_the_order_in_which_they_happened(database_url: str) -> None:
    """Those of one command and those of commands that share a batch."""
    roles = [a_role() for _ in range(8)]
    for role in roles:
        for _ in range(3):
            role.grant(uuid4(), live=True)
    async with a_store(database_url) as store:
        answered = await asyncio.gather(*(store.save(role) for role in roles))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT originator_id, originator_version, notification_id FROM events ORDER BY notification_id"
        ).fetchall()
    for role, last in zip(roles, answered, strict=True):
        own = [(version, position) for stream, version, position in rows if stream == role.id]
        assert own == [(version, last - 4 + version) for version in (1, 2, 3, 4)]


async def test_positions_follow_the_order_of_commits(database_url: str) -> None:
    """The writer that asks first but commits last gets the later position, and no reader ever sees it earlier."""
    async with a_store(database_url) as store, await psycopg.AsyncConnection.connect(database_url) as rival:
        await rival.execute("UPDATE log_head SET position = position + 1 WHERE log = 'identity'")
        saving = asyncio.create_task(store.save(a_role()))
        await waits_for_a_lock(database_url)
        assert positions(database_url) == []
        await rival.execute(
            "INSERT INTO events (originator_id, originator_version, notification_id, topic, state)"
            " SELECT gen_random_uuid(), 1, position, 'role.created', '' FROM log_head WHERE log = 'identity'"
        )
        await rival.commit()
        assert await saving == 2
    assert positions(database_url) == [1, 2]


async def test_a_connection_killed_under_a_command_neither_loses_nor_doubles_it(database_url: str) -> None:
    async with a_store(database_url) as store:
        roles = [a_role() for _ in range(60)]

        async def kill_now_and_then() -> None:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
                for _ in range(10):
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    await asyncio.sleep(0.02)

        killing = asyncio.create_task(kill_now_and_then())
        outcomes = [await store.save(role) for role in roles]
        await killing
    assert outcomes == list(range(1, 61))
    assert positions(database_url) == list(range(1, 61))


def under(request: IdempotentRequest) -> AbstractContextManager[Recording]:
    return recording(Recording(request))


async def test_of_two_commands_under_one_idempotency_key_one_is_carried_out(database_url: str) -> None:
    user_id = uuid4()
    async with a_store(database_url) as store:
        with under(IdempotentRequest(user_id, "key", b"first")):
            assert await store.save(a_role()) == 1
            assert await store.save(a_role()) == 2
        with under(IdempotentRequest(user_id, "key", b"second")), pytest.raises(Conflict):
            await store.save(a_role())
    assert positions(database_url) == [1, 2]


async def test_a_key_is_remembered_with_positions_of_the_identity_log_only(database_url: str) -> None:
    async with a_store(database_url, log="sessions") as sessions, a_store(database_url) as store:
        with under(IdempotentRequest(uuid4(), "key", b"fingerprint")):
            await store.save(a_role())
            position = await store.save(a_role())
            await sessions.save(a_role())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT position FROM idempotency_keys").fetchall() == [(position,)]


async def test_what_is_committed_is_noted_and_its_result_remembered_with_it(database_url: str) -> None:
    made = uuid4()
    async with a_store(database_url) as store:
        with under(IdempotentRequest(uuid4(), "key", b"fingerprint", 201)) as recorded:
            await store.save(a_role(), a_role(), result=made)
            assert (recorded.position, recorded.resource_id, recorded.kinds) == (2, str(made), {Role.Created})
        with recording(Recording()) as unchanged:
            await store.save()
        assert (unchanged.position, unchanged.kinds) == (2, set())
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT status, resource_id, position FROM idempotency_keys").fetchall()
    assert kept == [(201, str(made), 2)]


async def test_of_two_commands_under_one_key_at_once_one_is_carried_out(database_url: str) -> None:
    """Also when both wait for the same batch."""
    user_id = uuid4()

    async def save_under_the_key(store: EventStore, fingerprint: bytes) -> int:
        with under(IdempotentRequest(user_id, "key", fingerprint)):
            return await store.save(a_role())

    async with a_store(database_url) as store:
        outcomes = await asyncio.gather(
            store.save(a_role()),  # keeps the writer busy
            *(save_under_the_key(store, fingerprint) for fingerprint in (b"first", b"second")),
            return_exceptions=True,
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "int", "int"]
    assert positions(database_url) == [1, 2]


async def test_each_command_of_a_batch_is_remembered_at_its_own_position(database_url: str) -> None:
    user_id, keys = uuid4(), [f"key-{number}" for number in range(5)]

    async def save_under(store: EventStore, key: str) -> int:
        with under(IdempotentRequest(user_id, key, b"fingerprint")):
            return await store.save(a_role(), a_role())

    async with a_store(database_url) as store:
        answered = await asyncio.gather(*(save_under(store, key) for key in keys))
    with psycopg.connect(database_url) as connection:
        remembered = connection.execute("SELECT key, position FROM idempotency_keys").fetchall()
    assert dict(remembered) == dict(zip(keys, answered, strict=True))
