"""Onboarding requests as lists and detail pages show them (background)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import dict_row

from domain.core.messages import Channel
from domain.core.personal import revealed
from domain.core.recorded import Recorded
from domain.onboarding.invitations import OnboardType
from domain.onboarding.invites import Invite, InviteStatus
from domain.onboarding.requests import OnboardingRequest, Status, status_of
from domain.people.login_names import LoginName, LoginNames, email_key, names_of
from projections.core.fold import Fold, handler
from projections.core.projection import PersonalColumns, Projection
from projections.core.rows import upsert

COLUMNS = (
    "request_id", "organization_id", "onboard_type", "user_id", "email", "phone", "email_key", "phone_key",
    "username_key", "provider_roles", "created_by", "created_at",
    "invited", "registering_at", "claimed_at", "claimed_by", "patient_id",
    "email_invite", "sms_invite",
)  # fmt: skip
TABLE = "onboarding_requests"
MOST_NAMED = 100
"""Requests that a look-up by name considers."""
CHANNELS: tuple[Channel, ...] = ("email", "sms")
NOTHING_YET = dict.fromkeys(("registering_at", "claimed_at", "claimed_by", "patient_id", "email_invite", "sms_invite"))


class InviteRow(NamedTuple):
    """The last invitation over a channel. It is void if it went to a former address of the person."""

    id: UUID
    created_at: datetime
    status: InviteStatus
    error: str | None
    responded_at: datetime | None
    void: bool

    @classmethod
    def of(cls, invite: Invite | None) -> "InviteRow | None":
        """Return the row of an invitation from the log."""
        if invite is None:
            return None
        return cls(invite.id, invite.created_at, invite.status, invite.reason, invite.responded_at, invite.void)

    @classmethod
    def parsed(cls, stored: dict[str, Any] | None) -> "InviteRow | None":
        """Return the row of an invitation from the table."""
        if stored is None:
            return None
        responded = stored["responded_at"]
        return cls(
            UUID(stored["id"]),
            datetime.fromisoformat(stored["created_at"]),
            stored["status"],
            stored["error"],
            None if responded is None else datetime.fromisoformat(responded),
            stored.get("void", False),  # rows of earlier versions have none
        )


@dataclass(frozen=True)
class RequestRow:
    """A request as it is shown. `patient_id` is None until the claim."""

    request_id: UUID
    organization_id: UUID
    onboard_type: OnboardType
    email: str | None
    phone: str | None
    provider_roles: list[str]
    created_by: UUID | None
    created_at: datetime
    invited: bool
    registering_at: datetime | None
    claimed_at: datetime | None
    claimed_by: UUID | None
    patient_id: UUID | None
    email_invite: InviteRow | None
    sms_invite: InviteRow | None

    @classmethod
    def of(cls, request: OnboardingRequest) -> "RequestRow":
        """Return the row of a request from the log, for the answer to a command."""
        email, phone, _ = request.names.revealed
        last = request.last_invites
        return cls(
            request.id, request.organization_id, request.onboard_type, email, phone, request.provider_roles,
            request.created_by, request.created_on, request.invited, request.registering_at, request.claimed_at,
            request.claimed_by, request.individual_id if request.done else None, InviteRow.of(last.get("email")),
            InviteRow.of(last.get("sms")),
        )  # fmt: skip

    @property
    def done(self) -> bool:
        """Return whether the request is claimed."""
        return self.claimed_at is not None

    @property
    def status(self) -> Status:
        """Return the contract's status of the request."""
        return status_of(claimed=self.done, registering=self.registering_at is not None, invited=self.invited)


SHOWN = ", ".join(field.name for field in fields(RequestRow))


class RequestFilter(NamedTuple):
    """Which requests a list shows; `email` is compared without case, `patients` are individuals that it shows."""

    organization_id: UUID
    onboard_type: OnboardType
    email: str | None = None
    patients: Sequence[UUID] = ()

    def conditions(self) -> str:
        """Return the conditions on rows."""
        found = ["organization_id = %(organization)s", "onboard_type = %(type)s"]
        if self.email is not None:
            found.append("email_key = %(email)s")
        if self.patients:
            found.append("patient_id = ANY(%(patients)s)")
        return " AND ".join(found)

    def parameters(self) -> dict[str, Any]:
        """Return what the conditions refer to."""
        email = None if self.email is None else email_key(self.email)
        return {
            "organization": self.organization_id, "type": self.onboard_type, "email": email,
            "patients": list(self.patients),
        }  # fmt: skip


