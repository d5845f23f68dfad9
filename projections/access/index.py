"""A base set of everybody in the process, with a delta and tombstones: what makes long lists cheap (decision 0025).

Sets never change. Individuals whom the log names after the version of the base set get a tombstone in it: most of them
are in the delta, the last few are looked up in the tables. The log is read in the reader's own snapshot, so what is
found is exactly that of the snapshot, however old the base set is.
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


class Version(NamedTuple):
    """Where the log and the users' read model are, and which tables they are in: a rebuild makes others."""

    head: int
    users: int
    tables: list[int]

    @property
    def known(self) -> int:
        """The position up to which sets made here know everything; of what came after it they know a part."""
        return min(self.head, self.users)

    def follows(self, other: "Version") -> bool:
        """Return whether neither is further back than there."""
        return self.head >= other.head and self.users >= other.users


class Layer(NamedTuple):
    """Sets, and the tombstones in them: ranks of individuals who have changed since."""

    sets: Sets
    tombstones: BitMap


class View(NamedTuple):
    """All individuals: those in the layers, which share none, and those to look up in the tables."""

    layers: list[Layer]
    looked_up: list[UUID]


class _Delta(NamedTuple):
    version: Version
    sets: Sets


class AccessIndex:
    """A base set of everybody, a delta of those who changed, and tombstones; made by `load`.

    Several readers may use it at one time.
    """

    def __init__(self, version: Version, base: Sets, limits: ListLimits = LIMITS) -> None:
        self.limits = limits
        self._version = version
        self._base = base
        self._delta: _Delta | None = None
        self._read_to = version.known
        self._changed: dict[UUID, int] = {}  # with the position of the last event that may have changed them
        self._tombstones = BitMap()
        self._useless = False

    def __len__(self) -> int:
        return len(self._base.individuals)

    @property
    def needs_base(self) -> bool:
        """Whether a new base set is wanted, which `load` makes."""
        return self._useless or len(self._changed) > self.limits.changed

    @property
    def needs_delta(self) -> bool:
        """Whether a new delta is wanted, which `renew_delta` makes."""
        return len(self._not_in(self._delta)) > self.limits.outside_delta

    async def view(self, cursor: AsyncCursor) -> View | None:
        """Return what is true in the cursor's snapshot; None when only the tables know."""
        now = await _version(cursor)
        if not self._serves(now):
            return None
        await self._read_on(cursor, now.head)
        delta = self._delta if self._delta is not None and now.follows(self._delta.version) else None
        looked_up = self._not_in(delta)
        if len(looked_up) > self.limits.looked_up:
            return None
        base = Layer(self._base, self._tombstones.copy())
        if delta is None:
            return View([base], looked_up)
        return View([base, Layer(delta.sets, delta.sets.individuals.ranks(looked_up))], looked_up)

    async def renew_delta(self, connection: AsyncConnection) -> None:
        """Make a delta of all who have changed. The connection commits by itself."""
        async with _snapshot(connection) as cursor:
            now = await _version(cursor)
            if self._serves(now):
                await self._read_on(cursor, now.head)
                self._delta = _Delta(now, await sets_of(cursor, list(self._changed)))

    def _serves(self, now: Version) -> bool:
        """Return whether a snapshot of this version can be answered.

        One from before the base set cannot; none can when the base set is too old, or of tables that are gone.
        """
        if now.tables != self._version.tables or now.head - self._read_to > self.limits.behind:
            self._useless = True
        return not self._useless and now.follows(self._version)

    async def _read_on(self, cursor: AsyncCursor, head: int) -> None:
        """Remember who has changed up to the head; too many rather than too few."""
        if head <= self._read_to:
            return
        changed = await changed_individuals(cursor, self._read_to, head)
        self._tombstones |= self._base.individuals.ranks(each for each, _ in changed)
        for each, position in changed:
            self._changed[each] = max(position, self._changed.get(each, 0))
        self._read_to = max(self._read_to, head)

    def _not_in(self, delta: _Delta | None) -> list[UUID]:
        """Return those who may have changed after what the delta knows."""
        known = 0 if delta is None else delta.version.known
        return [each for each, position in self._changed.items() if position > known]


async def load(connection: AsyncConnection, limits: ListLimits = LIMITS) -> AccessIndex:
    """Return an index of now. The connection commits by itself."""
    async with _snapshot(connection) as cursor:
        return AccessIndex(await _version(cursor), await sets_of(cursor), limits)


async def changed_individuals(cursor: AsyncCursor, after: int, upto: int) -> list[tuple[UUID, int]]:
    """Return the individuals of whom events in (after, upto] may have changed the sets, each with the last position."""
    await cursor.execute(_CHANGED, {**_TELLING, "after": after, "upto": upto}, prepare=True)
    return await cursor.fetchall()


class Naming(NamedTuple):
    """Which field of an event names an individual, and which a user whose individuals it may change; None for neither.

    Rows of the sets are about individuals and about users as their owners: what names neither changes none of them.
    """

    individual: str | None
    user: str | None


def naming(kind: type[Event]) -> Naming:
    """Return what the fields of the class tell."""
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
    """Return the number of individuals."""
    cursor = await connection.execute("SELECT total FROM access_totals WHERE kind = 'individual'")
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _version(cursor: AsyncCursor) -> Version:
    """Return the version that the cursor's snapshot sees."""
    await cursor.execute(_VERSION, prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    return Version(*row)


_VERSION = f"""
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
