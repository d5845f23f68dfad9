"""No right ends unnoticed: what a decision rested on and an event took away, the append asks again (ruling O7)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from adapters.log.append_batches import Append, take_batch
from adapters.postgres.arrays import send_arrays_in_binary
from domain.core.decisions import Decision
from domain.core.ports import AccessQuery, Operation
from domain.core.principal import Principal
from domain.core.recorded import Recorded
from domain.sessions.sessions import Session, SessionRevocation
from projections.access.authorization import AuthorizationProjection
from projections.access.checks import decide_many
from projections.access.rights import CurrentRights
from projections.core.visibility import readable_users
from projections.sessions.sessions import SessionEndsProjection, SessionsProjection, sessions_of
from tests.authorization.random_facts import chosen
from tests.authorization.random_worlds import COMMANDS, Command, RandomWorld
from tests.support.logins import application_dsn

pytestmark = pytest.mark.slow

OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "organization": ("read", "write"), "group": ("read", "write", "contain"), "individual": ("read", "write"),
}  # fmt: skip
STANDINGS = [
    AccessQuery("system", "x", "read"), AccessQuery("system", "x", "write"),
    AccessQuery("app.labs", "x", "read"), AccessQuery("app.courier", "x", "write"),
]  # fmt: skip
PEOPLED: list[Command] = [
    ("enter", 0, 0, 0), ("enter", 1, 0, 0), ("enter", 2, 0, 0), ("enter", 2, 1, 0), ("enter", 3, 1, 0),
    ("enter", 4, 0, 0), ("appoint", 0, 0, 0), ("appoint", 1, 0, 0), ("appoint", 3, 1, 0),
    ("group", 0, 1, 0), ("group", 0, 1, 0), ("group", 0, 1, 0), ("group", 1, 1, 0),
    ("share", 0, 0, 0), ("share", 1, 0, 0), ("share", 1, 1, 0), ("share", 2, 0, 0),
    ("individual", 0, 0, 0), ("individual", 0, 0, 0), ("individual", 1, 0, 0),
    ("place", 0, 0, 0), ("place", 1, 1, 0), ("place", 2, 2, 0), ("lead", 0, 1, 0), ("lead", 1, 2, 0),
    ("join_group", 1, 2, 0), ("join_group", 0, 3, 0), ("move", 1, 1, 0), ("move", 2, 2, 0),
    ("lend", 0, 1, 1), ("lend", 1, 2, 2), ("lend", 3, 4, 1),
]  # fmt: skip


class Lives(RandomWorld):
    """A random world whose people have sessions, and whose organizations become the operator's or cease to be."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Session] = []
        self.standing: list[Session] = []
        for number in range(len(self.people)):
            self.do_sign_in(number, 0, 0)

    @property
    def position(self) -> int:
        return self._position

    def do_sign_in(self, a: int, _: int, __: int) -> None:
        user = self.streams[self.people[a % len(self.people)]]
        session = Session.open(
            self._id(),
            user,
            organization_id=user.current_organization,
            position=self._position,
            kind="password",
            seconds=3600,
        )
        self.opened.append(session)
        self.standing.append(session)

    def do_sign_out(self, a: int, _: int, __: int) -> None:
        if self.standing:
            session = self.standing.pop(a % len(self.standing))
            self._save(SessionRevocation.create(session.id, session.user_id))

    def do_reclassify(self, a: int, b: int, _: int) -> None:
        organization = self.streams[[*self.organizations, self.operator][a % 3]]
        organization.change({"classification": "carium" if b % 2 else "customer"})
        self._save(organization)

    def do_lend_less(self, a: int, b: int, _: int) -> None:
        """Of what is lent to users, something for reading only or no longer."""
        lent = [(each, user) for each, facts in self.oracle.individuals.items() for user in sorted(facts.users)]
        if found := chosen(lent, a):
            self.do_lend(self._individuals().index(found[0]), self.people.index(found[1]), 3 if b % 2 else 2)

    def queries(self) -> list[AccessQuery]:
        """Every question there is."""
        asked = list(STANDINGS)
        for kind, operations in OPERATIONS.items():
            asked += [AccessQuery(kind, each, o) for each in (None, *self.oracle.things(kind)) for o in operations]
        return asked


