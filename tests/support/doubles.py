"""The domain's ports in memory: a log with versions, access by what a test says, a directory that reads the log."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, TypeVar
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import Conflict, LostRace
from domain.core.idempotency import current_recording
from domain.core.ports import AccessQuery, Store
from domain.core.recorded import Event
from domain.groups.rosters import RosterEntry, RosterKind
from domain.onboarding.referral_codes import ReferralCode
from domain.onboarding.service_documents import LatestDocument
from domain.people.login_names import LoginName
from domain.people.totp import TotpConfigurations

T = TypeVar("T", bound=Audited)


class MemoryStore(Store):
    """A `Store` in memory, held to the same contract as `EventStore` in tests/adapters/log/test_store_contract.py.

    `events` are all events ever saved. `meanwhile` runs once, between a decision and its save. `found` counts the
    aggregates that were asked for and exist.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.streams: dict[UUID, Audited] = {}
        self.meanwhile: Any = None
        self.found = 0
        self._fingerprints: dict[tuple[UUID, str], bytes] = {}

    async def find(self, kind: type[T], aggregate_id: UUID) -> T | None:
        found = self.streams.get(kind.stream_of(aggregate_id))
        self.found += found is not None
        return deepcopy(found) if isinstance(found, kind) else None

    async def get_many(self, kind: type[T], aggregate_ids: Iterable[UUID]) -> dict[UUID, T]:
        found = {each: await self.find(kind, each) for each in aggregate_ids}
        return {each: aggregate for each, aggregate in found.items() if aggregate is not None}

    async def find_each(self, *wanted: tuple[type[Audited], UUID]) -> Any:
        return tuple([await self.find(kind, aggregate_id) for kind, aggregate_id in wanted])

    async def head(self) -> int:
        return len(self.events)

    async def save(self, *aggregates: Audited, unchanged: Sequence[Audited] = (), result: UUID | None = None) -> int:
        if self.meanwhile is not None:
            interruption, self.meanwhile = self.meanwhile, None
            await interruption()
        changed = [each for each in aggregates if each.pending_events]
        self._require_no_conflict(changed, unchanged)
        saved = [event for each in changed for event in each.collect_events()]
        self.events += saved
        self.streams |= {each.stream_of(each.id): deepcopy(each) for each in changed}
        if (recording := current_recording()) is not None:
            recording.resource_id = recording.resource_id if result is None else str(result)
            recording.note(len(self.events), saved)
        return len(self.events)

    def _require_no_conflict(self, changed: Sequence[Audited], unchanged: Sequence[Audited]) -> None:
        if not changed:
            return
        before = [(each, each.version - len(each.pending_events)) for each in changed]
        for aggregate, version in [*before, *((each, each.version) for each in unchanged)]:
            known = self.streams.get(aggregate.stream_of(aggregate.id))
            if (known.version if known else 0) != version:
                raise LostRace
        recording = current_recording()
        if recording is not None and (request := recording.request) is not None:
            known_as = self._fingerprints.setdefault((request.user_id, request.key), request.fingerprint)
            if known_as != request.fingerprint:
                raise Conflict


class Grants:
    """Access as a test says it: who may do what, as triples of user, thing and operation."""

    def __init__(self) -> None:
        self.allowed: set[tuple[UUID, UUID, str]] = set()
        self.readable: dict[UUID, set[UUID]] = {}

    def allow(self, user_id: UUID, thing: UUID, *operations: str) -> None:
        self.allowed |= {(user_id, thing, operation) for operation in operations}

    def let_read(self, user_id: UUID, *users: UUID) -> None:
        self.readable.setdefault(user_id, set()).update(users)

    async def decide(self, user_id: UUID, queries: Sequence[AccessQuery]) -> list[bool]:
        return [(user_id, query.resource_id, query.operation) in self.allowed for query in queries]

    async def readable_users(self, user_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
        return set(user_ids) & self.readable.get(user_id, set())


class MemoryDirectory:
    """What the domain looks up, from the store itself; `emails` by address in lower case, `documents` for all users."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.emails: dict[str, UUID] = {}
        self.documents: list[LatestDocument] = []

    async def users_by_email(self, emails: Iterable[str]) -> dict[str, UUID]:
        return {email: self.emails[email.lower()] for email in emails if email.lower() in self.emails}

    async def leaders(self, group_id: UUID) -> list[UUID]:
        entries = [each for each in self._store.streams.values() if isinstance(each, RosterEntry)]
        return [
            each.subject_id for each in entries if each.group_id == group_id and each.kind == "leader" and each.present
        ]

    async def user_by_login(self, login: str) -> UUID | None:
        return self.emails.get(login.lower())

    async def users_named(self, names: Sequence[LoginName]) -> list[UUID]:
        return [self.emails[name.key] for name in names if name.key in self.emails]

    async def open_requests(self, organization_id: UUID, names: Sequence[LoginName]) -> list[UUID]:
        return []

    async def referral_code(self, code: str) -> ReferralCode | None:
        return None

    async def invited_request(self, message_id: UUID) -> UUID | None:
        return None

    async def unclaimed_requests(self, user_id: UUID) -> list[UUID]:
        return []

    async def user_of_totp(self, configuration_id: UUID) -> UUID | None:
        owners = [each for each in self._store.streams.values() if isinstance(each, TotpConfigurations)]
        return next((each.user_id for each in owners if configuration_id in each.configurations), None)

    async def registration_invitations(self, emails: Iterable[str], organization_id: UUID | None = None) -> list[UUID]:
        return []

    async def latest_documents(
        self, user_id: UUID | None, organization_ids: Sequence[UUID], sent: Sequence[UUID]
    ) -> list[LatestDocument]:
        return self.documents

    async def placements(self, individual_id: UUID, organization_id: UUID) -> list[UUID]:
        return [each.group_id for each in self._taken(individual_id, organization_id)]

    async def entries(self, user_id: UUID, organization_id: UUID) -> list[tuple[UUID, RosterKind]]:
        return [(each.group_id, each.kind) for each in self._taken(user_id, organization_id)]

    def _taken(self, subject_id: UUID, organization_id: UUID) -> list[RosterEntry]:
        entries = [each for each in self._store.streams.values() if isinstance(each, RosterEntry) and each.present]
        return [each for each in entries if (each.subject_id, each.organization_id) == (subject_id, organization_id)]
