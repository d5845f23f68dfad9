"""Themes: the host and the support address under which organizations write to people (rulings L31, L60)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Forbidden, InvalidState, NotFound
from domain.core.principal import Principal
from domain.core.records import Owner, Record, RecordChanged, RecordCreated


class DomainTaken(AlreadyExists):
    """Another theme, active or not, has the domain."""

    argument = "domain"


class ThemeInUse(InvalidState):
    detail = "An organization uses this theme."


@dataclass(frozen=True)
class ThemeFields:
    """`domain` is a host name in lower case, `support_email` an address as it was typed."""

    domain: str
    support_email: str
    support_email_name: str | None = None
    is_active: bool = True


class Theme(Record[ThemeFields]):
    """`organizations` are those that use it."""

    TOPIC = "theme"

    organizations: set[UUID] = field(default_factory=set, init=False)

    class Created(RecordCreated):
        TOPIC = "theme.created"
        fields: ThemeFields

    class Changed(RecordChanged):
        TOPIC = "theme.changed"
        fields: ThemeFields

    class Assigned(Audited.Event):
        """An organization uses it from now on."""

        TOPIC = "theme.assigned"
        organization_id: UUID

    class Unassigned(Audited.Event):
        TOPIC = "theme.unassigned"
        organization_id: UUID

    def require_valid(self) -> None:
        """Raise ThemeInUse: a theme in use stays active."""
        if self.organizations and not self.fields.is_active:
            raise ThemeInUse(argument="is_active")

    def require_active(self, *, argument: str | None = None) -> None:
        """Raise InvalidState for an inactive theme."""
        if not self.fields.is_active:
            raise InvalidState(argument=argument)

    def assign(self, organization_id: UUID) -> None:
        """Let an organization use it. Raises InvalidState when it is inactive."""
        self.require_active(argument="theme_id")
        if organization_id not in self.organizations:
            self._assigned(organization_id)

    def unassign(self, organization_id: UUID) -> None:
        """Let the organization use it no longer."""
        if organization_id in self.organizations:
            self._unassigned(organization_id)

    @event(Assigned)
    def _assigned(self, organization_id: UUID) -> None:
        self.organizations.add(organization_id)

    @event(Unassigned)
    def _unassigned(self, organization_id: UUID) -> None:
        self.organizations.discard(organization_id)


class ThemeOwner(Owner):
    """System administrators write themes, staff read them; for others there are none by id. None is deleted (L18)."""

    async def require_creation(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """As in `domain.core.records.Owner`."""
        principal.require_system_administrator()
        return ()

    async def require_change(self, principal: Principal, fields: Any) -> Sequence[Audited]:  # noqa: ARG002
        """As in `domain.core.records.Owner`."""
        if not principal.system:
            raise Forbidden if principal.staff else NotFound
        return ()
