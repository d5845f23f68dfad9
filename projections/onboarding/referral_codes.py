"""Referral codes and the requests that they lead to (inline), so that a code counts as soon as it is issued."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.codes import hash_of_code
from domain.core.recorded import Recorded
from domain.onboarding.referral_codes import ReferralCode
from domain.onboarding.requests import OnboardingRequest
from projections.core.fold import Fold, handler
from projections.core.projection import InlineProjection, WriteCursor
from projections.core.rows import Row, insert, update

VOID = "UPDATE referral_codes SET void = true WHERE request_id = ANY(%s) AND channel = 'email'"


class ReferralCodesFold(Fold):
    """New codes and requests, what changed in requests, and the requests whose earlier codes by e-mail are void."""

    def __init__(self) -> None:
        self.codes: dict[UUID, dict[str, Any]] = {}
        self.created: list[Row] = []
        self.users: dict[UUID, Row] = {}
        self.states: dict[UUID, Row] = {}
        self.void: set[UUID] = set()

    @handler
    def create(self, event: OnboardingRequest.Created) -> None:
        self.created.append(
            {
                "request_id": event.originator_id,
                "organization_id": event.organization_id,
                "user_id": event.user_id,
                "registering": False,
                "claimed": False,
            }
        )

    @handler
    def issue(self, event: OnboardingRequest.InvitationIssued) -> None:
        self.codes[event.message_id] = {
            "message_id": event.message_id,
            "request_id": event.originator_id,
            "code_hash": event.code_hash,
            "channel": event.channel,
            "expires_at": event.timestamp + timedelta(seconds=event.lifetime),
            "void": False,
        }

    @handler
    def readdress(self, event: OnboardingRequest.Readdressed) -> None:
        request_id = event.originator_id
        self._concern(event)
        self.void.add(request_id)
        for code in self.codes.values():
            if code["request_id"] == request_id and code["channel"] == "email":
                code["void"] = True

    @handler
    def repoint(self, event: OnboardingRequest.Repointed) -> None:
        self._concern(event)

    @handler
    def start(self, event: OnboardingRequest.RegistrationStarted) -> None:
        self._become(event.originator_id, registering=True, claimed=False)

    @handler
    def claim(self, event: OnboardingRequest.Claimed) -> None:
        self._become(event.originator_id, registering=False, claimed=True)

    def _concern(self, event: OnboardingRequest.Readdressed | OnboardingRequest.Repointed) -> None:
        self.users[event.originator_id] = {"request_id": event.originator_id, "user_id": event.user_id}
        self._become(event.originator_id, registering=False, claimed=False)

    def _become(self, request_id: UUID, **state: bool) -> None:
        self.states[request_id] = {"request_id": request_id, **state}


class ReferralCodesProjection(InlineProjection):
    """The codes that were there before the batch are made void before those of the batch are inserted."""

    name = "referral_codes"
    tables = ("referral_codes", "claimable_requests")
    events = ReferralCodesFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await ReferralCodesFold().add_all(events)
        await insert(cursor, "claimable_requests", fold.created)
        await update(cursor, "claimable_requests", ("request_id",), fold.users.values())
        await update(cursor, "claimable_requests", ("request_id",), fold.states.values())
        if fold.void:
            await cursor.execute(VOID, [list(fold.void)])
        await insert(cursor, "referral_codes", fold.codes.values())


async def valid_code(cursor: AsyncCursor, code: str) -> ReferralCode | None:
    """Return what the code as it was typed leads to; None for one that is unknown, expired or void.

    The code of a claimed request still leads to it.
    """
    await cursor.execute(
        """
        SELECT c.message_id, c.request_id, r.organization_id, r.claimed
        FROM referral_codes c JOIN claimable_requests r USING (request_id)
        WHERE c.code_hash = %s AND NOT c.void AND c.expires_at > %s
        """,
        [hash_of_code(code), datetime.now(UTC)],
        prepare=True,
    )
    row = await cursor.fetchone()
    return None if row is None else ReferralCode(*row)


async def unclaimed_requests(cursor: AsyncCursor, user_id: UUID) -> list[UUID]:
    """Return the unclaimed requests about the user, by id."""
    await cursor.execute(
        "SELECT request_id FROM claimable_requests WHERE user_id = %s AND NOT claimed ORDER BY 1",
        [user_id],
        prepare=True,
    )
    return [row[0] for row in await cursor.fetchall()]
