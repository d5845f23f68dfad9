"""Comparison of the rights that decisions rest on, by the store, under the lock of the append.

First the positions that `AccessFold` keeps are compared: where the user, or anybody with rights in one of their
organizations, last lost something. Only of decisions that are in doubt after that are the rights looked at again, so
that a roster which is being emptied does not hold up those who have nothing to do with it.
"""

from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.decisions import Decision, Losses
from domain.core.ports import AccessQuery
from domain.core.recorded import Event, Recorded
from domain.sessions.sessions import SessionRevocation
from projections.access.checks import Asked, decide_each
from projections.access.fold import AccessFold
from projections.core.visibility import readable_users

# Staff and system administrators have rights in every organization. The arrays are in SELECTs so that their
# lengths do not enter the plan: see `projections.access.checks`.
_DOUBTED = """
SELECT asked.place, u.lost_at_position > asked.position OR r.session_id IS NOT NULL
FROM unnest((SELECT %(actors)b::uuid[]), (SELECT %(sessions)b::uuid[]), (SELECT %(positions)b::bigint[]))
     WITH ORDINALITY AS asked(user_id, session_id, position, place)
JOIN access_users u USING (user_id)
LEFT JOIN revoked_sessions r USING (session_id)
WHERE u.lost_at_position > asked.position OR r.session_id IS NOT NULL
   OR EXISTS (SELECT FROM organization_users m JOIN access_organizations o USING (organization_id)
              WHERE m.user_id = asked.user_id AND o.lost_at_position > asked.position)
   OR (u.unlimited OR u.staff)
      AND EXISTS (SELECT FROM access_organizations o WHERE o.lost_at_position > asked.position)
UNION ALL
SELECT seen.place, false
FROM unnest((SELECT %(places)b::bigint[]), (SELECT %(users)b::uuid[])) AS seen(place, user_id)
JOIN access_users u USING (user_id)
WHERE u.lost_at_position > ((SELECT %(positions)b::bigint[]))[seen.place]
UNION ALL
SELECT opened.place, true
FROM unnest((SELECT %(impersonated)b::bigint[]), (SELECT %(impersonators)b::uuid[]), (SELECT %(origins)b::uuid[]))
     AS opened(place, user_id, session_id)
JOIN access_users u USING (user_id)
LEFT JOIN revoked_sessions r USING (session_id)
WHERE u.lost_at_position > ((SELECT %(positions)b::bigint[]))[opened.place] OR r.session_id IS NOT NULL
"""


class CurrentRights:
    """Implements `adapters.log.append_batches.Rights` over the tables kept in the appends' own transactions."""

    def losses(self, events: Sequence[Event]) -> Losses:
        """Return what events that are not in the tables yet take away."""
        fold = AccessFold()
        ended = set()
        for event in events:
            fold.add(Recorded(0, event))
            if isinstance(event, SessionRevocation.Created):
                ended.add(event.session_id)
        return Losses(frozenset(ended.union(fold.losing_users, fold.removed_individuals)), fold.any_right_lost)

    async def ask(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> None:
        """Ask which decisions something was taken from since, without waiting for the answer."""
        seen = [(place, user_id) for place, each in enumerate(decisions, 1) for user_id in _seen(each)]
        impersonated = [(place, each) for place, each in enumerate(decisions, 1) if each.impersonator is not None]
        await cursor.execute(
            _DOUBTED,
            {
                "actors": [each.actor for each in decisions],
                "sessions": [each.session for each in decisions],
                "positions": [each.position for each in decisions],
                "places": [place for place, _ in seen],
                "users": [user_id for _, user_id in seen],
                "impersonated": [place for place, _ in impersonated],
                "impersonators": [each.impersonator for _, each in impersonated],
                "origins": [each.opened_from for _, each in impersonated],
            },
            prepare=True,
        )

    async def ended(self, cursor: AsyncCursor, decisions: Sequence[Decision]) -> list[Decision]:
        """Return the decisions that have lost a right; `cursor` is the one that asked.

        A caller's own loss counts whatever it was: they may have lost what they are, not a right alone.
        """
        rows = await cursor.fetchall()
        lost = {place for place, certain in rows if certain}
        always = {place for place, each in enumerate(decisions, 1) if each.always_rechecked}
        doubted = {place for place, _ in rows}.union(always) - lost
        ended = [decisions[place - 1] for place in sorted(lost)]
        return ended + await _refused(cursor, [decisions[place - 1] for place in sorted(doubted)])


async def _refused(cursor: AsyncCursor, decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions of whose rights one is gone."""
    asked: list[tuple[Decision, Asked]] = []
    for decision in decisions:
        queries: dict[UUID, list[AccessQuery]] = {}
        for user_id, query in decision.granted:
            queries.setdefault(user_id, []).append(query)
        asked += [(decision, Asked(user_id, granted)) for user_id, granted in queries.items()]
    answers = await decide_each(cursor, [each for _, each in asked])
    refused = {decision for (decision, _), answer in zip(asked, answers, strict=True) if not all(answer.allowed)}
    for decision in decisions:
        for caller_id, user_ids in decision.readable.items():
            if decision not in refused and not user_ids <= await readable_users(cursor, caller_id, user_ids):
                refused.add(decision)
    return list(refused)


def _seen(decision: Decision) -> set[UUID]:
    return set().union(*decision.readable.values())
