"""Sets of everybody in the process, and of those who have changed since: what makes long lists cheap (decision 0025).

Sets never change. Whoever the log names after the position they are of is taken out of them: most of these stand in
younger, small sets, the last few are looked up in the tables. The log is read in the reader's own snapshot, so what
is found is exactly that of the snapshot, however old the sets are.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, get_type_hints
from uuid import UUID

from eventsourcing.utils import get_topic
from psycopg import AsyncConnection, AsyncCursor
from pyroaring import BitMap

from domain.core.recorded import Event, families_of
from domain.people.users import User
from projections.access.authorization import AuthorizationProjection
from projections.access.limits import LIMITS, ListLimits
from projections.access.sets import TABLES, Sets, sets_of
from projections.people.users import UsersProjection


class Progress(NamedTuple):
    """Where the log and the users' read model are, and which tables they are in: a rebuild makes others."""

    head: int
    users: int
    tables: list[int]

    @property
    def known(self) -> int:
        """Sets made here know all that happened up to this position, and of what came after it not all."""
        return min(self.head, self.users)

    def follows(self, other: "Progress") -> bool:
        """Whether neither is further back than there."""
        return self.head >= other.head and self.users >= other.users


class Part(NamedTuple):
    """Sets, and the ranks in them that do not count any more."""

    sets: Sets
    gone: BitMap


class View(NamedTuple):
    """Everybody: those in the parts, which have nobody in common, and those of whom the tables have to be asked."""

    parts: list[Part]
    late: list[UUID]


class _Young(NamedTuple):
    made: Progress
    sets: Sets


class AccessIndex:
    """Made by `load`. Several readers may use it at one time."""

    def __init__(self, made: Progress, sets: Sets, limits: ListLimits = LIMITS) -> None:
        self.limits = limits
        self._made = made
        self._sets = sets
        self._young: _Young | None = None
        self._seen = made.known
        self._changed: dict[UUID, int] = {}  # with the position of the last event that may have changed them
        self._gone = BitMap()
        self._useless = False

    def __len__(self) -> int:
        return len(self._sets.individuals)

    @property
    def worn(self) -> bool:
        """Whether newer sets of everybody are wanted, which `load` makes."""
        return self._useless or len(self._changed) > self.limits.worn

    @property
    def aged(self) -> bool:
        """Whether younger sets of those who have changed are wanted, which `freshen` makes."""
        return len(self._late(self._young)) > self.limits.aged

    async def view(self, cursor: AsyncCursor) -> View | None:
        """What is true in the cursor's snapshot; None when only the tables know."""
        now = await _progress(cursor)
        if not self._serves(now):
            return None
        await self._read_on(cursor, now.head)
        young = self._young if self._young is not None and now.follows(self._young.made) else None
        late = self._late(young)
        if len(late) > self.limits.late:
            return None
        everybody = Part(self._sets, self._gone.copy())
        if young is None:
            return View([everybody], late)
        return View([everybody, Part(young.sets, young.sets.individuals.ranks(late))], late)

    async def freshen(self, connection: AsyncConnection) -> None:
        """Make younger sets of those who have changed. The connection commits by itself."""
        async with _snapshot(connection) as cursor:
            now = await _progress(cursor)
            if self._serves(now):
                await self._read_on(cursor, now.head)
                self._young = _Young(now, await sets_of(cursor, list(self._changed)))

    def _serves(self, now: Progress) -> bool:
        """Not a snapshot from before the sets; and when they are too old, or of tables that are gone, none at all."""
        if now.tables != self._made.tables or now.head - self._seen > self.limits.behind:
            self._useless = True
        return not self._useless and now.follows(self._made)

    async def _read_on(self, cursor: AsyncCursor, head: int) -> None:
        """Remember who has changed up to the head; too many rather than too few."""
        if head <= self._seen:
            return
        changed = await changed_individuals(cursor, self._seen, head)
        self._gone |= self._sets.individuals.ranks(each for each, _ in changed)
        for each, position in changed:
            self._changed[each] = max(position, self._changed.get(each, 0))
        self._seen = max(self._seen, head)

    def _late(self, young: _Young | None) -> list[UUID]:
        """Those who may have changed after what the younger sets know."""
        since = 0 if young is None else young.made.known
        return [each for each, position in self._changed.items() if position > since]