class Rights(NamedTuple):
    """All there are: who may do what, who may read whom, and as what each session stands."""

    granted: set[tuple[UUID, AccessQuery]]
    readable: set[tuple[UUID, UUID]]
    callers: dict[UUID, Principal]

    def lost(self, now: "Rights", position: int) -> Iterator[Decision]:
        """Of each right that is not there any more, a decision that rests on it alone."""
        session = UUID(int=0)
        for user_id, query in self.granted - now.granted:
            decision = Decision(user_id, session, position)
            decision.rest_on(user_id, [query])
            yield decision
        for user_id, other in self.readable - now.readable:
            decision = Decision(user_id, session, position)
            decision.readable[user_id] = {other}
            yield decision
        for key, caller in self.callers.items():
            after = now.callers.get(key)
            if after is None or (caller.staff, caller.system) > (after.staff, after.system):
                yield caller.decision()


class Tables:
    """What the appends of a life leave."""

    def __init__(self, connection: AsyncConnection, life: Lives) -> None:
        self._connection = connection
        self._life = life

    async def append(self) -> list[Recorded]:
        """What happened since the last time, in one append."""
        events, cursor = self._life.taken(), self._connection.cursor()
        opened = [event for session in self._life.opened for event in session.collect_events()]
        self._life.opened.clear()
        await SessionsProjection().apply(cursor, [Recorded(1, event) for event in opened])
        for projection in (AuthorizationProjection(), SessionEndsProjection()):
            await projection.apply(cursor, [each for each in events if isinstance(each.event, projection.events)])
        await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        return events

    async def rights(self) -> Rights:
        cursor, people, queries = self._connection.cursor(), self._life.people, self._life.queries()
        answers = (await decide_many(cursor, people, queries)).allowed
        granted = {
            (user_id, query)
            for user_id, allowed in zip(people, answers, strict=True)
            for query, yes in zip(queries, allowed, strict=True)
            if yes
        }
        readable = {(user_id, other) for user_id in people for other in await readable_users(cursor, user_id, people)}
        rows = await sessions_of(cursor, [session.id for session in self._life.standing])
        callers = {
            row.session_id: Principal(
                row.user_id, row.session_id, row.organization_id, kind=row.kind, staff=row.staff,
                system=row.system, known_at=self._life.position,
            )
            for row in rows
            if row is not None and row.live
        }  # fmt: skip
        return Rights(granted, readable, callers)

    async def unnoticed(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Those that the append of a command would let pass."""
        rights, cursor = CurrentRights(), self._connection.cursor()
        await rights.ask(cursor, decisions)
        ended = await rights.ended(cursor, decisions)
        return [each for each in decisions if each not in ended]


def unordered(events: Sequence[Recorded], decisions: Sequence[Decision]) -> list[Decision]:
    """Those whose commands would be written in one batch with the events, though these end what they rest on."""
    ending = Append(uuid4(), [each.event for each in events], [], [], [], None)
    waiting = deque([ending, *(Append(uuid4(), [], [], [], [], None, decision=each) for each in decisions)])
    return [each.decision for each in take_batch(waiting, CurrentRights()) if each.decision is not None]


SELDOM_FELT = ("lend", "lend_less", "lend_less", "open", "open", "switch_organization", "reclassify")
LIVES = (*COMMANDS, *SELDOM_FELT, "sign_in", "sign_out")
NUMBERS = st.integers(0, 30)
ANY_COMMAND = st.tuples(st.sampled_from(LIVES), NUMBERS, NUMBERS, NUMBERS)


@pytest.fixture
def living(database_url: str) -> Iterator[Callable[[Sequence[Sequence[Command]]], None]]:
    """Runs lives, all on one connection, which plans its statements once."""
    with asyncio.Runner() as runner:
        connecting = AsyncConnection.connect(application_dsn(database_url), autocommit=True)
        connection = runner.run(connecting)
        send_arrays_in_binary(connection)
        yield lambda appends: runner.run(live(connection, appends))
        runner.run(connection.close())


@pytest.mark.timeout(300)
@settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(appends=st.lists(st.lists(ANY_COMMAND, min_size=1, max_size=3), min_size=10, max_size=30))
def test_every_event_that_ends_a_right_outdates_the_decision(
    living: Callable[[Sequence[Sequence[Command]]], None], appends: list[list[Command]]
) -> None:
    living(appends)


async def live(connection: AsyncConnection, appends: Sequence[Sequence[Command]]) -> None:
    """Compare all rights before and after each append."""
    async with connection.transaction(force_rollback=True):
        life = Lives()
        for command in PEOPLED:
            life.carry_out(command)
        tables = Tables(connection, life)
        await tables.append()
        before = await tables.rights()
        for commands in appends:
            position = life.position
            for command in commands:
                life.carry_out(command)
            events = await tables.append()
            after = await tables.rights()
            lost = list(before.lost(after, position))
            assert await tables.unnoticed(lost) == [], commands
            assert unordered(events, lost) == [], commands
            before = after
