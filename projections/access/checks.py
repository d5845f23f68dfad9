"""Checks: may these users do this? One user's questions are one statement, so one snapshot (ruling G16).

The same statement can look up the session of the caller who asks: that saves a round trip for each check.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import AccessQuery
from domain.core.turns import InTurns, in_turns
from projections.access.policy import APP, POLICIES, SYSTEM
from projections.core.rows import fetched
from projections.sessions.sessions import ASKED_SESSIONS, SessionRow

Kind = tuple[str, str, bool]
"""Type, operation, and whether it asks about a given resource."""
Question = tuple[int, UUID, UUID | None]
"""The place of its kind in the statement, the user, and the resource if one is given."""

SESSION = -1
"""The place of rows that are sessions."""

# The arrays stand in SELECTs so that their lengths do not enter the plan: Postgres takes one whose length it does not
# know for ten, finds that plan dearer than one for the ids at hand, and plans each check anew (2.5 ms, not 0.2 ms).
_PAIRS = "unnest((SELECT %(users{place})b::uuid[]), (SELECT %(ids{place})b::uuid[])) AS asked(user_id, resource_id)"
_USERS = "unnest((SELECT %(users{place})b::uuid[])) AS asked(user_id)"

_GIVEN = """
SELECT {place}::smallint, u.user_id, r.{key}{padding}
FROM {asked} JOIN access_users u USING (user_id), {source}
WHERE r.{key} = asked.resource_id AND u.live
  AND ({everyone} OR EXISTS (
    SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id AND granted.resource_id = r.{key}))"""

_ANY = """
SELECT {place}::smallint, u.user_id, NULL::uuid{padding}
FROM {asked} JOIN access_users u USING (user_id)
WHERE u.live
  AND ((u.unlimited OR u.staff) AND EXISTS (SELECT FROM {source} WHERE {everyone})
    OR EXISTS (SELECT FROM ({grants}) granted WHERE granted.user_id = u.user_id))"""

_OF_THE_USER = """
SELECT {place}::smallint, u.user_id, NULL::uuid{padding}
FROM {asked} JOIN access_users u USING (user_id)
WHERE u.live AND ({condition})"""

# The position stands in the same snapshot, so an answer costs one round trip and no transaction.
_WITH_POSITION = """
SELECT head.position, found.* FROM log_head head LEFT JOIN ({branches}
) AS found(place) ON true WHERE head.log = 'identity'"""

_SESSIONS = ASKED_SESSIONS.format(place=f"{SESSION}::smallint, ", position="")
_PADDING = (
    ", NULL::uuid, NULL::text, NULL::timestamptz, NULL::boolean, NULL::boolean, NULL::boolean, NULL::integer"
    ", NULL::uuid, NULL::uuid, NULL::timestamptz"
)
"""In place of the columns that a session has beside its user and its id."""

_HEAD = "SELECT position FROM log_head WHERE log = 'identity'"


class Asked(NamedTuple):
    """Queries about a user, and the session that is to be looked up with them."""

    user_id: UUID
    queries: Sequence[AccessQuery]
    session_id: UUID | None = None


class Decided(NamedTuple):
    """One answer per query, and the session that was asked for, if there is one: all as of this position."""

    position: int
    allowed: list[bool]
    session: SessionRow | None = None


class Decisions(NamedTuple):
    """For each user, in order, one answer per query, all as of this position."""

    position: int
    allowed: list[list[bool]]


async def decide(cursor: AsyncCursor, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
    """Return one answer per query; of an unknown user or resource it is false."""
    (decided,) = await decide_each(cursor, [Asked(user_id, queries)])
    return decided.allowed


async def decide_many(cursor: AsyncCursor, user_ids: Sequence[UUID], queries: Sequence[AccessQuery]) -> Decisions:
    """Return the answers to the same queries for each of the users, all from one snapshot."""
    found = await decide_each(cursor, [Asked(user_id, queries) for user_id in user_ids])
    return Decisions(found[0].position if found else await head(cursor), [each.allowed for each in found])


async def decide_each(cursor: AsyncCursor, asked: Sequence[Asked]) -> list[Decided]:
    """Return the answers to each, in order. One statement answers all that ask for the same kinds of things."""
    alike: dict[tuple[tuple[Kind, ...], bool], list[int]] = {}
    for number, each in enumerate(asked):
        kinds = tuple(sorted({_kind(query) for query in each.queries}))
        alike.setdefault((kinds, each.session_id is not None), []).append(number)
    found: dict[int, Decided] = {}
    for (kinds, _), numbers in alike.items():
        found |= zip(numbers, await _decide_alike(cursor, kinds, [asked[number] for number in numbers]), strict=True)
    return [found[number] for number in range(len(asked))]


async def head(cursor: AsyncCursor) -> int:
    """Return the position of the last committed event."""
    await cursor.execute(_HEAD, prepare=True)
    (position,) = await cursor.fetchone() or (0,)
    return int(position)


async def _decide_alike(cursor: AsyncCursor, kinds: tuple[Kind, ...], asked: Sequence[Asked]) -> list[Decided]:
    sessions = {each.session_id for each in asked} - {None}
    if not kinds and not sessions:
        return [Decided(await head(cursor), []) for _ in asked]
    places = {kind: place for place, kind in enumerate(kinds)}
    queries = [(each.user_id, query) for each in asked for query in each.queries]
    questions = await in_turns(lambda query: _question(places, *query), queries)
    parameters = await _parameters(kinds, questions)
    parameters["sessions"] = list(sessions)
    await cursor.execute(_statement(kinds, with_sessions=bool(sessions)), parameters, prepare=True)
    rows = await fetched(cursor)
    allowed: set[Any] = set()
    async for found in InTurns(rows):
        allowed.update(row[1:4] for row in found)
    answers = iter(await in_turns(allowed.__contains__, questions))
    position = rows[0][0]
    known = {row[3]: SessionRow._make((*row[2:], position)) for row in rows if row[1] == SESSION} if sessions else {}
    return [Decided(position, list(islice(answers, len(each.queries))), known.get(each.session_id)) for each in asked]


def _question(places: dict[Kind, int], user_id: UUID, query: AccessQuery) -> Question:
    kind = _kind(query)
    return places[kind], user_id, query.resource_id if isinstance(query.resource_id, UUID) else None


async def _parameters(kinds: Sequence[Kind], questions: Iterable[Question]) -> dict[str, Any]:
    parameters: dict[str, Any] = {f"name{place}": kind[0].removeprefix("app.") for place, kind in enumerate(kinds)}
    for place in range(len(kinds)):
        parameters[f"users{place}"], parameters[f"ids{place}"] = [], []
    met: set[Question] = set()
    async for some in InTurns(questions):
        fresh = dict.fromkeys(question for question in some if question not in met)
        met.update(fresh)
        for place, user_id, resource_id in fresh:
            parameters[f"users{place}"].append(user_id)
            parameters[f"ids{place}"].append(resource_id)
    return parameters


def _kind(query: AccessQuery) -> Kind:
    return query.resource_type, query.operation, isinstance(query.resource_id, UUID)


@lru_cache(maxsize=256)
def _statement(kinds: tuple[Kind, ...], *, with_sessions: bool) -> str:
    padding = _PADDING if with_sessions else ""
    branches = [_branch(kind, place, padding) for place, kind in enumerate(kinds)]
    return _WITH_POSITION.format(branches="\nUNION ALL".join([_SESSIONS, *branches] if with_sessions else branches))


def _branch(kind: Kind, place: int, padding: str) -> str:
    resource_type, operation, given = kind
    asked = (_PAIRS if given else _USERS).format(place=place)
    policy = POLICIES.get((resource_type, operation))
    if policy is not None:
        return (_GIVEN if given else _ANY).format(place=place, asked=asked, padding=padding, **vars(policy))
    condition = SYSTEM[operation] if resource_type == "system" else APP.format(name=f"%(name{place})s")
    return _OF_THE_USER.format(place=place, asked=asked, padding=padding, condition=condition)
