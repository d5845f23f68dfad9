"""Who acts: the edge makes a principal of a session, commands ask it and `Permissions` what they may do."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from domain.core.audited import AuditContext
from domain.core.decisions import Decision
from domain.core.errors import Forbidden
from domain.core.ports import AccessQuery, Operation

SessionKind = Literal["password", "service", "synthetic", "impersonated"]
"""How a session came about: by a password, by a service account's proof, by a service or staff acting as the user."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user in a session. `staff` includes `system` (system administrators); a service is neither.

    `organization_id` is the session's current organization, on which no right depends (ruling C5). `impersonator` is
    the staff member behind an impersonated session. `queue_delay` is by how many milliseconds the session's background
    jobs are delayed on purpose. `known_at` is the position of the log at which all of this was read.
    """

    user_id: UUID
    session_id: UUID
    organization_id: UUID | None
    impersonator: UUID | None = None
    kind: SessionKind = "password"
    staff: bool = False
    system: bool = False
    queue_delay: int = 0
    known_at: int = 0

    @property
    def service(self) -> bool:
        """Whether it is a service account."""
        return self.kind == "service"

    @property
    def unlimited(self) -> bool:
        """Whether it is a system administrator or a service account."""
        return self.system or self.service

    @property
    def reads_all(self) -> bool:
        """Whether it reads all organizations and users: staff, system administrators and service accounts do."""
        return self.staff or self.unlimited

    def require_system_administrator(self) -> None:
        """Raise Forbidden for all others."""
        if not self.system:
            raise Forbidden

    def require_service(self) -> None:
        """Raise Forbidden for all but service accounts."""
        if not self.service:
            raise Forbidden

    def require_unlimited(self) -> None:
        """Raise Forbidden for all but system administrators and service accounts."""
        if not self.unlimited:
            raise Forbidden

    def require_reads_all(self) -> None:
        """Raise Forbidden for all but staff, system administrators and service accounts."""
        if not self.reads_all:
            raise Forbidden

    def decision(self) -> Decision:
        """Return what a command of this principal rests on so far: on what they are, too (ruling O7)."""
        decision = Decision(self.user_id, self.session_id, self.known_at)
        operations: dict[Operation, bool] = {"read": self.reads_all, "write": self.unlimited}
        decision.rest_on(self.user_id, [AccessQuery("system", None, each) for each, has in operations.items() if has])
        return decision

    def circumstances(self, correlation: str | None) -> AuditContext:
        """Return what the events of a request say of who caused them; `correlation` is the request id."""
        return AuditContext(self.user_id, self.impersonator, self.session_id, self.organization_id, correlation)