async def load(connection: AsyncConnection, limits: ListLimits = LIMITS) -> AccessIndex:
    """An index of now. The connection commits by itself."""
    async with _snapshot(connection) as cursor:
        return AccessIndex(await _progress(cursor), await sets_of(cursor), limits)


async def changed_individuals(cursor: AsyncCursor, after: int, upto: int) -> list[tuple[UUID, int]]:
    """Individuals of whom events in (after, upto] may have changed what the sets hold, with the last such position."""
    await cursor.execute(_CHANGED, {**_TELLING, "after": after, "upto": upto}, prepare=True)
    return await cursor.fetchall()


class Naming(NamedTuple):
    """Which field of an event names an individual, and which a user whose individuals it may change; None for neither.

    Rows of the sets are about individuals and about users as their owners: what names neither changes none of them.
    """

    individual: str | None
    user: str | None


def naming(kind: type[Event]) -> Naming:
    """Told by the fields that the class has."""
    fields = get_type_hints(kind).keys()
    individual = next((name for name in ("individual_id", "subject_id") if name in fields), None)
    if kind in _OF_USERS:
        return Naming(individual, "originator_id")
    return Naming(individual, "user_id" if "user_id" in fields else None)


@asynccontextmanager
async def _snapshot(connection: AsyncConnection) -> AsyncIterator[AsyncCursor]:
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection.cursor()


async def how_many(connection: AsyncConnection) -> int:
    """Individuals that there are."""
    cursor = await connection.execute("SELECT total FROM access_totals WHERE kind = 'individual'")
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _progress(cursor: AsyncCursor) -> Progress:
    """As the cursor's snapshot sees it."""
    await cursor.execute(_STANDING, prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    return Progress(*row)


_STANDING = f"""
SELECT position, coalesce((SELECT position FROM projections WHERE name = 'users'), 0),
       ARRAY[{", ".join(f"'{table}'::regclass" for table in TABLES)}]::bigint[]
FROM log_head WHERE log = 'identity'
"""

SOURCES = (AuthorizationProjection, UsersProjection)
"""The projections whose tables the sets are made from: what they look at may change the sets."""
_OF_USERS = frozenset(each for each in vars(User).values() if isinstance(each, type))
_NAMINGS = {
    get_topic(kind): naming(kind)
    for source in SOURCES
    for kind in families_of(source.events or ())
    if any(naming(kind))
}
_TELLING = {
    "topics": list(_NAMINGS),
    "individuals": [each.individual for each in _NAMINGS.values()],
    "users": [each.user for each in _NAMINGS.values()],
}

# Individuals that events are about, and those of users that events are about; told apart, because an individual may
# have the id of an organization. Looked up user by user, however the planner guesses their number.
_CHANGED = """
WITH named AS MATERIALIZED (
    SELECT (said ->> k.individual)::uuid AS individual_id,
           CASE k.name WHEN 'originator_id' THEN originator_id ELSE (said ->> k.name)::uuid END AS user_id,
           max(notification_id) AS position
    FROM events
    JOIN unnest(%(topics)s::text[], %(individuals)s::text[], %(users)s::text[]) AS k(topic, individual, name)
        USING (topic)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN k.individual IS NOT NULL OR k.name <> 'originator_id'
                    THEN convert_from(state, 'UTF8')::json END AS said) s
    WHERE notification_id > %(after)s AND notification_id <= %(upto)s
    GROUP BY 1, 2)
SELECT individual_id, position FROM named WHERE individual_id IS NOT NULL
UNION ALL SELECT own.individual_id, named.position FROM named CROSS JOIN LATERAL (
    SELECT individual_id FROM access_individuals WHERE owner_id = named.user_id OFFSET 0) own
"""