class OnboardingRequestsFold(Fold):
    """The rows of requests as a batch leaves them, from those that it may change as they are."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.rows = {row["request_id"]: row for row in rows}

    @handler
    def create(self, event: OnboardingRequest.Created) -> None:
        self.rows[event.originator_id] = {
            **NOTHING_YET,
            **_names(event.names),
            "request_id": event.originator_id,
            "organization_id": event.organization_id,
            "onboard_type": event.onboard_type,
            "user_id": event.user_id,
            "provider_roles": event.provider_roles,
            "created_by": event.created_by,
            "created_at": event.timestamp,
            "invited": False,
        }

    @handler
    def readdress(self, event: OnboardingRequest.Readdressed) -> None:
        row = self._concern(event)
        if row["email_invite"] is not None:
            row["email_invite"] = {**row["email_invite"], "void": True}

    @handler
    def repoint(self, event: OnboardingRequest.Repointed) -> None:
        self._concern(event)

    def _concern(self, event: OnboardingRequest.Readdressed | OnboardingRequest.Repointed) -> dict[str, Any]:
        row = self.rows[event.originator_id]
        row.update(_names(event.names), user_id=event.user_id, registering_at=None)
        return row

    @handler
    def start(self, event: OnboardingRequest.RegistrationStarted) -> None:
        self.rows[event.originator_id]["registering_at"] = event.timestamp

    @handler
    def claim(self, event: OnboardingRequest.Claimed) -> None:
        self.rows[event.originator_id].update(
            claimed_at=event.timestamp, claimed_by=event.user_id, patient_id=event.individual_id
        )

    @handler
    def issue(self, event: OnboardingRequest.InvitationIssued) -> None:
        self.rows[event.originator_id][f"{event.channel}_invite"] = {
            "id": str(event.message_id),
            "created_at": event.timestamp.isoformat(),
            "status": "created",
            "error": None,
            "responded_at": None,
            "void": False,
        }

    @handler
    def send(self, event: OnboardingRequest.InvitationSent) -> None:
        self._change(event, "sent", error=None)

    @handler
    def deliver(self, event: OnboardingRequest.InvitationDelivered) -> None:
        self._change(event, "delivered")

    @handler
    def respond(self, event: OnboardingRequest.InvitationResponded) -> None:
        self._change(event, "responded", error=None, responded_at=event.timestamp.isoformat())

    @handler
    def fail(self, event: OnboardingRequest.InvitationFailed) -> None:
        self._change(event, "failed", error=event.error)

    @handler
    def report_failure(self, event: OnboardingRequest.InvitationUndelivered) -> None:
        self._change(event, "failed", error=revealed(event.report))

    def _change(self, event: Any, status: InviteStatus, **values: Any) -> None:
        """Change the invitation if it is the last one over its channel."""
        row = self.rows[event.originator_id]
        row["invited"] = row["invited"] or status != "failed"
        for channel in CHANNELS:
            invite = row[f"{channel}_invite"]
            if invite is not None and invite["id"] == str(event.message_id):
                row[f"{channel}_invite"] = {**invite, "status": status, **values}


class OnboardingRequestsProjection(Projection):
    """A batch is folded onto the rows it touches, which are read and written in one statement each."""

    name = TABLE
    events = OnboardingRequestsFold.events
    personal = (
        PersonalColumns(
            TABLE,
            "user_id",
            ("email", "phone", "email_key", "phone_key", "username_key", "email_invite", "sms_invite"),
        ),
    )

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        ids = {event.originator_id for _, event in events}
        fold = await OnboardingRequestsFold(await _touched(cursor, ids)).add_all(events)
        await upsert(cursor, self.name, ("request_id",), fold.rows.values())


async def page(cursor: AsyncCursor, chosen: RequestFilter, *, limit: int, offset: int) -> tuple[list[RequestRow], int]:
    """Return a page of the requests of an organization, newest first, and their number."""
    rows, count = statements(chosen)
    await cursor.execute(count, chosen.parameters())
    total = await cursor.fetchone()
    assert total is not None
    return await _rows(cursor, rows, {**chosen.parameters(), "limit": limit, "offset": offset}), int(total[0])


def statements(chosen: RequestFilter) -> tuple[str, str]:
    """Return the statements for a page, which takes `limit` and `offset`, and for the total."""
    of_chosen = f"FROM {TABLE} WHERE {chosen.conditions()}"
    newest = "ORDER BY created_at DESC, request_id LIMIT %(limit)s OFFSET %(offset)s"
    return f"SELECT {SHOWN} {of_chosen} {newest}", f"SELECT count(*) {of_chosen}"


async def one(cursor: AsyncCursor, request_id: UUID) -> RequestRow | None:
    """Return one request."""
    found = await _rows(cursor, f"SELECT {SHOWN} FROM {TABLE} WHERE request_id = %(id)s", {"id": request_id})
    return found[0] if found else None


async def named(cursor: AsyncCursor, name: LoginName, *, claimed: bool) -> list[RequestRow]:
    """Return requests for a person with this name, the newest first; only unclaimed ones unless `claimed`."""
    return await _rows(cursor, named_statement(name, claimed=claimed), {"key": name.key})


def named_statement(name: LoginName, *, claimed: bool) -> str:
    """Return the statement of `named`, which takes the `key` of the name."""
    condition = "true" if claimed else "claimed_at IS NULL"
    return (
        f"SELECT {SHOWN} FROM {TABLE} WHERE {name.kind}_key = %(key)s AND {condition}"
        f" ORDER BY created_at DESC, request_id LIMIT {MOST_NAMED}"
    )


async def _rows(cursor: AsyncCursor, statement: str, parameters: Mapping[str, Any]) -> list[RequestRow]:
    rows = cursor.connection.cursor(row_factory=dict_row)
    await rows.execute(statement, parameters)
    found = await rows.fetchall()
    invites = ("email_invite", "sms_invite")
    return [RequestRow(**row | {name: InviteRow.parsed(row[name]) for name in invites}) for row in found]


async def _touched(cursor: AsyncCursor, ids: Iterable[UUID]) -> list[dict[str, Any]]:
    rows = cursor.connection.cursor(row_factory=dict_row)
    await rows.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE request_id = ANY(%s)", [list(ids)])
    return await rows.fetchall()


def _names(names: LoginNames) -> dict[str, str | None]:
    """Return the columns with the names. A user name that is an address or a number finds by that one."""
    email, phone, username = names.revealed
    keys = {f"{name.kind}_key": name.key for name in names_of(email, phone, username)}
    return {"email": email, "phone": phone, "email_key": None, "phone_key": None, "username_key": None} | keys
