"""The principal: the user in a session for whom a command runs. The edge creates it from the session."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from domain.core.audited import AuditContext
from domain.core.decisions import Decision
from domain.core.errors import Forbidden
from domain.core.ports import AccessQuery, Operation

SessionKind = Literal["password", "service", "synthetic", "impersonated", "anonymous"]
"""How a session was opened: with a password, with a service account's token, or by a service (synthetic) or by staff
(impersonated) to act as the user, or for one call through an anonymous access."""


NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Principal:
    """A user in a session. `staff` includes `system` (system administrators); a service is neither.

    `organization_id` is the session's current organization; no right depends on it (ruling C5). `impersonator` is the
    staff member who opened an impersonated session, and `opened_from` their own session. `queue_delay` is the delay of
    the session's background jobs in milliseconds, on purpose. `known_at` is the position of the log at which all of
    this was read. `authenticated_at` is the time of the login from which the session comes.
    """

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    impersonator: UUID | None = None
    opened_from: UUID | None = None
    kind: SessionKind = "password"
    staff: bool = False
    system: bool = False
    queue_delay: int = 0
    known_at: int = 0
    authenticated_at: datetime = NEVER

    @property
    def service(self) -> bool:
        """Return whether the principal is a service account."""
        return self.kind == "service"

    @property
    def unlimited(self) -> bool:
        """Return whether the principal is a system administrator or a service account."""
        return self.system or self.service

    @property
    def reads_all(self) -> bool:
        """Return whether the principal reads all organizations and users, as staff and service accounts do."""
        return self.staff or self.unlimited

    def require_staff(self) -> None:
        """Raise Forbidden unless the principal is staff."""
        if not self.staff:
            raise Forbidden

    def require_system_administrator(self) -> None:
        """Raise Forbidden unless the principal is a system administrator."""
        if not self.system:
            raise Forbidden

    def require_service(self) -> None:
        """Raise Forbidden unless the principal is a service account."""
        if not self.service:
            raise Forbidden

    def require_unlimited(self) -> None:
        """Raise Forbidden unless the principal is a system administrator or a service account."""
        if not self.unlimited:
            raise Forbidden

    def require_reads_all(self) -> None:
        """Raise Forbidden unless the principal is staff, a system administrator or a service account."""
        if not self.reads_all:
            raise Forbidden

    def decision(self) -> Decision:
        """Return the decision of a command of this principal; it rests on their system rights (ruling O7)."""
        decision = Decision(self.user_id, self.session_id, self.known_at, self.impersonator, self.opened_from)
        rights: dict[Operation, bool] = {"read": self.reads_all, "write": self.unlimited}
        granted = [AccessQuery("system", None, operation) for operation, allowed in rights.items() if allowed]
        decision.rest_on(self.user_id, granted)
        return decision

    def audit_context(self, correlation: str | None) -> AuditContext:
        """Return the audit context of the events that a request causes; `correlation` is the request id."""
        return AuditContext(self.user_id, self.impersonator, self.session_id, self.organization_id, correlation)
